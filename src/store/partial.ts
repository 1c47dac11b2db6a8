import { type FileHandle, open, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { HoldfastError } from "../errors.js";
import { type Commitment, DEFAULT_LAYER_LEVEL, PieceHasher, type TreeLayer } from "../piece/index.js";

/** What one upload has on disk. */
export interface UploadPaths {
  readonly payload: string;
  readonly layer: string;
  readonly state: string;
}

/** What is kept of an upload beside its bytes and the hashing of them. */
interface Notes {
  readonly owner: string | undefined;
  readonly complete: boolean;
}

/** Bytes between two checkpoints, by default. */
export const CHECKPOINT_BYTES = 256 << 20;
const NEWLINE = 0x0a;

/**
 * The bytes of an upload so far, on disk, and how far they are hashed. It can be left at any byte and gone on with, by a
 * later process too: from its last checkpoint.
 */
export class PartialPiece {
  readonly #paths: UploadPaths;
  readonly #owner: string | undefined;
  readonly #checkpointBytes: number;
  /** Made with the first byte: it takes 400 KB, and an upload that is begun costs whoever begins it nothing. */
  #hasher: PieceHasher | undefined;
  #size = 0;
  #saved = 0;

  /** @param checkpointBytes - a process that dies costs the sender no more than so many bytes */
  constructor(paths: UploadPaths, owner: string | undefined, checkpointBytes: number) {
    this.#paths = paths;
    this.#owner = owner;
    this.#checkpointBytes = checkpointBytes;
  }

  /**
   * What an earlier process had of an upload. Bytes after its last checkpoint are cut off.
   *
   * @throws what the file system throws, and HoldfastError `CORRUPT_STATE`
   */
  static async recover(
    paths: UploadPaths,
    checkpointBytes: number,
  ): Promise<{ piece: PartialPiece; complete: boolean }> {
    const file = await readFile(paths.state);
    const end = file.indexOf(NEWLINE);
    const { owner, size, complete } = parseNotes(file.subarray(0, end).toString());
    const piece = new PartialPiece(paths, owner, checkpointBytes);
    piece.#hasher = PieceHasher.restore(file.subarray(end + 1));
    piece.#size = size;
    piece.#saved = size;
    const payload = await open(paths.payload, "r");
    const { size: length } = await payload.stat().finally(() => payload.close());
    if (length < size) throw new HoldfastError("CORRUPT_STATE", "bytes of the upload are missing", "upload again");
    await truncate(paths.payload, size);
    return { piece, complete };
  }

  /** Bytes that are here. */
  get size(): number {
    return this.#size;
  }

  get owner(): string | undefined {
    return this.#owner;
  }

  /**
   * Takes bytes as they come. Where `body` fails, what came before stays, written and hashed alike.
   *
   * @param lasting - whether it is to outlive the process
   * @throws HoldfastError `PIECE_TOO_LARGE`; what `body` and the file system throw
   */
  async append(body: AsyncIterable<Uint8Array>, maxBytes: number, lasting: boolean): Promise<void> {
    const hasher = this.#begunHasher();
    const file = await open(this.#paths.payload, this.#size === 0 ? "w" : "a");
    try {
      for await (const chunk of body) {
        if (this.#size + chunk.length > maxBytes) {
          throw new HoldfastError("PIECE_TOO_LARGE", `more than ${maxBytes} bytes were sent`, "send a smaller piece");
        }
        // The disk works while the bytes are hashed.
        const written = writeAll(file, chunk);
        hasher.update(chunk);
        await written;
        this.#size += chunk.length;
        if (lasting && this.#size - this.#saved >= this.#checkpointBytes) await this.#checkpoint(file, false);
      }
      await file.sync();
    } finally {
      await file.close();
    }
  }

  /** Makes what is here outlive the process. */
  async save(complete: boolean): Promise<void> {
    const file = await open(this.#paths.payload, "r+");
    try {
      await this.#checkpoint(file, complete);
    } finally {
      await file.close();
    }
  }

  /** Commits to the bytes and writes the layer beside them; nothing can be appended any more. */
  async finish(): Promise<Commitment> {
    const { commitment, layer }: { commitment: Commitment; layer: TreeLayer } = this.#begunHasher().finishWithLayer();
    await writeFile(this.#paths.layer, layer.encode(), { flush: true });
    return commitment;
  }

  #begunHasher(): PieceHasher {
    this.#hasher ??= new PieceHasher({ level: DEFAULT_LAYER_LEVEL });
    return this.#hasher;
  }

  /** The bytes first: a state never speaks of what a power cut could still take away. */
  async #checkpoint(file: FileHandle, complete: boolean): Promise<void> {
    await file.sync();
    const notes = JSON.stringify({ owner: this.#owner, size: this.#size, complete });
    const part = `${this.#paths.state}.part`;
    await writeFile(part, Buffer.concat([Buffer.from(`${notes}\n`), this.#begunHasher().save()]), { flush: true });
    await rename(part, this.#paths.state);
    this.#saved = this.#size;
  }
}

/** Deletes all that an upload has. */
export async function removeUpload({ payload, layer, state }: UploadPaths): Promise<void> {
  await Promise.all([payload, layer, state, `${state}.part`].map((path) => rm(path, { force: true })));
}

function parseNotes(text: string): Notes & { readonly size: number } {
  const { owner, size, complete } = JSON.parse(text) as Partial<Notes & { size: number }>;
  if (!Number.isSafeInteger(size) || (owner !== undefined && typeof owner !== "string")) {
    throw new HoldfastError("CORRUPT_STATE", "the notes of an upload are damaged", "upload again");
  }
  return { owner, size: size as number, complete: complete === true };
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
}
