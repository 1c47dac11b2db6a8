/**
 * The layout of a set file: see `docs/sets.md`.
 *
 * @packageDocumentation
 */
import { toUtf8Bytes } from "ethers";
import { z } from "zod";
import { HoldfastError } from "../../errors.js";
import {
  AI_TRAINING,
  anchorDepth,
  EDGE_KINDS,
  MAX_LICENSE_BYTES,
  MAX_PARENTS,
  RECORD_KINDS,
} from "../../protocol/index.js";
import { address, bytes32, safe } from "../../protocol/wire-fields.js";
import { MAX_RECORDS, type SetHead, setHead } from "./claims.js";

const MAGIC = toUtf8Bytes("HOLDFAST-SET");
const VERSION = 1;
/** Magic, version and length of the header. */
export const PREFIX_BYTES = MAGIC.length + 4 + 4;
/** The longest header has 64 parents, some 100 bytes each. */
export const MAX_HEADER_BYTES = 1 << 14;
/** SHA-256 and size. */
export const CONTENT_BYTES = 40;
const HASH_BYTES = 32;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const header = z.strictObject({
  chainId: safe,
  registry: address,
  id: bytes32,
  registrant: address,
  root: bytes32,
  count: z.number().int().min(1).max(MAX_RECORDS),
  records: z.strictObject({
    kind: z.enum(RECORD_KINDS),
    license: z.string().refine((text) => toUtf8Bytes(text).length <= MAX_LICENSE_BYTES),
    aiTraining: z.enum(AI_TRAINING),
    parents: z.array(z.strictObject({ parent: bytes32, kind: z.enum(EDGE_KINDS) })).max(MAX_PARENTS),
    manifestHash: bytes32,
  }),
});

/** A content as it is packed: 32 bytes of SHA-256, and the size as 8 bytes, the highest first. */
export interface PackedContent {
  readonly hash: Uint8Array;
  readonly size: bigint;
}

export function packContent(bytes: Uint8Array, at: number, { hash, size }: PackedContent): void {
  bytes.set(hash, at);
  new DataView(bytes.buffer, bytes.byteOffset + at + HASH_BYTES, 8).setBigUint64(0, size);
}

export function unpackContent(bytes: Uint8Array, at: number): PackedContent {
  const hash = bytes.subarray(at, at + HASH_BYTES);
  return { hash, size: new DataView(bytes.buffer, bytes.byteOffset + at + HASH_BYTES, 8).getBigUint64(0) };
}

/** What a set file begins with. */
export function encodeHead({ chainId, registry, id, set, shared }: SetHead): Uint8Array {
  const { registrant, root, count } = set;
  const { kind, license, aiTraining, parents, manifestHash } = shared;
  const records = { kind, license, aiTraining, parents, manifestHash };
  const json = toUtf8Bytes(JSON.stringify({ chainId, registry, id, registrant, root, count: Number(count), records }));
  const bytes = new Uint8Array(PREFIX_BYTES + json.length);
  bytes.set(MAGIC);
  const view = new DataView(bytes.buffer, MAGIC.length);
  view.setUint32(0, VERSION);
  view.setUint32(4, json.length);
  bytes.set(json, PREFIX_BYTES);
  return bytes;
}

/**
 * The length of the header that follows, in bytes.
 *
 * @throws HoldfastError `SET_FILE_INVALID`
 */
export function headerLength(prefix: Uint8Array): number {
  if (!MAGIC.every((byte, i) => byte === prefix[i])) throw invalidSetFile("it begins otherwise");
  const view = new DataView(prefix.buffer, prefix.byteOffset + MAGIC.length);
  if (view.getUint32(0) !== VERSION) throw invalidSetFile(`version ${view.getUint32(0)} is not known here`);
  const length = view.getUint32(4);
  if (length > MAX_HEADER_BYTES) throw invalidSetFile(`a header of ${length} bytes`);
  return length;
}

/**
 * Reads a header. The set's id is computed from the rest, and has to be the one it names.
 *
 * @throws HoldfastError `SET_FILE_INVALID`
 */
export function decodeHeader(bytes: Uint8Array): SetHead {
  const { chainId, registry, id, registrant, root, count, records } = parse(bytes);
  const head = setHead({ chainId, registry }, registrant, records, { root, count });
  if (head.id !== id.toLowerCase()) throw invalidSetFile("its header does not give the id that it names");
  return head;
}

function parse(bytes: Uint8Array): z.output<typeof header> {
  try {
    return header.parse(JSON.parse(decoder.decode(bytes)));
  } catch (cause) {
    throw invalidSetFile("its header is not what it should be", cause);
  }
}

/** Where the parts of a set file begin, in bytes from the end of the header. */
export interface Layout {
  /** Layers of the tree, from the leaves up to the root. */
  readonly layers: readonly { readonly at: number; readonly nodes: number }[];
  readonly end: number;
}

export function layoutOf(count: number): Layout {
  const layers: { at: number; nodes: number }[] = [];
  let [at, nodes] = [CONTENT_BYTES * count, count];
  for (let level = 0; level <= anchorDepth(count); level++) {
    layers.push({ at, nodes });
    at += HASH_BYTES * nodes;
    nodes = Math.ceil(nodes / 2);
  }
  return { layers, end: at };
}

/** What is no set file, or not a whole one, or was made to harm its reader. */
export function invalidSetFile(reason: string, cause?: unknown): HoldfastError {
  const hint = "get it again from whoever made it, or make it anew from the folder";
  return new HoldfastError("SET_FILE_INVALID", `this is no set file: ${reason}`, hint, { cause });
}
