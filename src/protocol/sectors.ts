/**
 * What is said to the contract that takes Filecoin's own storage proofs (docs/filecoin.md): in a miner's notification and
 * to prove a window. All in the Solidity ABI.
 */
import { AbiCoder, type BytesLike } from "ethers";
import { DEAL_TERMS_TYPES, type DealTerms } from "./terms.js";

/** Terms that a notification is to open, and who signed them. */
export interface Opening {
  /** Address of the market. */
  readonly market: string;
  readonly terms: DealTerms;
  /** Over the EIP-712 digest of the terms: neither can be left out, since the sender is nobody's. */
  readonly clientSignature: string;
  readonly providerSignature: string;
}

/** Where a sector is: what a window is proven with. */
export interface SectorEvidence {
  /** Id of the miner actor, the number in `f0…`. */
  readonly miner: bigint;
  readonly sector: bigint;
  /** FIP-0112's `aux_data`, as `SectorProofs.locate` gives it: deadline and partition in CBOR. */
  readonly location: BytesLike;
}

const TERMS = DEAL_TERMS_TYPES.DealTerms.map(({ name, type }) => `${type} ${name}`).join(", ");
const OPENING = `tuple(address market, tuple(${TERMS}) terms, bytes clientSignature, bytes providerSignature)`;

/**
 * The payload of a piece in `ProveCommitSectors3` and `ProveReplicaUpdates3`, for the notification of FIP-0109: whom the
 * piece is sealed for, and the terms to open with it, if any.
 *
 * @param provider - address of the provider, which must have bound the miner
 * @returns bytes in hex, for `DataActivationNotification.payload`
 *
 * @example
 * const payload = sealPayload(provider, { market, terms, clientSignature, providerSignature });
 */
export function sealPayload(provider: string, opening?: Opening): string {
  const coder = AbiCoder.defaultAbiCoder();
  const inner = opening === undefined ? "0x" : coder.encode([OPENING], [opening]);
  return coder.encode(["address", "bytes"], [provider, inner]);
}

/** The evidence of `StorageMarket.proveByChain`, in hex. */
export function sectorEvidence({ miner, sector, location }: SectorEvidence): string {
  return AbiCoder.defaultAbiCoder().encode(["uint64", "uint64", "bytes"], [miner, sector, location]);
}
