import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "pino";
import { HoldfastError } from "../../errors.js";
import type { PieceWatcher, WatchedStore } from "../types.js";
import type { DigestFilter } from "./bloom.js";
import { findRecord, type IndexSummary, readSummary, writeIndex } from "./index-file.js";
import { blocksOf } from "./piece-blocks.js";
import { SharedIndexes, type SharedIndexesOptions } from "./shared.js";
import type { BlockIndex, BlockPlace } from "./types.js";

const SUFFIX = ".blocks";

/** Memory for filters, in bytes. Indexes past it are looked into each time. */
const MAX_FILTER_BYTES = 64 << 20;

export interface FileBlockIndexOptions {
  readonly store: WatchedStore;
  readonly logger: Logger;
  /** Memory for filters, in bytes; 64 MiB by default. */
  readonly maxFilterBytes?: number;
  /** Set where other nodes have the same pieces: each is indexed by one of them, and all use that. */
  readonly sharing?: SharedIndexesOptions | undefined;
  /** Milliseconds between looks at what others did, where `sharing` is set; 5,000 by default. */
  readonly pollMs?: number;
}

const POLL_MS = 5_000;
/** Of so many looks, one is at everything: what others have deleted is forgotten. */
const LOOKS = 120;

interface Known extends Omit<IndexSummary, "filter"> {
  readonly filter: DigestFilter | undefined;
}

/**
 * An index of blocks in a folder, a file for each piece: sorted records that are searched by halving. Pieces are indexed one
 * after the other, in the background, as they come into the store, and what is missing at the start is built again. Nodes that
 * share their pieces share what they have built.
 *
 * In memory there is a small filter for each piece that holds blocks.
 *
 * @example
 * const index = await FileBlockIndex.open("data/blocks", { store, logger });
 * for await (const { pieceCid, offset, length } of index.find(digest)) …
 * await index.close();
 */
export class FileBlockIndex implements BlockIndex, PieceWatcher {
  readonly #dir: string;
  readonly #store: WatchedStore;
  readonly #logger: Logger;
  readonly #known = new Map<string, Known>();
  readonly #waiting = new Set<string>();
  /** Pieces that another node is indexing. */
  readonly #elsewhere = new Set<string>();
  /** Pieces that could not be indexed: they are tried again at the next look at everything. */
  readonly #failed = new Set<string>();
  readonly #shared: SharedIndexes | undefined;
  #polling: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #looks = 0;
  #filterBytesLeft: number;
  #current: { readonly pieceCid: string; readonly abort: AbortController; readonly done: Promise<void> } | undefined;
  #working: Promise<void> = Promise.resolve();
  #closed = false;

  private constructor(dir: string, options: FileBlockIndexOptions) {
    const { store, logger, maxFilterBytes = MAX_FILTER_BYTES, sharing } = options;
    this.#shared = sharing && new SharedIndexes(sharing);
    this.#dir = dir;
    this.#store = store;
    this.#logger = logger;
    this.#filterBytesLeft = maxFilterBytes;
  }

