import { join } from "node:path";
import type { Logger } from "pino";
import { Mutex } from "../chain/mutex.js";
import { HoldfastError } from "../errors.js";
import { type Commitment, type ReadPayloadRange, readStream, type TreeLayer } from "../piece/index.js";
import { type BlobStore, FileBlobs } from "./blobs/index.js";
import type { UploadPaths } from "./partial.js";
import { Layers } from "./pieces/layers.js";
import { type Lease, withLease } from "./pieces/leases.js";
import { MemoryPieceIndex } from "./pieces/memory-index.js";
import { blocksBlob, layerBlob, leaseName, nameOf, payloadBlob, readCid } from "./pieces/names.js";
import { mend, reconcile } from "./pieces/reconcile.js";
import { Seen } from "./pieces/seen.js";
import type { IndexedPiece, PieceIndex } from "./pieces/types.js";
import type { AppendOptions, FoundPiece, PieceWatcher, UploadInfo, WatchedStore } from "./types.js";
import { Uploads, type UploadsOptions } from "./uploads.js";

export interface PieceStoreOptions extends UploadsOptions {
  /** Where the bytes of whole pieces live; in the same folder by default. */
  readonly blobs?: BlobStore;
  /** What is known of them; in memory by default, where it is found out again at each start. */
  readonly index?: PieceIndex;
  readonly logger?: Logger;
}

/** How often leftovers in the blob store are looked for, in milliseconds. */
const SWEEP_MS = 3_600_000;

/**
 * Pieces as blobs, `pieces/<PieceCID>.piece` with its `.layer` beside it where that is large, an index of them, and a local
 * folder for what is still arriving. A piece is here when its blob is whole and the index has it; the blob comes first, and the
 * index forgets it first. One process a folder; several may share blobs and index.
 *
 * @example
 * const store = await BlobPieceStore.open("data", { blobs, index });
 * const id = await store.beginUpload();
 * await store.writeUpload(id, createReadStream("video.mp4"), 1 << 30);
 * await store.finishUpload(id, pieceCid);
 */
export class BlobPieceStore implements WatchedStore {
  readonly #uploads: Uploads;
  readonly #blobs: BlobStore;
  readonly #index: PieceIndex;
  readonly #layers: Layers;
  readonly #logger: Logger | undefined;
  readonly #stop = new AbortController();
  /** Whoever moves a piece in this process does so in the order of asking; against other processes there is a lease. */
  readonly #moves = new Map<string, { readonly mutex: Mutex; users: number }>();
  /** Pieces that are on their way into the blob store, by the uploads that they came by. */
  readonly #coming = new Map<string, string>();
  #mending: Promise<void> = Promise.resolve();
  #sweptAt = performance.now();
  readonly #seen = new Seen();
  #watcher: PieceWatcher | undefined;

  private constructor(uploads: Uploads, blobs: BlobStore, index: PieceIndex, logger: Logger | undefined) {
    this.#uploads = uploads;
    this.#blobs = blobs;
    this.#index = index;
    this.#layers = new Layers(blobs, index);
    this.#logger = logger;
  }

  /**
   * Opens the store, makes the folder where there is none, and brings the index in line with the blobs that are there.
   * Leftovers of an earlier process are deleted.
   *
   * @param dir - uploads are in its folder `uploads`, which is this store's alone until it is closed
   * @throws HoldfastError `FOLDER_IN_USE` where another process, or another store of this one, has it
   * @throws what the file system, the blob store and the index throw
   */
  static async open(dir: string, options: PieceStoreOptions = {}): Promise<BlobPieceStore> {
    const { blobs = new FileBlobs(dir), index = new MemoryPieceIndex(), logger, ...rest } = options;
    const uploads = await Uploads.open(join(dir, "uploads"), rest);
    const store = new BlobPieceStore(uploads, blobs, index, logger);
    try {
      await store.#sweep();
      const busy = await reconcile(blobs, index, logger);
      // What another process is busy with, or was when it died, has to wait until it is not.
      store.#mending = store.#mend(busy);
      return store;
    } catch (error) {
      await uploads.close();
      throw error;
    }
  }

  /** Stops what goes on in the background, and gives the folder back. */
  async close(): Promise<void> {
    this.#stop.abort(new HoldfastError("STOPPED", "the store was closed", "ask again when it is back"));
    await this.#mending;
    await this.#uploads.close();
  }

  watch(watcher: PieceWatcher): void {
    this.#watcher = watcher;
  }

