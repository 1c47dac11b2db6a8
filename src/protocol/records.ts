/**
 * Records of provenance and anchored sets: what they claim, and the ids that follow from it.
 *
 * @packageDocumentation
 */
import {
  AbiCoder,
  concat,
  keccak256,
  ParamType,
  type Signer,
  type TypedDataDomain,
  TypedDataEncoder,
  type TypedDataField,
} from "ethers";
import { HoldfastError } from "../errors.js";

/** How a record came about, as its registrant says; the contract's numbers are the places in this list. */
export const RECORD_KINDS = ["original", "edited", "derived", "generated", "trained-on", "aggregated"] as const;
export type RecordKind = (typeof RECORD_KINDS)[number];

/**
 * What a parent is to its child: the child was derived from it, is a revision of it, contains it, was made with it as an
 * input, or was trained on it.
 */
export const EDGE_KINDS = ["derivation", "revision", "component", "input", "training"] as const;
export type EdgeKind = (typeof EDGE_KINDS)[number];

/** Whether AI may be trained on the bytes, as the registrant says. */
export const AI_TRAINING = ["unstated", "allowed", "constrained", "refused"] as const;
export type AiTraining = (typeof AI_TRAINING)[number];

/** What a third party says of a record or a set. `none`: nothing that counts. */
export const VERDICTS = ["none", "vouches", "disputes"] as const;
export type Verdict = (typeof VERDICTS)[number];

/** One step of a lineage. */
export interface Edge {
  /** Id of a record or an anchored set, 32 bytes in hex. */
  readonly parent: string;
  readonly kind: EdgeKind;
}

/** What a registrant claims of some bytes. Hashes are 32 bytes in lower-case hex with 0x. */
export interface ProvenanceRecord {
  readonly registrant: string;
  /** SHA-256 of the bytes. */
  readonly contentHash: string;
  /** How many bytes there are. */
  readonly size: bigint;
  /** keccak256(root, leafCount) of the piece that stores them; {@link NO_HASH}: none is named. */
  readonly pieceId: string;
  /** Binary CID that they are also known by, in hex; `0x`: none is named. */
  readonly cid: string;
  /** In ascending order, each once: see {@link sortEdges}. */
  readonly parents: readonly Edge[];
  readonly kind: RecordKind;
  /** SPDX licence expression; empty: not stated. */
  readonly license: string;
  readonly aiTraining: AiTraining;
  /** SHA-256 of a manifest that lies off chain; {@link NO_HASH}: none. */
  readonly manifestHash: string;
}

/** A set of records that are claimed together. */
export interface AnchoredSet {
  /** Of every record in it as well. */
  readonly registrant: string;
  /** Root of the tree over their ids: see `AnchorTree`. */
  readonly root: string;
  /** How many records there are. */
  readonly count: bigint;
  /** What the set as a whole came from, in ascending order, each once. */
  readonly parents: readonly Edge[];
  /** How the set as a whole came about. */
  readonly kind: RecordKind;
  /** Of the set as a whole; what a record in it says of itself goes first. */
  readonly license: string;
  readonly aiTraining: AiTraining;
  readonly manifestHash: string;
}

/** No hash: what a record has in the place of a piece or a manifest that it doesn't name. */
export const NO_HASH = `0x${"00".repeat(32)}`;

// What the contract refuses beyond.
export const MAX_PARENTS = 64;
export const MAX_CID_BYTES = 64;
export const MAX_LICENSE_BYTES = 128;
export const MAX_REASON_BYTES = 256;

/** A record as the contract takes it. */
export interface RecordStruct extends Omit<ProvenanceRecord, "parents" | "kind" | "aiTraining"> {
  readonly parents: { readonly parent: string; readonly kind: number }[];
  readonly kind: number;
  readonly aiTraining: number;
}

/** A set as the contract takes it. */
export interface AnchorStruct extends Omit<AnchoredSet, "parents" | "kind" | "aiTraining"> {
  readonly parents: RecordStruct["parents"];
  readonly kind: number;
  readonly aiTraining: number;
}

const EDGE_FIELDS: TypedDataField[] = [
  { name: "parent", type: "bytes32" },
  { name: "kind", type: "uint8" },
];
const RECORD_FIELDS: TypedDataField[] = [
  { name: "registrant", type: "address" },
  { name: "contentHash", type: "bytes32" },
  { name: "size", type: "uint64" },
  { name: "pieceId", type: "bytes32" },
  { name: "cid", type: "bytes" },
  { name: "parents", type: "Edge[]" },
  { name: "kind", type: "uint8" },
  { name: "license", type: "string" },
  { name: "aiTraining", type: "uint8" },
  { name: "manifestHash", type: "bytes32" },
];
const ANCHOR_FIELDS: TypedDataField[] = [
  { name: "registrant", type: "address" },
  { name: "root", type: "bytes32" },
  { name: "count", type: "uint64" },
  { name: "parents", type: "Edge[]" },
  { name: "kind", type: "uint8" },
  { name: "license", type: "string" },
  { name: "aiTraining", type: "uint8" },
  { name: "manifestHash", type: "bytes32" },
];
const VALID_UNTIL: TypedDataField = { name: "validUntil", type: "uint64" };

