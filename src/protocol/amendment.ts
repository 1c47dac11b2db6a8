import {
  AbiCoder,
  keccak256,
  id as keccak256Text,
  type Signer,
  type TypedDataDomain,
  TypedDataEncoder,
  type TypedDataField,
} from "ethers";
import { HoldfastError } from "../errors.js";
import { checkCommitment, checkPrice } from "./terms.js";

/**
 * What owner and provider agree on to change in a deal that lives (PROTOCOL section 6, `amend`). The deal keeps its
 * id; the commitment and the price apply from the first window whose challenge is far enough away.
 */
export interface Amendment {
  /** The deal. */
  readonly dealId: bigint;
  /** Root of the new piece, 32 bytes in hex. */
  readonly root: string;
  /** Leaves of 32 bytes that its payload touches, 1 to 2^40. */
  readonly leafCount: bigint;
  /** Base units for each proven period from then on, the fee included. */
  readonly pricePerPeriod: bigint;
  /** How many amendments of the deal were accepted before: one signed pair is taken once. */
  readonly nonce: number;
  /** Unix seconds until when it can be sent, the last one included. */
  readonly validUntil: bigint;
}

/** An owner's consent that a deal goes on as another one (PROTOCOL section 6, `migrate`). */
export interface Migration {
  /** The deal that ends. */
  readonly dealId: bigint;
  /** Id of the terms that take its place, see `dealIdOf`. */
  readonly successor: bigint;
}

/** The EIP-712 struct of an amendment, as ethers and wallets take it. */
export const AMENDMENT_TYPES: Readonly<Record<"Amendment", TypedDataField[]>> = {
  Amendment: [
    { name: "dealId", type: "uint256" },
    { name: "root", type: "bytes32" },
    { name: "leafCount", type: "uint64" },
    { name: "pricePerPeriod", type: "uint128" },
    { name: "nonce", type: "uint32" },
    { name: "validUntil", type: "uint64" },
  ],
};

/** The EIP-712 struct of a migration. */
export const MIGRATION_TYPES: Readonly<Record<"Migration", TypedDataField[]>> = {
  Migration: [
    { name: "dealId", type: "uint256" },
    { name: "successor", type: "uint256" },
  ],
};

/** Tells a migration's proof of possession from every other: the hash of "Holdfast migration". */
export const MIGRATION_DOMAIN: string = keccak256Text("Holdfast migration");

/** Possession is proven with the seed of a block whose number is a multiple of this. */
export const POSSESSION_GRID = 64;

/**
 * The EIP-712 digest of an amendment: what both parties sign.
 *
 * @param domain - from `dealDomain`
 * @returns 32 bytes in hex
 * @throws TypeError where a value does not fit its Solidity type
 */
export function amendmentDigest(domain: TypedDataDomain, amendment: Amendment): string {
  return TypedDataEncoder.hash(domain, AMENDMENT_TYPES, amendment);
}

/**
 * Signs an amendment, as owner, as provider, or as the provider's registered signer.
 *
 * @param domain - from `dealDomain`
 * @returns 65 bytes in hex; what `amend` takes
 * @example
 * await market.amend(amendment, "0x", await signAmendment(provider, domain, amendment)); // sent by the owner
 */
export function signAmendment(signer: Signer, domain: TypedDataDomain, amendment: Amendment): Promise<string> {
  return signer.signTypedData(domain, AMENDMENT_TYPES, amendment);
}

/**
 * The EIP-712 digest of a migration: what the owner of the old deal signs.
 *
 * @param domain - from `dealDomain`
 * @returns 32 bytes in hex
 * @throws TypeError where a value does not fit its Solidity type
 */
export function migrationDigest(domain: TypedDataDomain, migration: Migration): string {
  return TypedDataEncoder.hash(domain, MIGRATION_TYPES, migration);
}

