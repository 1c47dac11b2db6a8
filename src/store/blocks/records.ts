import type { FoundBlock } from "../../piece/car/index.js";

/** SHA-256, offset in 8 bytes, length in 4, big-endian. */
export const RECORD_BYTES = 44;
const DIGEST_BYTES = 32;

/** One more than the largest {@link digestValue}. */
export const DIGEST_VALUES = 2 ** 48;

export function writeRecord({ digest, offset, length }: FoundBlock, into: Buffer, at: number): void {
  into.set(digest, at);
  into.writeBigUInt64BE(BigInt(offset), at + DIGEST_BYTES);
  into.writeUInt32BE(length, at + DIGEST_BYTES + 8);
}

export function readRecord(from: Buffer, at: number): FoundBlock {
  return {
    digest: from.subarray(at, at + DIGEST_BYTES),
    offset: Number(from.readBigUInt64BE(at + DIGEST_BYTES)),
    length: from.readUInt32BE(at + DIGEST_BYTES + 8),
  };
}

/** Order by digest, and of equal ones by offset: that of the records' bytes. */
export function compareRecords(a: Buffer, aAt: number, b: Buffer, bAt: number): number {
  return a.compare(b, bAt, bAt + RECORD_BYTES, aAt, aAt + RECORD_BYTES);
}

export function compareDigest(digest: Uint8Array, records: Buffer, at: number): number {
  return -records.compare(digest, 0, DIGEST_BYTES, at, at + DIGEST_BYTES);
}

export function sameDigest(a: Buffer, aAt: number, b: Buffer, bAt: number): boolean {
  return a.compare(b, bAt, bAt + DIGEST_BYTES, aAt, aAt + DIGEST_BYTES) === 0;
}

/** Its first 48 bits, as a number. */
export function digestValue(digest: Uint8Array): number {
  return Buffer.from(digest.buffer, digest.byteOffset, 6).readUIntBE(0, 6);
}
