import { randomUUID } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ReadableStream as WebStream } from "node:stream/web";
import { Mutex } from "../chain/mutex.js";
import { HoldfastError } from "../errors.js";
import { readFileChunks, readFileRange } from "../piece/file-node.js";
import {
  type Commitment,
  commitWithLayer,
  decodePieceCid,
  encodePieceCid,
  type ReadPayloadRange,
  TreeLayer,
} from "../piece/index.js";
import { readChunks } from "./chunk-reader.js";
import { OpenFiles } from "./open-files.js";
import { removeUpload, type UploadPaths } from "./partial.js";
import { syncFolder } from "./sync-folder.js";
import type { AppendOptions, PieceWatcher, UploadInfo, WatchedStore } from "./types.js";
import { Uploads, type UploadsOptions } from "./uploads.js";

const PAYLOAD = ".piece";
const LAYER = ".layer";
const PART = ".part";
const READ_SIZE = 256 * 1024;

/**
 * Pieces in a folder: `pieces/<PieceCID>.piece` with its `.layer` beside it, and `uploads/` for what is still arriving.
 * A piece appears under its name only when it is whole, on disk, and hashes to that name. One process a folder.
 *
 * @example
 * const store = await FilePieceStore.open("data");
 * const id = await store.beginUpload();
 * await store.writeUpload(id, createReadStream("video.mp4"), 1 << 30);
 * await store.finishUpload(id, pieceCid);
 */
export class FilePieceStore implements WatchedStore {
  readonly #pieces: string;
  readonly #uploads: Uploads;
  /** CIDs by the identity that deals know a piece by. Payloads that differ in zeros at their end can share one. */
  readonly #names = new Map<string, Set<string>>();
  /** A piece that is being deleted and comes again meanwhile is here in the end. */
  readonly #moves = new Mutex();
  readonly #open = new OpenFiles();
  #watcher: PieceWatcher | undefined;

  private constructor(pieces: string, uploads: Uploads) {
    this.#pieces = pieces;
    this.#uploads = uploads;
  }

