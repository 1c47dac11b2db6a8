import { readBlockHead, readHeader } from "@ipld/car/decoder";
import type { CID } from "multiformats/cid";
import { sha256 } from "multiformats/hashes/sha2";
import { HoldfastError } from "../../errors.js";
import { sameBytes } from "../bytes.js";
import type { ReadPayloadRange } from "../proof.js";
import { malformedCar, unsupported } from "./faults.js";

/** A CAR whose bytes can be read anywhere. */
export interface CarSource {
  /** In bytes. */
  readonly size: number;
  readonly read: ReadPayloadRange;
}

/** A larger block than any that IPFS tools exchange, twice over: what one is read into memory for. */
export const MAX_BLOCK_BYTES = 4 << 20;

/** Blocks that an index may hold: with 1 MiB each, 4 TiB. It takes some 200 bytes of memory for each. */
const MAX_BLOCKS = 1 << 22;

/** Read at once, and the longest header or CID that is taken. */
const WINDOW_BYTES = 64 << 10;

/** The blocks of a CARv1, by CID. None is handed out that does not hash to its CID. */
export class CarBlocks {
  readonly root: CID;
  /** Where the first block begins, after the header. */
  readonly bodyAt: number;
  readonly #source: CarSource;
  readonly #places = new Map<string, { readonly offset: number; readonly length: number }>();

  private constructor(source: CarSource, root: CID, bodyAt: number) {
    this.#source = source;
    this.root = root;
    this.bodyAt = bodyAt;
  }

  /**
   * Reads where each block lies, not the blocks themselves.
   *
   * @throws HoldfastError `CAR_MALFORMED`; what `source` throws
   */
  static async open(source: CarSource): Promise<CarBlocks> {
    const window = new Window(source);
    try {
      const { roots } = await readHeader(window, 1);
      const [root] = roots;
      if (!root || roots.length > 1) throw malformedCar(`it has ${roots.length} roots instead of one`);
      const blocks = new CarBlocks(source, root, window.pos);
      while (window.pos < source.size) await blocks.#locate(window);
      return blocks;
    } catch (error) {
      if (error instanceof HoldfastError || window.failures.has(error)) throw error;
      throw malformedCar(error instanceof Error ? error.message : String(error), error);
    }
  }

  get size(): number {
    return this.#source.size;
  }

  /** CIDs of all blocks, as strings. */
  get cids(): Iterable<string> {
    return this.#places.keys();
  }

  /**
   * One block, whose hash was checked.
   *
   * @throws HoldfastError `BLOCK_MISSING`, `BLOCK_CORRUPT`, `CAR_UNSUPPORTED`, `CAR_MALFORMED` where the source ends early
   */
  async get(cid: CID): Promise<Uint8Array> {
    const place = this.#places.get(cid.toString());
    if (!place) {
      throw new HoldfastError("BLOCK_MISSING", `the block ${cid} is not in the CAR`, "ask whoever packed it");
    }
    if (cid.multihash.code !== sha256.code) throw unsupported(`the hash function of ${cid}`);
    const bytes = await this.read(place.offset, place.length);
    const digest = await sha256.digest(bytes);
    if (!sameBytes(digest.digest, cid.multihash.digest)) {
      throw new HoldfastError("BLOCK_CORRUPT", `the block ${cid} has other bytes than its CID`, "fetch the piece anew");
    }
    return bytes;
  }

  /** Bytes of the CAR itself. @throws HoldfastError `CAR_MALFORMED` where it ends before them */
  async read(offset: number, length: number): Promise<Uint8Array> {
    const bytes = await this.#source.read(offset, length);
    if (bytes.length !== length) throw malformedCar(`it ends before byte ${offset + length}`);
    return bytes;
  }

  async #locate(window: Window): Promise<void> {
    const at = window.pos;
    const { cid, blockLength } = await readBlockHead(window);
    // A length below the CID's own would have sections lie in each other.
    if (blockLength < 0 || blockLength > MAX_BLOCK_BYTES || window.pos + blockLength > this.#source.size) {
      throw malformedCar(`the section at byte ${at} has an impossible length`);
    }
    const key = cid.toString();
    if (!this.#places.has(key)) this.#places.set(key, { offset: window.pos, length: blockLength });
    if (this.#places.size > MAX_BLOCKS) throw malformedCar(`it has more than ${MAX_BLOCKS} blocks`);
    window.seek(blockLength);
  }
}

/** What the CAR decoder reads from: a part of the source at a time, with jumps over what it skips. */
class Window {
  /** What the source threw, to tell it from what the decoder throws. */
  readonly failures = new Set<unknown>();
  pos = 0;
  readonly #source: CarSource;
  #start = 0;
  #bytes = new Uint8Array();

  constructor(source: CarSource) {
    this.#source = source;
  }

  seek(length: number): void {
    this.pos += length;
  }

  async upTo(length: number): Promise<Uint8Array> {
    const wanted = Math.min(length, Math.max(0, this.#source.size - this.pos));
    if (this.pos < this.#start || this.pos + wanted > this.#start + this.#bytes.length) await this.#fill();
    const from = this.pos - this.#start;
    return this.#bytes.subarray(from, from + wanted);
  }

  async exactly(length: number, seek = false): Promise<Uint8Array> {
    const bytes = await this.upTo(length);
    if (bytes.length < length) throw malformedCar(`there are no ${length} bytes of a header at byte ${this.pos}`);
    if (seek) this.seek(length);
    return bytes;
  }

  async #fill(): Promise<void> {
    try {
      const length = Math.min(WINDOW_BYTES, this.#source.size - this.pos);
      this.#bytes = new Uint8Array(await this.#source.read(this.pos, length));
      this.#start = this.pos;
    } catch (error) {
      this.failures.add(error);
      throw error;
    }
  }
}
