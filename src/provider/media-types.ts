import { LRUCache } from "lru-cache";
import { readStream } from "../piece/index.js";
import type { PieceStore } from "../store/index.js";
import { SNIFFED_BYTES, sniff, UNKNOWN_TYPE } from "./sniff.js";

/** What pieces are, each looked at once: under a CID, bytes never change. */
export class MediaTypes {
  readonly #store: Pick<PieceStore, "read">;
  readonly #known = new LRUCache<string, string>({ max: 10_000 });

  constructor(store: Pick<PieceStore, "read">) {
    this.#store = store;
  }

  /** The media type of a piece of `size` bytes. One that can't be read is of none: that is told where it is sent. */
  async of(cid: string, size: number): Promise<string> {
    const known = this.#known.get(cid);
    if (known !== undefined) return known;
    const head = await this.#headOf(cid, size);
    if (head === undefined) return UNKNOWN_TYPE;
    const type = sniff(head);
    this.#known.set(cid, type);
    return type;
  }

  async #headOf(cid: string, size: number): Promise<Uint8Array | undefined> {
    const head: Uint8Array[] = [];
    try {
      const stream = await this.#store.read(cid, 0, Math.min(SNIFFED_BYTES, size));
      for await (const chunk of readStream(stream)) head.push(chunk);
      return Buffer.concat(head);
    } catch {
      return undefined;
    }
  }
}