  /**
   * Opens the store in `dir`, and makes the folder where there is none. Leftovers of an earlier process are deleted.
   *
   * @throws what the file system throws
   */
  static async open(dir: string, options: UploadsOptions = {}): Promise<FilePieceStore> {
    const pieces = join(dir, "pieces");
    await mkdir(pieces, { recursive: true });
    const store = new FilePieceStore(pieces, await Uploads.open(join(dir, "uploads"), options));
    const files = await readdir(pieces);
    await Promise.all(files.filter((file) => file.endsWith(PART)).map((file) => rm(join(pieces, file))));
    for (const name of await store.list()) store.#index(name);
    return store;
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

  expireUploads(): Promise<void> {
    return this.#uploads.expire();
  }

  writeUpload(id: string, body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Commitment> {
    return this.#uploads.write(id, body, maxBytes);
  }

  async finishUpload(id: string, pieceCid: string): Promise<void> {
    const expected = nameOf(decodePieceCid(pieceCid));
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
    this.#uploads.take(id);
    try {
      await this.#moves.run(() => this.#moveIn(name, paths));
    } finally {
      await removeUpload(paths);
    }
  }

  /** The layer first: a piece that can be seen can be proven. Where it was here already, it is replaced by itself. */
  async #moveIn(name: string, { payload, layer }: UploadPaths): Promise<void> {
    await rename(layer, this.#path(name, LAYER));
    await rename(payload, this.#path(name, PAYLOAD));
    await syncFolder(this.#pieces);
    this.#index(name);
    this.#watcher?.taken(name);
  }

  discardUpload(id: string): Promise<void> {
    return this.#uploads.discard(id);
  }

  async remove(pieceCid: string): Promise<void> {
    const commitment = decodePieceCid(pieceCid);
    const name = nameOf(commitment);
    await this.#moves.run(async () => {
      this.#names.get(keyOf(commitment.root, commitment.leafCount))?.delete(name);
      this.#open.forget(this.#path(name, PAYLOAD));
      // The payload first: a layer alone is no piece.
      for (const suffix of [PAYLOAD, LAYER]) await rm(this.#path(name, suffix), { force: true });
      await this.#watcher?.removed(name);
    });
  }

  async find(pieceCid: string): Promise<Commitment | undefined> {
    const commitment = decodePieceCid(pieceCid);
    return (await this.#isWhole(commitment)) ? commitment : undefined;
  }

  async read(pieceCid: string, start: number, end: number): Promise<ReadableStream<Uint8Array>> {
    const commitment = await this.find(pieceCid);
    if (!commitment) throw unknown(pieceCid);
    const bytes = this.#chunks(nameOf(commitment), start, Math.max(start, end));
    // Node's own type and the DOM's are one class.
    return WebStream.from(bytes) as ReadableStream<Uint8Array>;
  }

  async *chunks(pieceCid: string, start: number, end: number): AsyncGenerator<Uint8Array> {
    const name = nameOf(decodePieceCid(pieceCid));
    const file = await this.#open.acquire(this.#path(name, PAYLOAD)).catch((cause: NodeJS.ErrnoException) => {
      throw cause.code === "ENOENT" ? unknown(name) : cause;
    });
    try {
      let at = start;
      for await (const chunk of readChunks(file.handle, start, end)) {
        yield chunk;
        at += chunk.length;
      }
      if (at < end) throw damaged(name, `it ends at ${at}`);
    } finally {
      this.#open.release(file);
    }
  }

  async list(): Promise<string[]> {
    const files = await readdir(this.#pieces);
    const names = files.filter((file) => file.endsWith(PAYLOAD)).map((file) => file.slice(0, -PAYLOAD.length));
    return names.filter(isName);
  }

  async findTree(root: Uint8Array, leafCount: bigint): Promise<Commitment | undefined> {
    for (const name of this.#names.get(keyOf(root, leafCount)) ?? []) {
      const commitment = decodePieceCid(name);
      if (await this.#isWhole(commitment)) return commitment;
    }
    return undefined;
  }

  async open(root: Uint8Array, leafCount: bigint): Promise<{ layer: TreeLayer; read: ReadPayloadRange } | undefined> {
    const commitment = await this.findTree(root, leafCount);
    if (!commitment) return undefined;
    const name = nameOf(commitment);
    const layer = await this.#layer(name, commitment);
    return { layer, read: (offset, length) => this.#readRange(name, offset, length) };
  }

  #index(name: string): void {
    const { root, leafCount } = decodePieceCid(name);
    const key = keyOf(root, leafCount);
    this.#names.set(key, (this.#names.get(key) ?? new Set()).add(name));
  }

  /** A name is built from a decoded commitment, never from what a peer sent. */
  #path(name: string, suffix: string): string {
    return join(this.#pieces, name + suffix);
  }

  async #isWhole(commitment: Commitment): Promise<boolean> {
    const path = this.#path(nameOf(commitment), PAYLOAD);
    const size = this.#open.sizeOf(path);
    if (size !== undefined) return BigInt(size) === commitment.payloadSize;
    const found = await stat(path).catch(() => undefined);
    return found?.isFile() === true && BigInt(found.size) === commitment.payloadSize;
  }

  /** The cached layer, or, where that is lost or damaged, one built again from the payload. */
  async #layer(name: string, commitment: Commitment): Promise<TreeLayer> {
    const path = this.#path(name, LAYER);
    try {
      return TreeLayer.decode(await readFile(path), commitment);
    } catch {
      const { commitment: actual, layer } = await commitWithLayer(readFileChunks(this.#path(name, PAYLOAD)));
      if (nameOf(actual) !== name) throw damaged(name, `its bytes are ${nameOf(actual)} now`);
      const part = `${path}.${randomUUID()}${PART}`;
      try {
        await writeFile(part, layer.encode(), { flush: true });
        await rename(part, path);
      } finally {
        await rm(part, { force: true });
      }
      return layer;
    }
  }

  async #readRange(name: string, offset: number, length: number): Promise<Uint8Array> {
    const file = await open(this.#path(name, PAYLOAD));
    try {
      return await readFileRange(file)(offset, length);
    } finally {
      await file.close();
    }
  }

  async *#chunks(name: string, start: number, end: number): AsyncGenerator<Uint8Array> {
    const file = await open(this.#path(name, PAYLOAD));
    try {
      const read = readFileRange(file);
      for (let at = start; at < end; ) {
        const wanted = Math.min(READ_SIZE, end - at);
        const chunk = await read(at, wanted);
        if (chunk.length < wanted) throw damaged(name, `it ends at ${at + chunk.length}`);
        yield chunk;
        at += chunk.length;
      }
    } finally {
      await file.close();
    }
  }
}

function nameOf(commitment: Commitment): string {
  return encodePieceCid(commitment).toString();
}

/** Files that something else put into the folder are no pieces. */
function isName(name: string): boolean {
  try {
    return nameOf(decodePieceCid(name)) === name;
  } catch {
    return false;
  }
}

function keyOf(root: Uint8Array, leafCount: bigint): string {
  return `${Buffer.from(root).toString("hex")}-${leafCount}`;
}

function unknown(name: string): HoldfastError {
  return new HoldfastError("UNKNOWN_PIECE", `piece ${name} is not here`, "ask another provider");
}

function damaged(name: string, what: string): HoldfastError {
  return new HoldfastError("PIECE_DAMAGED", `piece ${name} is damaged: ${what}`, "restore it, or check the disk");
}
