import { readBlockHead, readHeader } from "@ipld/car/decoder";
import { sha256 } from "multiformats/hashes/sha2";
import { sameBytes } from "../bytes.js";
import { malformedCar } from "./faults.js";

/** A block of a CAR, found to be what its CID says. */
export interface FoundBlock {
  /** SHA-256 of its bytes. */
  readonly digest: Uint8Array;
  /** Where its bytes begin in the CAR. */
  readonly offset: number;
  /** In bytes. */
  readonly length: number;
}

/** The longest header or CID that is taken. */
const MAX_HEAD_BYTES = 64 << 10;

/**
 * Goes through bytes that may be a CARv1 and tells of each block whose hash is right, in their order, a block named twice
 * twice. What is wrong is passed over: blocks with other bytes than their CID, larger than `maxBlockBytes`, or by another hash
 * function than SHA-256. Where the bytes stop being a CAR, or never were one, it ends.
 *
 * In memory there is one block and one chunk.
 *
 * @param chunks - not changed after they were given out
 * @throws what `chunks` throws, and nothing else
 * @example
 * for await (const { digest, offset, length } of scanCar(stream, 2 << 20)) note(digest, offset, length);
 */
export async function* scanCar(chunks: AsyncIterable<Uint8Array>, maxBlockBytes: number): AsyncGenerator<FoundBlock> {
  const reader = new StreamReader(chunks);
  try {
    if (!(await reader.attempt(() => readHeader(reader, 1)))) return;
    while ((await reader.upTo(1)).length > 0) {
      const head = await reader.attempt(() => readBlockHead(reader));
      // A length below the CID's own would have sections lie in each other.
      if (!head || head.blockLength < 0) return;
      const { cid, blockLength: length } = head;
      const offset = reader.pos;
      const { code, digest } = cid.multihash;
      if (code === sha256.code && length <= maxBlockBytes) {
        const bytes = await reader.upTo(length);
        if (bytes.length < length) return;
        if (sameBytes((await sha256.digest(bytes)).digest, digest)) yield { digest, offset, length };
      }
      reader.seek(length);
    }
  } finally {
    await reader.close();
  }
}

/** What the CAR decoder reads from, over bytes that come one after the other. */
class StreamReader {
  pos = 0;
  readonly #chunks: AsyncIterator<Uint8Array>;
  /** What the source threw, to tell it from what the decoder throws. */
  readonly #failures = new Set<unknown>();
  #bytes = new Uint8Array();
  /** Bytes that are still to be passed over. */
  #skip = 0;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** What the decoder makes of the next bytes; undefined where it makes nothing of them. */
  async attempt<T>(decode: () => Promise<T>): Promise<T | undefined> {
    try {
      return await decode();
    } catch (error) {
      if (this.#failures.has(error)) throw error;
      return undefined;
    }
  }

  seek(length: number): void {
    const here = Math.min(length, this.#bytes.length);
    this.#bytes = this.#bytes.subarray(here);
    this.#skip += length - here;
    this.pos += length;
  }

  async upTo(length: number): Promise<Uint8Array> {
    if (this.#bytes.length < length) await this.#fill(length);
    return this.#bytes.subarray(0, length);
  }

  async exactly(length: number, seek = false): Promise<Uint8Array> {
    if (length > MAX_HEAD_BYTES) throw malformedCar(`a header or CID has ${length} bytes`);
    const bytes = await this.upTo(length);
    if (bytes.length < length) throw malformedCar(`it ends at byte ${this.pos + bytes.length}`);
    if (seek) this.seek(length);
    return bytes;
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #fill(length: number): Promise<void> {
    const parts: Uint8Array[] = [this.#bytes];
    for (let filled = this.#bytes.length; filled < length; ) {
      const chunk = await this.#next();
      if (!chunk) break;
      const passed = Math.min(this.#skip, chunk.length);
      this.#skip -= passed;
      parts.push(chunk.subarray(passed));
      filled += chunk.length - passed;
    }
    this.#bytes = joined(parts);
  }

  async #next(): Promise<Uint8Array | undefined> {
    try {
      const { done, value } = await this.#chunks.next();
      return done ? undefined : value;
    } catch (error) {
      this.#failures.add(error);
      throw error;
    }
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
