import { randomUUID } from "node:crypto";
import { copyFile, open, rename, rm } from "node:fs/promises";
import { readStream } from "../../piece/index.js";
import type { BlobStore } from "../blobs/index.js";
import { blocksBlob } from "../pieces/names.js";
import type { PieceIndex } from "../pieces/types.js";
import { type IndexSummary, readSummary } from "./index-file.js";

/** What nodes that share pieces share of their indexes. */
export interface SharedIndexesOptions {
  /** Where the indexes lie that any of them built. */
  readonly blobs: BlobStore;
  readonly index: PieceIndex;
}

/** Pieces that a look at what is new goes back by: numbers are given in order, but need not be seen in order. */
const OVERLAP = 256;

/** Indexes of blocks that several nodes use, each built by one of them. */
export class SharedIndexes {
  readonly #blobs: BlobStore;
  readonly #index: PieceIndex;
  #seen = -1;

  constructor({ blobs, index }: SharedIndexesOptions) {
    this.#blobs = blobs;
    this.#index = index;
  }

  /** Pieces that came since this was asked last, by whichever node, and some before them; all of them the first time. */
  async fresh(): Promise<string[]> {
    const placed = await this.#index.list(this.#seen < 0 ? undefined : this.#seen - OVERLAP);
    this.#seen = placed.at(-1)?.place ?? this.#seen;
    return placed.map(({ pieceCid }) => pieceCid);
  }

  /**
   * Puts the index of a piece at `path`: a copy of what another node has built, or else what `build` puts there, which is
   * then shared.
   *
   * @returns undefined where another node is building it at this moment
   * @throws what `build` and the stores throw
   */
  async obtain(
    pieceCid: string,
    path: string,
    build: (signal: AbortSignal) => Promise<IndexSummary>,
    signal: AbortSignal,
  ): Promise<IndexSummary | undefined> {
    const built = await this.#fetch(pieceCid, path, signal);
    if (built) return built;
    const lease = await this.#index.lease(`blocks ${pieceCid}`);
    if (!lease) return undefined;
    try {
      // Whoever had the lease until now may have built it.
      const late = await this.#fetch(pieceCid, path, signal);
      if (late) return late;
      const summary = await build(AbortSignal.any([signal, lease.signal]));
      await this.#share(pieceCid, path, signal);
      return summary;
    } finally {
      await lease.release();
    }
  }

  /** Undefined where there is none, or none that can be used. */
  async #fetch(pieceCid: string, path: string, signal: AbortSignal): Promise<IndexSummary | undefined> {
    const opened = await this.#blobs.open(blocksBlob(pieceCid), 0, Number.MAX_SAFE_INTEGER, signal);
    if (!opened) return undefined;
    const part = `${path}.${randomUUID()}.part`;
    try {
      await written(opened.bytes, part);
      const summary = await readSummary(part);
      await rename(part, path);
      return summary;
    } catch (error) {
      signal.throwIfAborted();
      if ((error as { code?: unknown }).code !== "INDEX_DAMAGED") throw error;
      return undefined;
    } finally {
      await rm(part, { force: true });
    }
  }

  async #share(pieceCid: string, path: string, signal: AbortSignal): Promise<void> {
    const part = `${path}.${randomUUID()}.part`;
    try {
      await copyFile(path, part);
      await this.#blobs.take(blocksBlob(pieceCid), part, signal);
    } finally {
      await rm(part, { force: true });
    }
    // A piece that was deleted meanwhile took along what was shared by then.
    if (!(await this.#index.get(pieceCid))) await this.#blobs.delete(blocksBlob(pieceCid));
  }
}

async function written(bytes: ReadableStream<Uint8Array>, path: string): Promise<void> {
  const file = await open(path, "wx");
  try {
    for await (const chunk of readStream(bytes)) {
      for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
    }
  } finally {
    await file.close();
  }
}
