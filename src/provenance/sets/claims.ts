/**
 * Sets of records that claim the same of many contents: what is known of such a set, and of a record in it.
 *
 * @packageDocumentation
 */

import { getBytes, type TypedDataDomain } from "ethers";
import {
  type AnchoredSet,
  anchorIdOf,
  includesRecord,
  NO_HASH,
  type ProvenanceRecord,
  provenanceDomain,
  recordIdOf,
} from "../../protocol/index.js";

/** What all records of a set claim alike. */
export type SharedClaims = Pick<ProvenanceRecord, "kind" | "license" | "aiTraining" | "parents" | "manifestHash">;

/** What a record of a set is about. */
export interface SetContent {
  /** SHA-256 of the bytes, 32 bytes in hex. */
  readonly sha256: string;
  /** How many bytes there are. */
  readonly size: bigint;
}

/** A set, where it is anchored, and what its records share. */
export interface SetHead {
  readonly chainId: number;
  /** Address of the `ProvenanceRegistry`. */
  readonly registry: string;
  /** 32 bytes in hex: what the chain knows it by. */
  readonly id: string;
  /** As the contract takes it. It claims as a whole what its records share. */
  readonly set: AnchoredSet;
  readonly shared: SharedClaims;
}

/** A record of a set, and what shows that it is in there: all that the contract's `isAnchored` takes. */
export interface Membership {
  readonly record: ProvenanceRecord;
  /** Of the record, 32 bytes in hex. */
  readonly id: string;
  /** The record's place in the set, from 0. */
  readonly index: number;
  /** Siblings from the leaf up to the root, 32 bytes each in hex. */
  readonly proof: string[];
}

/** A place in a tree that this code reckons with has 31 bits. */
export const MAX_RECORDS = 2 ** 31 - 1;

/** Where ids of records and sets hold. */
export type Registry = Pick<SetHead, "chainId" | "registry">;

/** The EIP-712 domain of a registry. */
export function domainOf({ chainId, registry }: Registry): TypedDataDomain {
  return provenanceDomain(chainId, registry);
}

/** The record that a set has of a content. It names no piece and no CID: a set is not about one piece. */
export function setRecord(registrant: string, shared: SharedClaims, { sha256, size }: SetContent): ProvenanceRecord {
  return { ...shared, registrant, contentHash: sha256, size, pieceId: NO_HASH, cid: "0x" };
}

/** A set with its id, from the root of its tree. */
export function setHead(
  registry: Registry,
  registrant: string,
  shared: SharedClaims,
  { root, count }: { readonly root: string; readonly count: number },
): SetHead {
  const set: AnchoredSet = { registrant, root, count: BigInt(count), ...shared };
  return { ...registry, id: anchorIdOf(domainOf(registry), set), set, shared };
}

/**
 * Whether a record is in a set, by the proof alone. That the set is anchored, and stands, only the chain can tell.
 *
 * @example
 * verifyMembership(membership, head) && (await registry.stateOf(head.id)).form === 2n;
 */
export function verifyMembership({ record, id, index, proof }: Membership, head: SetHead): boolean {
  const { set } = head;
  const domain = domainOf(head);
  if (record.registrant !== set.registrant) return false;
  if (recordIdOf(domain, record) !== id || anchorIdOf(domain, set) !== head.id) return false;
  const siblings = proof.map((sibling) => getBytes(sibling));
  return includesRecord(getBytes(set.root), Number(set.count), getBytes(id), index, siblings);
}
