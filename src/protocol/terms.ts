import { getAddress, getBytes, type Signer, type TypedDataDomain, TypedDataEncoder, type TypedDataField } from "ethers";
import { HoldfastError } from "../errors.js";
import { isAccount } from "./address.js";
import type { Tier } from "./schedule.js";

/** The most periods that a deal can have; keeps every counter of the contracts within 32 bits. */
export const MAX_PERIODS = 2 ** 24;

const MAX_LEAVES = 1n << 40n;
const MAX_UINT128 = (1n << 128n) - 1n;

/**
 * What client and provider agree on (PROTOCOL section 6). The EIP-712 digest of it is the deal's id.
 */
export interface DealTerms {
  /** Owner of the deal from its opening. */
  readonly client: string;
  /** Who stores the data and stakes for it. */
  readonly provider: string;
  /** Root of the piece, 32 bytes in hex. */
  readonly root: string;
  /** Leaves of 32 bytes that the payload touches, 1 to 2^40. */
  readonly leafCount: bigint;
  /** Row of the market's table. */
  readonly tier: number;
  /** Periods paid at the opening, N. */
  readonly periods: number;
  /** Up to where anybody may extend, at most 2^24. */
  readonly maxPeriods: number;
  /** What is paid with and staked; zero: the native coin. */
  readonly token: string;
  /** Base units for each proven period, the fee included. */
  readonly pricePerPeriod: bigint;
  /** Base units of the provider's stake behind the deal. */
  readonly collateral: bigint;
  /** Base units for a GiB read from the provider; binds by signature only. */
  readonly egressPricePerGiB: bigint;
  /** Unix seconds until when the terms can be opened, the last one included. */
  readonly validUntil: bigint;
  /** 32 bytes in hex that tell terms apart which are equal otherwise. */
  readonly salt: string;
}

/** The EIP-712 struct, as ethers and wallets take it. */
export const DEAL_TERMS_TYPES: Readonly<Record<"DealTerms", TypedDataField[]>> = {
  DealTerms: [
    { name: "client", type: "address" },
    { name: "provider", type: "address" },
    { name: "root", type: "bytes32" },
    { name: "leafCount", type: "uint64" },
    { name: "tier", type: "uint8" },
    { name: "periods", type: "uint32" },
    { name: "maxPeriods", type: "uint32" },
    { name: "token", type: "address" },
    { name: "pricePerPeriod", type: "uint128" },
    { name: "collateral", type: "uint128" },
    { name: "egressPricePerGiB", type: "uint128" },
    { name: "validUntil", type: "uint64" },
    { name: "salt", type: "bytes32" },
  ],
};

/**
 * The EIP-712 domain of a market: terms are for one market of one chain.
 *
 * @param chainId - of the chain that the market is on
 * @param market - its address
 * @example
 * const domain = dealDomain(deployment.chainId, deployment.market);
 */
export function dealDomain(chainId: bigint | number, market: string): TypedDataDomain {
  return { name: "Holdfast Storage Market", version: "1", chainId, verifyingContract: market };
}

/**
 * The id that these terms have on the market of `domain`: the whole EIP-712 digest, domain included.
 *
 * @param domain - from {@link dealDomain}
 * @throws TypeError where a value does not fit its Solidity type
 * @example
 * const id = dealIdOf(dealDomain(chainId, market), terms);
 */
export function dealIdOf(domain: TypedDataDomain, terms: DealTerms): bigint {
  return BigInt(TypedDataEncoder.hash(domain, DEAL_TERMS_TYPES, terms));
}

/**
 * Signs terms, as client, as provider, or as the provider's registered signer.
 *
 * @param domain - from {@link dealDomain}
 * @returns 65 bytes in hex; what `open` takes
 * @example
 * await market.open(terms, await signTerms(client, domain, terms), providerSignature);
 */
export function signTerms(signer: Signer, domain: TypedDataDomain, terms: DealTerms): Promise<string> {
  return signer.signTypedData(domain, DEAL_TERMS_TYPES, terms);
}

/**
 * What the opening locks of the payer's account in the vault: pricePerPeriod × periods, in base units of `token`.
 *
 * @example
 * if ((await vault.balanceOf(client, BigInt(terms.token))) < escrowOf(terms)) throw new Error("deposit first");
 */
export function escrowOf(terms: Pick<DealTerms, "pricePerPeriod" | "periods">): bigint {
  return terms.pricePerPeriod * BigInt(terms.periods);
}

/** Names of the contract's errors that {@link checkTerms} foresees. */
export type TermsFault =
  | "TermsExpired"
  | "UnknownTier"
  | "InvalidAccount"
  | "InvalidLeafCount"
  | "InvalidRoot"
  | "InvalidPeriods"
  | "InvalidCollateral"
  | "AmountTooLarge";

/** Terms that `open` would refuse. `fault` is the name of the contract's error; `code` is the same in capitals. */
export class TermsError extends HoldfastError {
  readonly fault: TermsFault;

  constructor(fault: TermsFault, message: string, hint: string) {
    super(fault.replace(/(?<=[a-z])[A-Z]/g, "_$&").toUpperCase(), message, hint);
    this.name = "TermsError";
    this.fault = fault;
  }
}