  /**
   * Opens the index, and makes the folder where there is none. It follows the store from here on. Leftovers, and indexes of
   * pieces that are gone, are deleted.
   *
   * @throws what the file system throws
   */
  static async open(dir: string, options: FileBlockIndexOptions): Promise<FileBlockIndex> {
    await mkdir(dir, { recursive: true });
    const index = new FileBlockIndex(dir, options);
    // First, so that no piece comes in between the two.
    options.store.watch(index);
    const pieces = new Set(await options.store.list());
    for (const file of await readdir(dir)) {
      const pieceCid = file.slice(0, -SUFFIX.length);
      if (!file.endsWith(SUFFIX) || !pieces.has(pieceCid) || !(await index.#load(pieceCid))) {
        await rm(join(dir, file), { force: true });
      }
    }
    for (const pieceCid of pieces) index.taken(pieceCid);
    if (options.sharing) index.#follow(options.pollMs ?? POLL_MS);
    return index;
  }

  async *find(digest: Uint8Array, near = ""): AsyncGenerator<BlockPlace> {
    for (const [pieceCid, known] of this.#nearFirst(near)) {
      if (known.filter?.mayHave(digest) === false) continue;
      const record = await this.#look(pieceCid, known, digest);
      if (record) yield { pieceCid, offset: record.offset, length: record.length };
    }
  }

  taken(pieceCid: string): void {
    const underWay = this.#current?.pieceCid === pieceCid && !this.#current.abort.signal.aborted;
    if (this.#closed || this.#known.has(pieceCid) || underWay) return;
    this.#waiting.add(pieceCid);
    if (this.#waiting.size === 1 && !this.#current) this.#working = this.#work();
  }

  async removed(pieceCid: string): Promise<void> {
    this.#waiting.delete(pieceCid);
    this.#elsewhere.delete(pieceCid);
    this.#forget(pieceCid);
    if (this.#current?.pieceCid === pieceCid) {
      this.#current.abort.abort();
      await this.#current.done;
    }
    // Should the piece have come again by now, its index may go as well: the next look builds it again.
    await rm(this.#path(pieceCid), { force: true });
  }

  /** Resolves when every piece that has come so far is indexed. */
  settled(): Promise<void> {
    return this.#working;
  }

  /** Stops indexing. What was not indexed will be at the next start. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#polling);
    this.#waiting.clear();
    this.#current?.abort.abort();
    await Promise.all([this.#working, this.#looking]);
  }

  /** Looks now and then at what others have taken, indexed and deleted. */
  #follow(pollMs: number): void {
    let busy = false;
    const look = async () => {
      if (busy) return;
      busy = true;
      await this.#catchUp().catch((err) => this.#logger.warn({ err }, "other nodes' pieces can't be read"));
      busy = false;
    };
    this.#polling = setInterval(() => {
      this.#looking = look();
    }, pollMs).unref();
  }

  async #catchUp(): Promise<void> {
    const again = [...this.#elsewhere];
    this.#elsewhere.clear();
    const fresh = (await this.#shared?.fresh()) ?? [];
    for (const pieceCid of [...again, ...fresh]) if (!this.#failed.has(pieceCid)) this.taken(pieceCid);
    if (++this.#looks % LOOKS !== 0) return;
    this.#failed.clear();
    const pieces = new Set(await this.#store.list());
    for (const pieceCid of this.#known.keys()) if (!pieces.has(pieceCid)) await this.removed(pieceCid);
    for (const pieceCid of pieces) this.taken(pieceCid);
  }

  *#nearFirst(near: string): Generator<[string, Known]> {
    const first = this.#known.get(near);
    if (first) yield [near, first];
    for (const entry of this.#known) if (entry[0] !== near) yield entry;
  }

  async #work(): Promise<void> {
    for (const pieceCid of this.#waiting) {
      this.#waiting.delete(pieceCid);
      const abort = new AbortController();
      const done = this.#build(pieceCid, abort.signal);
      this.#current = { pieceCid, abort, done };
      await done;
    }
    this.#current = undefined;
  }

  /** Never rejects: a piece that can't be indexed is stored all the same. */
  async #build(pieceCid: string, signal: AbortSignal): Promise<void> {
    try {
      const commitment = await this.#store.find(pieceCid);
      if (!commitment) return;
      const [path, size] = [this.#path(pieceCid), Number(commitment.payloadSize)];
      const build = (stop: AbortSignal) => writeIndex(path, blocksOf(this.#store, pieceCid, size, stop));
      const summary = await (this.#shared?.obtain(pieceCid, path, build, signal) ?? build(signal));
      if (signal.aborted) return;
      if (!summary) {
        this.#elsewhere.add(pieceCid);
        return;
      }
      this.#note(pieceCid, summary);
      this.#logger.debug({ pieceCid, blocks: summary.count }, "piece indexed");
    } catch (error) {
      // A piece that is being removed is gone before the index is told.
      if (signal.aborted || !(await this.#store.find(pieceCid).catch(() => true))) return;
      this.#failed.add(pieceCid);
      this.#logger.error({ err: error, pieceCid }, "piece can't be indexed");
    }
  }

  async #load(pieceCid: string): Promise<boolean> {
    try {
      this.#note(pieceCid, await readSummary(this.#path(pieceCid)));
      return true;
    } catch (error) {
      this.#logger.warn({ err: error, pieceCid }, "an index of blocks is built again");
      return false;
    }
  }

  #note(pieceCid: string, { filter, ...summary }: IndexSummary): void {
    const kept = filter.bytes.length <= this.#filterBytesLeft;
    if (kept) this.#filterBytesLeft -= filter.bytes.length;
    this.#known.set(pieceCid, { ...summary, filter: kept ? filter : undefined });
  }

  #forget(pieceCid: string): void {
    this.#filterBytesLeft += this.#known.get(pieceCid)?.filter?.bytes.length ?? 0;
    this.#known.delete(pieceCid);
  }

  /** A file that is lost or damaged is built again; until then the piece has no blocks. */
  async #look(pieceCid: string, known: Known, digest: Uint8Array): ReturnType<typeof findRecord> {
    try {
      return await findRecord(this.#path(pieceCid), known, digest);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (!(error instanceof HoldfastError) && code !== "ENOENT") throw error;
      if (this.#known.get(pieceCid) !== known) return undefined;
      this.#logger.warn({ code, pieceCid }, "an index of blocks is built again");
      this.#forget(pieceCid);
      this.taken(pieceCid);
      return undefined;
    }
  }

  /** A name is that of a piece in the store, never what a peer sent. */
  #path(pieceCid: string): string {
    return join(this.#dir, pieceCid + SUFFIX);
  }
}