  beginUpload(owner?: string): Promise<string> {
    return this.#uploads.begin(owner);
  }

  appendUpload(id: string, body: AsyncIterable<Uint8Array>, options: AppendOptions): Promise<Commitment | undefined> {
    return this.#uploads.append(id, body, options);
  }

  uploadProgress(id: string): { size: number; complete: boolean } {
    return this.#uploads.progressOf(id);
  }

  arrived(id: string): Commitment {
    return this.#uploads.arrivalOf(id).commitment;
  }

  uploads(): UploadInfo[] {
    return this.#uploads.list();
  }

  settled(): Promise<void> {
    return this.#uploads.settled();
  }

  async expireUploads(): Promise<void> {
    await this.#uploads.expire();
    if (performance.now() - this.#sweptAt < SWEEP_MS) return;
    this.#sweptAt = performance.now();
    await this.#sweep();
  }

  writeUpload(id: string, body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Commitment> {
    return this.#uploads.write(id, body, maxBytes);
  }

  async finishUpload(id: string, pieceCid: string): Promise<void> {
    const expected = readCid(pieceCid).pieceCid;
    const { commitment, paths } = this.#uploads.arrivalOf(id);
    const name = nameOf(commitment);
    if (name !== expected) {
      await this.#uploads.discard(id);
      throw new HoldfastError(
        "PIECE_MISMATCH",
        `the uploaded bytes are ${name}, not ${expected}`,
        "check the file and the CID, then upload again",
      );
    }
    const upload = this.#uploads.take(id);
    this.#coming.set(id, name);
    try {
      await this.#move(name, (lease) => this.#moveIn(name, paths, lease));
    } catch (error) {
      if (isPassing(error)) upload.putBack();
      else await upload.remove();
      throw error;
    } finally {
      this.#coming.delete(id);
    }
    await upload.remove();
  }

  isComing(pieceCid: string): boolean {
    return [...this.#coming.values()].includes(pieceCid);
  }

  /** The layer first: a piece that can be seen can be proven. */
  async #moveIn(name: string, { payload, layer }: UploadPaths, lease: Lease): Promise<void> {
    const piece = await this.#layers.take(name, layer, lease.signal);
    lease.check();
    await this.#takePayload(name, payload, lease.signal);
    await this.#index.put(piece, lease);
    this.#watcher?.taken(name);
  }

  /** What is here whole stays: others may have deals on it, and nothing that comes now is better. */
  async #takePayload(name: string, path: string, signal: AbortSignal): Promise<void> {
    if (await this.#isWhole(readCid(name))) return;
    try {
      await this.#blobs.take(payloadBlob(name), path, signal);
    } catch (error) {
      // An earlier try came as far as this, and failed at the index.
      const isGone = (error as NodeJS.ErrnoException).code === "ENOENT";
      if (!isGone || !(await this.#isWhole(readCid(name)))) throw error;
    }
  }

  discardUpload(id: string): Promise<void> {
    return this.#uploads.discard(id);
  }

  remove(pieceCid: string, freeAt?: number): Promise<boolean> {
    const name = readCid(pieceCid).pieceCid;
    return this.#move(name, async (lease) => {
      if (!(await this.#index.drop(name, lease, freeAt))) return false;
      this.#seen.forget(name);
      // The payload first: a layer alone is no piece.
      for (const blob of [payloadBlob(name), layerBlob(name), blocksBlob(name)]) {
        lease.check();
        await this.#blobs.delete(blob, lease.signal);
      }
      await this.#watcher?.removed(name);
      return true;
    });
  }

  async find(pieceCid: string, maxAgeMs = 0): Promise<FoundPiece | undefined> {
    const piece = readCid(pieceCid);
    const isKnown = this.#seen.isFresh(piece.pieceCid, maxAgeMs) || this.#isIndexed(piece.pieceCid);
    const [known, isWhole] = await Promise.all([isKnown, this.#isWhole(piece)]);
    return known && isWhole ? piece : undefined;
  }

  async #isIndexed(name: string): Promise<boolean> {
    const asked = performance.now();
    if ((await this.#index.get(name)) === undefined) return false;
    this.#seen.note(name, asked);
    return true;
  }

  async read(pieceCid: string, start: number, end: number): Promise<ReadableStream<Uint8Array>> {
    const { pieceCid: name, payloadSize } = readCid(pieceCid);
    const opened = await this.#blobs.open(payloadBlob(name), start, Math.max(start, end));
    if (opened && BigInt(opened.size) === payloadSize) return opened.bytes;
    await opened?.bytes.cancel();
    throw unknown(pieceCid);
  }

  async *chunks(pieceCid: string, start: number, end: number): AsyncGenerator<Uint8Array> {
    const blob = payloadBlob(readCid(pieceCid).pieceCid);
    if (this.#blobs.chunks === undefined) {
      yield* readStream(await this.read(pieceCid, start, end));
      return;
    }
    try {
      yield* this.#blobs.chunks(blob, start, end);
    } catch (error) {
      throw error instanceof HoldfastError && error.code === "BLOB_MISSING" ? unknown(pieceCid) : error;
    }
  }

  async list(): Promise<string[]> {
    return (await this.#index.list()).map(({ pieceCid }) => pieceCid);
  }

  async findTree(root: Uint8Array, leafCount: bigint): Promise<FoundPiece | undefined> {
    return this.#firstWhole(await this.#index.ofTree({ root, leafCount }));
  }

  async promise(root: Uint8Array, leafCount: bigint, until: bigint): Promise<FoundPiece | undefined> {
    return this.#firstWhole(await this.#index.promise({ root, leafCount }, until));
  }

  async open(root: Uint8Array, leafCount: bigint): Promise<{ layer: TreeLayer; read: ReadPayloadRange } | undefined> {
    for (const piece of await this.#index.ofTree({ root, leafCount })) {
      const found = readCid(piece.pieceCid);
      const { pieceCid, ...commitment } = found;
      // Both at once: each may be a question to a bucket.
      const asked = [this.#isWhole(found), this.#layers.kept(piece, commitment)] as const;
      const [isWhole, layer] = await Promise.all(asked);
      if (!isWhole) continue;
      return {
        layer: layer ?? (await this.#layers.rebuild(pieceCid)),
        read: (offset, length) => this.#readRange(pieceCid, offset, length),
      };
    }
    return undefined;
  }

  async #firstWhole(pieces: readonly IndexedPiece[]): Promise<FoundPiece | undefined> {
    for (const { pieceCid } of pieces) {
      const piece = readCid(pieceCid);
      if (await this.#isWhole(piece)) return piece;
    }
    return undefined;
  }

  async #isWhole({ pieceCid, payloadSize }: FoundPiece): Promise<boolean> {
    const size = await this.#blobs.size(payloadBlob(pieceCid));
    return size !== undefined && BigInt(size) === payloadSize;
  }

  async #readRange(name: string, offset: number, length: number): Promise<Uint8Array> {
    const bytes = await this.#blobs.read(payloadBlob(name), offset, length);
    if (bytes) return bytes;
    throw new HoldfastError("UNKNOWN_PIECE", `piece ${name} is not here any more`, "upload it again");
  }

  /** Does something to a piece that nobody else does something to at the same time. */
  async #move<T>(name: string, act: (lease: Lease) => Promise<T>): Promise<T> {
    const entry = this.#moves.get(name) ?? { mutex: new Mutex(), users: 0 };
    this.#moves.set(name, entry);
    entry.users++;
    try {
      return await entry.mutex.run(() => withLease(this.#index, leaseName(name), act, this.#stop.signal));
    } finally {
      if (--entry.users === 0) this.#moves.delete(name);
    }
  }

  async #mend(names: readonly string[]): Promise<void> {
    const [blobs, index] = [this.#blobs, this.#index];
    try {
      for (const name of names) {
        const found = await withLease(
          index,
          leaseName(name),
          (lease) => mend(blobs, index, name, lease),
          this.#stop.signal,
        );
        if (found !== undefined)
          this.#logger?.warn({ pieceCid: name, found }, "piece that was busy at the start is mended");
      }
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#logger?.error({ err: error }, "the index can't be brought in line");
    }
  }

  /** Leftovers do no harm: what can't be cleared away now is the next time. */
  async #sweep(): Promise<void> {
    await this.#blobs.sweep().catch((error: unknown) => {
      this.#logger?.warn({ err: error, blobs: this.#blobs.where }, "leftovers can't be cleared away");
    });
  }
}

function unknown(pieceCid: string): HoldfastError {
  return new HoldfastError("UNKNOWN_PIECE", `piece ${pieceCid} is not here`, "ask another provider");
}

/** What another try may get over: the sender does not have to send it all again. */
function isPassing(error: unknown): boolean {
  return !(error instanceof HoldfastError) || error.code !== "DISK_FULL";
}
