import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { HoldfastError } from "../errors.js";
import { readFileRange } from "../piece/file-node.js";
import {
  type Commitment,
  DEFAULT_LAYER_LEVEL,
  decodePieceCid,
  encodePieceCid,
  PieceHasher,
  type ReadPayloadRange,
  TreeLayer,
} from "../piece/index.js";
import type { PieceStore } from "./types.js";

interface Upload {
  state: "open" | "writing" | "written";
  commitment?: Commitment;
}

const PAYLOAD = ".piece";
const LAYER = ".layer";

/**
 * Pieces in a folder: `pieces/<PieceCID>.piece` with its `.layer` beside it, and `uploads/` for what is still arriving.
 * A piece appears under its name only when it is whole, on disk, and hashes to that name.
 *
 * Uploads do not outlive the process; what an earlier one left in `uploads/` is deleted at the start.
 */
export class FilePieceStore implements PieceStore {
  readonly #pieces: string;
  readonly #uploads: string;
  readonly #open = new Map<string, Upload>();
  /** Names by root and leafCount, the identity that deals know a piece by. */
  readonly #names = new Map<string, string>();

  private constructor(dir: string) {
    this.#pieces = join(dir, "pieces");
    this.#uploads = join(dir, "uploads");
  }

  /** Opens the store in `dir`, and makes the folder where there is none. */
  static async open(dir: string): Promise<FilePieceStore> {
    const store = new FilePieceStore(dir);
    await mkdir(store.#pieces, { recursive: true });
    await rm(store.#uploads, { recursive: true, force: true });
    await mkdir(store.#uploads, { recursive: true });
    for (const name of await store.list()) store.#index(name);
    return store;
  }

  async beginUpload(): Promise<string> {
    const id = randomUUID();
    this.#open.set(id, { state: "open" });
    return id;
  }

  async writeUpload(id: string, body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Commitment> {
    const upload = this.#upload(id);
    if (upload.state !== "open") {
      throw new HoldfastError("UPLOAD_WRITTEN", `upload ${id} has its bytes already`, "begin another upload");
    }
    upload.state = "writing";
    try {
      const { commitment, layer } = await this.#receive(id, body, maxBytes);
      await writeFile(this.#part(id, LAYER), layer.encode(), { flush: true });
      upload.commitment = commitment;
      upload.state = "written";
      return commitment;
    } catch (error) {
      await this.#discard(id);
      throw diskFull(error);
    }
  }

  async finishUpload(id: string, pieceCid: string): Promise<void> {
    const upload = this.#upload(id);
    const expected = decodePieceCid(pieceCid);
    if (upload.state !== "written" || !upload.commitment) {
      throw new HoldfastError("UPLOAD_EMPTY", `upload ${id} has no bytes yet`, "send the bytes with PUT first");
    }
    const actual = encodePieceCid(upload.commitment).toString();
    const name = encodePieceCid(expected).toString();
    if (actual !== name) {
      await this.#discard(id);
      throw new HoldfastError(
        "PIECE_MISMATCH",
        `the uploaded bytes are ${actual}, not ${name}`,
        "check the file and the CID, then upload again",
      );
    }
    // The layer first: a piece that can be seen can be proven.
    await rename(this.#part(id, LAYER), join(this.#pieces, name + LAYER));
    await rename(this.#part(id, PAYLOAD), join(this.#pieces, name + PAYLOAD));
    this.#open.delete(id);
    this.#index(name);
  }

  async find(pieceCid: string): Promise<Commitment | undefined> {
    const commitment = decodePieceCid(pieceCid);
    const found = await stat(this.#path(commitment)).catch(() => undefined);
    return found?.isFile() ? commitment : undefined;
  }

  async read(pieceCid: string, start: number, end: number): Promise<ReadableStream<Uint8Array>> {
    const commitment = decodePieceCid(pieceCid);
    if (!(await this.find(pieceCid))) {
      throw new HoldfastError("UNKNOWN_PIECE", `piece ${pieceCid} is not here`, "ask another provider");
    }
    if (end <= start) return Readable.toWeb(Readable.from([])) as ReadableStream<Uint8Array>;
    const file = createReadStream(this.#path(commitment), { start, end: end - 1 });
    return Readable.toWeb(file) as ReadableStream<Uint8Array>;
  }

  async list(): Promise<string[]> {
    const names = await readdir(this.#pieces);
    return names.filter((name) => name.endsWith(PAYLOAD)).map((name) => name.slice(0, -PAYLOAD.length));
  }

  async open(
    root: Uint8Array,
    leafCount: bigint,
  ): Promise<{ layer: TreeLayer; read: ReadPayloadRange } | undefined> {
    const name = this.#names.get(keyOf(root, leafCount));
    const encoded = name && (await readFile(join(this.#pieces, name + LAYER)).catch(() => undefined));
    if (!encoded) return undefined;
    const layer = TreeLayer.decode(encoded, decodePieceCid(name));
    return { layer, read: (offset, length) => this.#readRange(name, offset, length) };
  }

  #index(name: string): void {
    const { root, leafCount } = decodePieceCid(name);
    this.#names.set(keyOf(root, leafCount), name);
  }

  async #readRange(name: string, offset: number, length: number): Promise<Uint8Array> {
    const file = await open(join(this.#pieces, name + PAYLOAD));
    try {
      return await readFileRange(file)(offset, length);
    } finally {
      await file.close();
    }
  }

  async #receive(id: string, body: AsyncIterable<Uint8Array>, maxBytes: number) {
    const hasher = new PieceHasher({ level: DEFAULT_LAYER_LEVEL });
    const file = await open(this.#part(id, PAYLOAD), "wx");
    let size = 0;
    try {
      for await (const chunk of body) {
        size += chunk.length;
        if (size > maxBytes) {
          throw new HoldfastError("PIECE_TOO_LARGE", `more than ${maxBytes} bytes were sent`, "send a smaller piece");
        }
        hasher.update(chunk);
        await writeAll(file, chunk);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    return hasher.finishWithLayer();
  }

  #upload(id: string): Upload {
    const upload = this.#open.get(id);
    if (!upload) throw new HoldfastError("UNKNOWN_UPLOAD", `there is no upload ${id}`, "begin another upload");
    return upload;
  }

  async #discard(id: string): Promise<void> {
    this.#open.delete(id);
    await Promise.all([PAYLOAD, LAYER].map((suffix) => rm(this.#part(id, suffix), { force: true })));
  }

  #part(id: string, suffix: string): string {
    return join(this.#uploads, id + suffix);
  }

  /** The name is built from the decoded commitment, never from what a peer sent. */
  #path(commitment: Commitment): string {
    return join(this.#pieces, encodePieceCid(commitment).toString() + PAYLOAD);
  }
}

function keyOf(root: Uint8Array, leafCount: bigint): string {
  return `${Buffer.from(root).toString("hex")}-${leafCount}`;
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length; ) {
    const { bytesWritten } = await file.write(chunk, at);
    at += bytesWritten;
  }
}

function diskFull(error: unknown): unknown {
  if ((error as NodeJS.ErrnoException).code !== "ENOSPC") return error;
  return new HoldfastError("DISK_FULL", "there is no space left for this piece", "free some space", { cause: error });
}
