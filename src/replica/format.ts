/**
 * The layout of a replica: a header of 48 bytes, then the payload in chunks, each followed by its tag (docs/replicas.md).
 *
 * @packageDocumentation
 */
import { HoldfastError } from "../errors.js";

/** What a header says. The replica's key is derived from the header, so a header with a bit changed opens nothing. */
export interface ReplicaHeader {
  /** 32 random bytes, other ones for each replica. */
  readonly id: Uint8Array;
  /** Bytes of payload, at least one. */
  readonly size: number;
  /** Binary logarithm of the bytes of payload in a chunk; {@link DEFAULT_CHUNK_LOG} by default. */
  readonly chunkLog?: number;
}

/** Where a chunk lies, in the payload and in the replica. */
export interface ChunkPlace {
  /** Its number, from 0. */
  readonly index: number;
  /** First byte of the chunk in the replica. */
  readonly offset: number;
  /** Bytes that it takes there, its tag included. */
  readonly length: number;
  readonly last: boolean;
}

export const HEADER_SIZE = 48;
export const ID_SIZE = 32;
export const TAG_SIZE = 16;
/** 64 KiB, as age has it: tags cost 0.02 %, and a range of one byte costs 64 KiB. */
export const DEFAULT_CHUNK_LOG = 16;
const MIN_CHUNK_LOG = 12;
/** A reader holds one chunk in memory, and the header that says how large it is comes from a stranger. */
const MAX_CHUNK_LOG = 24;
/** "HFR", and version 1. */
const MAGIC = Uint8Array.of(0x48, 0x46, 0x52, 1);

/** Bytes of the replica of a payload. @param size - of the payload, at least 1 */
export function replicaSize(size: number, chunkLog = DEFAULT_CHUNK_LOG): number {
  return HEADER_SIZE + size + TAG_SIZE * chunkCount({ size, chunkLog });
}

/** Chunks of a replica. */
export function chunkCount({ size, chunkLog = DEFAULT_CHUNK_LOG }: Omit<ReplicaHeader, "id">): number {
  return Math.ceil(size / 2 ** chunkLog);
}

/** Where chunk `index` lies, `index` below {@link chunkCount}. */
export function placeOf(header: Omit<ReplicaHeader, "id">, index: number): ChunkPlace {
  const chunk = 2 ** (header.chunkLog ?? DEFAULT_CHUNK_LOG);
  const last = index === chunkCount(header) - 1;
  const payload = last ? header.size - index * chunk : chunk;
  return { index, offset: HEADER_SIZE + index * (chunk + TAG_SIZE), length: payload + TAG_SIZE, last };
}

/** @throws HoldfastError `INVALID_REPLICA` where a replica can't have such a header */
export function encodeHeader(header: ReplicaHeader): Uint8Array<ArrayBuffer> {
  const { id, size, chunkLog = DEFAULT_CHUNK_LOG } = header;
  if (id.length !== ID_SIZE) throw invalid(`its id has ${id.length} bytes, not ${ID_SIZE}`);
  check(size, chunkLog);
  const bytes = new Uint8Array(HEADER_SIZE);
  bytes.set(MAGIC);
  bytes[MAGIC.length] = chunkLog;
  new DataView(bytes.buffer).setBigUint64(8, BigInt(size));
  bytes.set(id, 16);
  return bytes;
}

/** @param bytes - the first {@link HEADER_SIZE} of a replica @throws HoldfastError `INVALID_REPLICA` */
export function decodeHeader(bytes: Uint8Array): Required<ReplicaHeader> {
  if (bytes.length < HEADER_SIZE) throw invalid(`it has ${bytes.length} bytes, less than a header`);
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) throw invalid("it does not begin as a replica of version 1 does");
  const reserved = bytes.subarray(MAGIC.length + 1, 8);
  if (reserved.some((byte) => byte !== 0)) throw invalid("a byte of its header that must be zero is not");
  const chunkLog = bytes[MAGIC.length] as number;
  const size = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(8));
  check(size, chunkLog);
  return { id: bytes.slice(16, HEADER_SIZE), size, chunkLog };
}

function check(size: number, chunkLog: number): void {
  if (!Number.isInteger(chunkLog) || chunkLog < MIN_CHUNK_LOG || chunkLog > MAX_CHUNK_LOG) {
    throw invalid(`its chunks are 2^${chunkLog} bytes, not 2^${MIN_CHUNK_LOG} to 2^${MAX_CHUNK_LOG}`);
  }
  if (!Number.isSafeInteger(size) || size < 1) throw invalid(`its payload is ${size} bytes`);
}

function invalid(why: string): HoldfastError {
  return new HoldfastError("INVALID_REPLICA", `not a replica: ${why}`, "check that it was stored with unique replicas");
}