/** The EIP-712 structs, as ethers and wallets take them. */
export const RECORD_TYPES = { Edge: EDGE_FIELDS, Record: RECORD_FIELDS };
export const ANCHOR_TYPES = { Edge: EDGE_FIELDS, Anchor: ANCHOR_FIELDS };
export const REGISTRATION_TYPES = {
  ...RECORD_TYPES,
  Registration: [{ name: "records", type: "Record[]" }, VALID_UNTIL],
};
export const ANCHORING_TYPES = { ...ANCHOR_TYPES, Anchoring: [{ name: "anchor", type: "Anchor" }, VALID_UNTIL] };

// The same structs as Solidity encodes them, and what tells a record's id from a set's.
const tuple = (fields: readonly TypedDataField[], edges = "") =>
  `tuple(${fields.map(({ name, type }) => `${type === "Edge[]" ? edges : type} ${name}`).join(", ")})`;
const RECORD_TUPLE = ParamType.from(tuple(RECORD_FIELDS, `${tuple(EDGE_FIELDS)}[]`));
const ANCHOR_TUPLE = ParamType.from(tuple(ANCHOR_FIELDS, `${tuple(EDGE_FIELDS)}[]`));
const [RECORD_PREFIX, SET_PREFIX] = ["0x01", "0x02"];
const coder = AbiCoder.defaultAbiCoder();

/** The EIP-712 domain of a `ProvenanceRegistry`. */
export function provenanceDomain(chainId: number, registry: string): TypedDataDomain {
  return { name: "Holdfast Provenance", version: "1", chainId, verifyingContract: registry };
}

/** A record with the contract's numbers in the place of words. */
export function recordStruct(record: ProvenanceRecord): RecordStruct {
  return { ...record, ...numbers(record) };
}

function numbers({ parents, kind, aiTraining }: Pick<ProvenanceRecord, "parents" | "kind" | "aiTraining">) {
  return {
    parents: parents.map(({ parent, kind: edge }) => ({ parent, kind: EDGE_KINDS.indexOf(edge) })),
    kind: RECORD_KINDS.indexOf(kind),
    aiTraining: AI_TRAINING.indexOf(aiTraining),
  };
}

/** A set with the contract's numbers in the place of words. */
export function anchorStruct(set: AnchoredSet): AnchorStruct {
  return { ...set, ...numbers(set) };
}

/** What a record's id is the hash of: domain separator ‖ 0x01 ‖ abi.encode(record), in hex. */
export function recordPreimage(domain: TypedDataDomain, record: ProvenanceRecord): string {
  const encoded = coder.encode([RECORD_TUPLE], [recordStruct(record)]);
  return concat([TypedDataEncoder.hashDomain(domain), RECORD_PREFIX, encoded]);
}

/**
 * The id that a record has: keccak256(domain separator ‖ 0x01 ‖ abi.encode(record)).
 *
 * @param domain - from {@link provenanceDomain}
 * @returns 32 bytes in hex
 * @throws TypeError where a value does not fit its Solidity type
 */
export function recordIdOf(domain: TypedDataDomain, record: ProvenanceRecord): string {
  return keccak256(recordPreimage(domain, record));
}

/** The id that a set has: keccak256(domain separator ‖ 0x02 ‖ abi.encode(set)). */
export function anchorIdOf(domain: TypedDataDomain, set: AnchoredSet): string {
  const encoded = coder.encode([ANCHOR_TUPLE], [anchorStruct(set)]);
  return keccak256(concat([TypedDataEncoder.hashDomain(domain), SET_PREFIX, encoded]));
}

/**
 * Signs the registration of records, so that anybody may send it. Each is registered once, so it can't be replayed.
 *
 * @param validUntil - Unix seconds until when it counts, the last one included
 */
export function signRegistration(
  signer: Signer,
  domain: TypedDataDomain,
  records: readonly ProvenanceRecord[],
  validUntil: bigint,
): Promise<string> {
  return signer.signTypedData(domain, REGISTRATION_TYPES, { records: records.map(recordStruct), validUntil });
}

/** Signs the anchoring of a set, as {@link signRegistration}. */
export function signAnchoring(
  signer: Signer,
  domain: TypedDataDomain,
  set: AnchoredSet,
  validUntil: bigint,
): Promise<string> {
  return signer.signTypedData(domain, ANCHORING_TYPES, { anchor: anchorStruct(set), validUntil });
}

/**
 * Edges in the one order that the contract takes: ascending by parent, then by kind. What stands there twice, stands there
 * once.
 *
 * @throws HoldfastError `TOO_MANY_PARENTS` over {@link MAX_PARENTS}
 */
export function sortEdges(edges: readonly Edge[]): Edge[] {
  const rank = ({ parent, kind }: Edge) => `${parent.toLowerCase()}${EDGE_KINDS.indexOf(kind)}`;
  const sorted = [...new Map(edges.map((edge) => [rank(edge), edge])).entries()].sort(([a], [b]) => (a < b ? -1 : 1));
  if (sorted.length > MAX_PARENTS) {
    const message = `a record has at most ${MAX_PARENTS} parents, not ${sorted.length}`;
    throw new HoldfastError("TOO_MANY_PARENTS", message, "anchor the parents as a set, and name the set");
  }
  return sorted.map(([, { parent, kind }]) => ({ parent: parent.toLowerCase(), kind }));
}

/** CIDv1, codec raw, multihash sha2-256 of 32 bytes (https://github.com/multiformats/cid). */
const RAW_SHA256 = "0x01551220";

/** The binary CID that bytes have of themselves, as one raw block: what a record need not name. @returns hex */
export function rawCidOf(contentHash: string): string {
  return concat([RAW_SHA256, contentHash]);
}