/**
 * Signs a migration as the owner of the old deal.
 *
 * @param domain - from `dealDomain`
 * @returns 65 bytes in hex; what `migrate` takes
 * @example
 * const successor = dealIdOf(domain, newTerms);
 * const consent = await signMigration(owner, domain, { dealId, successor });
 */
export function signMigration(signer: Signer, domain: TypedDataDomain, migration: Migration): Promise<string> {
  return signer.signTypedData(domain, MIGRATION_TYPES, migration);
}

/**
 * What stands for the deal's id in the challenge of a migration's possession proof, with window 0, which is no deal's:
 * keccak256(abi.encode({@link MIGRATION_DOMAIN}, dealId, provider)).
 *
 * @param dealId - the old deal
 * @param provider - the new one, who proves
 * @throws TypeError where `provider` is no address
 * @example
 * const dealId = migrationQuestionId(old, newTerms.provider);
 * const leaves = challengeIndices({ chainId, market, dealId, window: 0, seed, count, leafCount });
 */
export function migrationQuestionId(dealId: bigint, provider: string): bigint {
  const values = [MIGRATION_DOMAIN, dealId, provider];
  return BigInt(keccak256(AbiCoder.defaultAbiCoder().encode(["bytes32", "uint256", "address"], values)));
}

/**
 * q: the block whose seed draws the challenges of a possession proof, the last multiple of {@link POSSESSION_GRID}
 * before block `at` (PROTOCOL section 7). A prover gets one try in so many blocks.
 *
 * @param at - the block that the proof would be in, from 1: one after the latest for a transaction sent now
 * @example
 * possessionEpoch(128); // 64
 * possessionEpoch(129); // 128
 */
export function possessionEpoch(at: number): number {
  return Math.floor((at - 1) / POSSESSION_GRID) * POSSESSION_GRID;
}

/** What {@link checkAmendment} holds an amendment against. */
export interface AmendedDeal {
  /** Of the deal: the most periods that it can have. */
  readonly maxPeriods: number;
  /** Amendments accepted so far; without it, the nonce is not looked at. */
  readonly nonce?: number;
  /** Unix seconds of the block that it would be sent in; without it, `validUntil` is not looked at. */
  readonly now?: bigint;
}

/**
 * The checks that `amend` makes of the amendment itself, before anything is signed or sent. What it can't see: the
 * deal's status, whether another one is pending, whether enough windows are left, the signatures and the money.
 *
 * @throws TermsError with `code` `INVALID_LEAF_COUNT`, `INVALID_ROOT`, `AMOUNT_TOO_LARGE`
 * @throws HoldfastError `AMENDMENT_EXPIRED`, `WRONG_NONCE`, and `INVALID_AMENDMENT` where a value does not even fit its
 *   Solidity type
 * @example
 * checkAmendment(amendment, { maxPeriods: deal.maxPeriods, nonce: deal.nonce });
 */
export function checkAmendment(amendment: Amendment, deal: AmendedDeal): void {
  checkEncodable(amendment);
  const { validUntil, nonce } = amendment;
  if (deal.now !== undefined && deal.now > validUntil) {
    throw new HoldfastError("AMENDMENT_EXPIRED", `the amendment was valid until ${validUntil}`, "sign a new one");
  }
  if (deal.nonce !== undefined && deal.nonce !== nonce) {
    throw new HoldfastError(
      "WRONG_NONCE",
      `the amendment has nonce ${nonce}, the deal stands at ${deal.nonce}`,
      "read the deal again and sign for what it is now",
    );
  }
  checkCommitment(amendment);
  checkPrice(amendment.pricePerPeriod, deal.maxPeriods);
}

function checkEncodable(amendment: Amendment): void {
  try {
    TypedDataEncoder.hashStruct("Amendment", AMENDMENT_TYPES, amendment);
  } catch (cause) {
    throw new HoldfastError(
      "INVALID_AMENDMENT",
      `the amendment can't be encoded: ${cause instanceof Error ? cause.message : cause}`,
      "give every member a value of its Solidity type",
      { cause },
    );
  }
}
