import { createHash } from "node:crypto";
import type { CID } from "multiformats/cid";
import type { Logger } from "pino";
import { HoldfastError } from "../../errors.js";
import { readStream } from "../../piece/index.js";
import type { PieceStore } from "../types.js";
import type { BlockIndex, BlockPlace } from "./types.js";

const IDENTITY = 0x00;
const SHA2_256 = 0x12;
const DIGEST_BYTES = 32;

export interface BlockReaderOptions {
  readonly store: Pick<PieceStore, "read">;
  readonly index: BlockIndex;
  readonly logger: Logger;
}

/** The blocks of a store's pieces, by CID. None is handed out that does not hash to its CID. */
export class BlockReader {
  readonly #store: BlockReaderOptions["store"];
  readonly #index: BlockIndex;
  readonly #logger: Logger;
  /** The piece that had the last block, and most likely has the next. */
  #near: string | undefined;

  constructor({ store, index, logger }: BlockReaderOptions) {
    this.#store = store;
    this.#index = index;
    this.#logger = logger;
  }

  /**
   * One block, whose hash was checked. Where a copy is damaged, the next is taken. A CID that holds its bytes itself needs none.
   *
   * @returns undefined where no piece holds it; CIDs by another hash function than SHA-256 are none's
   */
  async get({ multihash: { code, digest } }: CID): Promise<Uint8Array | undefined> {
    if (code === IDENTITY) return digest;
    if (code !== SHA2_256 || digest.length !== DIGEST_BYTES) return undefined;
    for await (const place of this.#index.find(digest, this.#near)) {
      const bytes = await this.#read(place);
      if (bytes && createHash("sha256").update(bytes).digest().equals(digest)) {
        this.#near = place.pieceCid;
        return bytes;
      }
      if (bytes) this.#logger.error({ ...place }, "a block is damaged on disk");
    }
    return undefined;
  }

  /** Whether a piece is known to hold the block. Nothing is read but the index. */
  async has({ multihash: { code, digest } }: CID): Promise<boolean> {
    if (code === IDENTITY) return true;
    if (code !== SHA2_256 || digest.length !== DIGEST_BYTES) return false;
    for await (const _ of this.#index.find(digest)) return true;
    return false;
  }

  /** Undefined where the piece is gone, or has lost bytes. */
  async #read({ pieceCid, offset, length }: BlockPlace): Promise<Buffer | undefined> {
    try {
      const chunks: Uint8Array[] = [];
      for await (const chunk of readStream(await this.#store.read(pieceCid, offset, offset + length)))
        chunks.push(chunk);
      return Buffer.concat(chunks);
    } catch (error) {
      // A piece may be removed between any two steps. A bucket that does not answer says nothing of what is in it.
      if (!(error instanceof HoldfastError) || error.code.startsWith("BLOBS_")) throw error;
      this.#logger.warn({ code: error.code, pieceCid }, "a block can't be read");
      return undefined;
    }
  }
}
