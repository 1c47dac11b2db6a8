import { sameBytes } from "../piece/bytes.js";
import { corrupt, unseal } from "./chunks.js";
import { chunkCount, decodeHeader, HEADER_SIZE, placeOf, type ReplicaHeader } from "./format.js";
import type { FileKey } from "./key.js";

/** What the reader of a replica knows of it beforehand. */
export type ExpectedReplica = Pick<ReplicaHeader, "id" | "size">;

/** Reads bytes of a replica: exactly `length` of them, from `offset` on. */
export type ReadReplica = (offset: number, length: number) => Promise<Uint8Array>;

/**
 * Decrypts a replica as it comes, in the memory of one chunk. What it gives out was encrypted under the key, for this
 * replica and in this place; that nothing is missing at the end is known when {@link finish} returns.
 */
export class ReplicaDecryptor {
  readonly #key: FileKey;
  readonly #expected: ExpectedReplica;
  #buffer = new Uint8Array(HEADER_SIZE);
  #filled = 0;
  #index = 0;
  #opened: { readonly header: Required<ReplicaHeader>; readonly key: CryptoKey } | undefined;

  constructor(key: FileKey, expected: ExpectedReplica) {
    this.#key = key;
    this.#expected = expected;
  }

  /**
   * Takes the replica's next bytes; gives the payload of the chunks that they complete.
   *
   * @throws HoldfastError `INVALID_REPLICA`, `REPLICA_CORRUPT`
   */
  async update(bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer>[]> {
    const payload: Uint8Array<ArrayBuffer>[] = [];
    for (let at = 0; at < bytes.length; ) {
      if (this.#isWhole()) throw corrupt("bytes follow its last chunk");
      const part = bytes.subarray(at, at + this.#buffer.length - this.#filled);
      this.#buffer.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled < this.#buffer.length) break;
      await this.#take(payload);
    }
    return payload;
  }

  /** Says that no more bytes come. @throws HoldfastError `REPLICA_CORRUPT` where some are missing */
  finish(): void {
    if (!this.#isWhole()) throw corrupt("its end is missing");
  }

  #isWhole(): boolean {
    return this.#opened !== undefined && this.#index === chunkCount(this.#opened.header);
  }

  /** What has been gathered is the header, or a chunk. */
  async #take(payload: Uint8Array<ArrayBuffer>[]): Promise<void> {
    const opened = this.#opened ?? (await open(this.#key, this.#buffer, this.#expected));
    if (this.#opened) payload.push(await unseal(opened.key, placeOf(opened.header, this.#index++), this.#buffer));
    this.#opened = opened;
    this.#filled = 0;
    if (this.#isWhole()) return;
    const { length } = placeOf(opened.header, this.#index);
    if (length !== this.#buffer.length) this.#buffer = new Uint8Array(length);
  }
}

/**
 * Reads a range of the payload, and of the replica no more than the header and the chunks that hold it.
 *
 * @param offset - first byte of the payload that is wanted
 * @param length - how many; the range has to lie within the payload
 * @throws HoldfastError `INVALID_REPLICA`, `REPLICA_CORRUPT`
 * @throws RangeError where the range leaves the payload
 * @throws what `read` throws
 * @example
 * const name = await readReplicaRange(read, key, { id, size }, 345, 100);
 */
export async function readReplicaRange(
  read: ReadReplica,
  key: FileKey,
  expected: ExpectedReplica,
  offset: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  if (!(offset >= 0 && length >= 0 && offset + length <= expected.size)) {
    throw new RangeError(`bytes ${offset} to ${offset + length} are not within ${expected.size}`);
  }
  const { header, key: replicaKey } = await open(key, await read(0, HEADER_SIZE), expected);
  const payload = new Uint8Array(length);
  const chunk = 2 ** header.chunkLog;
  for (let index = Math.floor(offset / chunk); index * chunk < offset + length; index++) {
    const place = placeOf(header, index);
    const sealed = await read(place.offset, place.length);
    if (sealed.length !== place.length) throw corrupt(`${sealed.length} bytes came for chunk ${index}`);
    const opened = await unseal(replicaKey, place, new Uint8Array(sealed));
    const from = Math.max(0, offset - index * chunk);
    payload.set(opened.subarray(from, offset + length - index * chunk), Math.max(0, index * chunk - offset));
  }
  return payload;
}

async function open(key: FileKey, encoded: Uint8Array, expected: ExpectedReplica) {
  const header = decodeHeader(encoded);
  if (!sameBytes(header.id, expected.id)) throw corrupt("it has another replica's id");
  if (header.size !== expected.size) throw corrupt(`it holds ${header.size} bytes, not ${expected.size}`);
  return { header, key: await key.replicaKey(header) };
}
