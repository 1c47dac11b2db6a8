/**
 * The blocks that answers are made of, in memory that does not grow with those who ask: a peer that is slow holds a slice of
 * its block, and the rest is read again if it had to go meanwhile.
 *
 * @packageDocumentation
 */
import { LRUCache } from "lru-cache";
import type { CID } from "multiformats/cid";
import { HoldfastError } from "../../errors.js";
import { Slots } from "../../store/blobs/slots.js";
import type { BlockReader } from "../../store/index.js";

/** Blocks that are being sent: 32 MiB of them, so many however small. */
const MAX_BYTES = 32 << 20;
const MAX_BLOCKS = 1_024;
/** Blocks that are read at the same time: none of them waits for a peer. */
const MAX_READS = 16;
/** What a peer that takes nothing keeps in memory. */
const SLICE_BYTES = 128 << 10;

export class HeldBlocks {
  readonly #blocks: Pick<BlockReader, "get">;
  readonly #held = new LRUCache<string, Uint8Array>({
    max: MAX_BLOCKS,
    maxSize: MAX_BYTES,
    sizeCalculation: ({ length }) => Math.max(1, length),
  });
  readonly #reads = new Slots(MAX_READS);

  constructor(blocks: Pick<BlockReader, "get">) {
    this.#blocks = blocks;
  }

  /** A block as it is now on disk, with its hash checked; undefined where it is not here. */
  async get(cid: CID): Promise<Uint8Array | undefined> {
    const bytes = await this.#reads.run(() => this.#blocks.get(cid));
    if (bytes) this.#held.set(keyOf(cid), bytes);
    return bytes;
  }

  /** A block that an answer under way has had before. @throws HoldfastError `BLOCK_MISSING` where it is gone since */
  async again(cid: CID): Promise<Uint8Array> {
    const bytes = this.#held.get(keyOf(cid)) ?? (await this.get(cid));
    if (bytes) return bytes;
    throw new HoldfastError("BLOCK_MISSING", `the block ${cid} is not here`, "ask another provider");
  }

  /** Bytes `start` up to and without `end` of such a block, in slices of their own memory. @throws HoldfastError `BLOCK_MISSING` */
  async *slices(cid: CID, start: number, end: number): AsyncGenerator<Uint8Array> {
    for (let at = start; at < end; at += SLICE_BYTES) yield await this.#slice(cid, at, Math.min(at + SLICE_BYTES, end));
  }

  /** A copy: a part would keep the whole in memory. */
  async #slice(cid: CID, start: number, end: number): Promise<Uint8Array> {
    return new Uint8Array((await this.again(cid)).subarray(start, end));
  }
}

function keyOf({ multihash: { bytes } }: CID): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}