/** What {@link checkTerms} can look at besides terms and tier. */
export interface CheckOptions {
  /** Unix seconds of the block that the terms would be opened in; without it, `validUntil` is not looked at. */
  readonly now?: bigint;
  /** Addresses of vault, registry and market, which can't be a party. */
  readonly protocol?: readonly string[];
}

/**
 * The checks that `open` makes of terms, in its order, before anything is signed or sent. What it can't see: whether
 * the terms were opened or cancelled, the signatures, the money and the stake.
 *
 * @param tier - the row of the market's table that the terms name, undefined where there is none
 * @throws TermsError with `code` `TERMS_EXPIRED`, `UNKNOWN_TIER`, `INVALID_ACCOUNT`, `INVALID_LEAF_COUNT`,
 *   `INVALID_ROOT`, `INVALID_PERIODS`, `INVALID_COLLATERAL`, `AMOUNT_TOO_LARGE`
 * @throws HoldfastError `INVALID_TERMS` where a value does not even fit its Solidity type
 * @example
 * checkTerms(terms, deployment.tiers[terms.tier], { now: BigInt(Math.floor(Date.now() / 1000)) });
 */
export function checkTerms(terms: DealTerms, tier: Tier | undefined, options: CheckOptions = {}): void {
  checkEncodable(terms);
  if (options.now !== undefined && options.now > terms.validUntil) {
    throw new TermsError("TermsExpired", `the terms were valid until ${terms.validUntil}`, "sign new ones");
  }
  if (!tier) {
    throw new TermsError("UnknownTier", `the market has no tier ${terms.tier}`, "choose a row of the market's table");
  }
  const protocol = (options.protocol ?? []).map((account) => getAddress(account));
  checkParty("client", terms.client, protocol);
  checkParty("provider", terms.provider, protocol);
  checkCommitment(terms);
  checkNumbers(terms, tier);
}

function checkEncodable(terms: DealTerms): void {
  try {
    TypedDataEncoder.hashStruct("DealTerms", DEAL_TERMS_TYPES, terms);
  } catch (cause) {
    throw new HoldfastError(
      "INVALID_TERMS",
      `the terms can't be encoded: ${cause instanceof Error ? cause.message : cause}`,
      "give every member a value of its Solidity type",
      { cause },
    );
  }
}

function checkParty(role: string, account: string, protocol: readonly string[]): void {
  if (isAccount(account) && !protocol.includes(getAddress(account))) return;
  throw new TermsError(
    "InvalidAccount",
    `${account} can't be the ${role}`,
    "name neither zero, nor a Filecoin id alias, nor a contract of the protocol",
  );
}

/**
 * The market's check of a commitment, wherever one enters.
 *
 * @throws TermsError `INVALID_LEAF_COUNT`, `INVALID_ROOT`
 */
export function checkCommitment({ leafCount, root }: Pick<DealTerms, "leafCount" | "root">): void {
  if (leafCount < 1n || leafCount > MAX_LEAVES) {
    throw new TermsError("InvalidLeafCount", `a piece can't have ${leafCount} leaves`, "commit to 1 to 2^40 leaves");
  }
  if (((getBytes(root)[31] as number) & 0xc0) !== 0) {
    throw new TermsError(
      "InvalidRoot",
      `no piece has the root ${root}: the two top bits of the last byte are always clear`,
      "compute the root with commit() or read it from a PieceCID",
    );
  }
}

function checkNumbers(terms: DealTerms, tier: Tier): void {
  const { periods, maxPeriods, collateral, pricePerPeriod } = terms;
  if (periods < tier.maxMisses || periods > maxPeriods || maxPeriods > MAX_PERIODS) {
    throw new TermsError(
      "InvalidPeriods",
      `${periods} periods of at most ${maxPeriods} are not allowed`,
      `keep ${tier.maxMisses} ≤ periods ≤ maxPeriods ≤ ${MAX_PERIODS}`,
    );
  }
  const misses = BigInt(tier.maxMisses);
  if (collateral !== 0n && collateral < misses) {
    throw new TermsError(
      "InvalidCollateral",
      `${collateral} base units make no shares`,
      `stake 0 or at least ${misses}`,
    );
  }
  checkPrice(pricePerPeriod, maxPeriods);
  checkAmount(collateral + BigInt(maxPeriods) * (collateral / misses));
}

/**
 * The market's check of a price, wherever one is set: all pay that a deal can have fits in 128 bits.
 *
 * @param pricePerPeriod - base units
 * @throws TermsError `AMOUNT_TOO_LARGE`
 */
export function checkPrice(pricePerPeriod: bigint, maxPeriods: number): void {
  checkAmount(pricePerPeriod * BigInt(maxPeriods));
}

function checkAmount(amount: bigint): void {
  if (amount <= MAX_UINT128) return;
  throw new TermsError(
    "AmountTooLarge",
    `${amount} base units, at maxPeriods, don't fit in 128 bits`,
    "lower price, collateral or maxPeriods",
  );
}
