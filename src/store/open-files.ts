import { fstatSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

/** Files that stay open at once. */
const MAX_OPEN = 256;
/** Milliseconds after which a file is opened anew: what something else deleted takes up its space no longer than that. */
const KEEP_MS = 2_000;

/** A file that is open for reading, for several readers. */
export interface OpenFile {
  readonly path: string;
  readonly handle: FileHandle;
}

interface Kept extends OpenFile {
  users: number;
  readonly timer: NodeJS.Timeout;
}

/**
 * Keeps files open for the next who reads them: to open, look at and close one takes longer than to read a small range. What is
 * looked at is the file that is open, which is in memory and needs no thread: its size, and whether it has a name still.
 */
export class OpenFiles {
  /** The one that was opened first comes first. */
  readonly #kept = new Map<string, Kept>();

  /** The size in bytes of a file that is open and still there; undefined where only the disk can tell. */
  sizeOf(path: string): number | undefined {
    const kept = this.#kept.get(path);
    if (kept === undefined) return undefined;
    const { nlink, size } = fstatSync(kept.handle.fd);
    if (nlink > 0) return size;
    this.forget(path);
    return undefined;
  }

  /** Gives a file for reading; {@link OpenFiles.release} has to follow. @throws what the file system throws */
  async acquire(path: string): Promise<OpenFile> {
    const known = this.sizeOf(path) === undefined ? undefined : this.#kept.get(path);
    if (known !== undefined) {
      known.users++;
      return known;
    }
    const handle = await open(path);
    const timer = setTimeout(() => this.#kept.get(path) === file && this.forget(path), KEEP_MS).unref();
    const file: Kept = { path, handle, users: 1, timer };
    // Where somebody else was first, this one is closed when it is released.
    if (!this.#kept.has(path)) this.#kept.set(path, file);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MAX_OPEN && oldest !== undefined) this.forget(oldest);
    return file;
  }

  release(file: OpenFile): void {
    const kept = file as Kept;
    kept.users--;
    if (this.#kept.get(kept.path) !== kept) closeUnused(kept);
  }

  /** Lets go of a file: it is closed as soon as nobody reads it. */
  forget(path: string): void {
    const kept = this.#kept.get(path);
    this.#kept.delete(path);
    if (kept !== undefined) closeUnused(kept);
  }
}

function closeUnused({ users, handle, timer }: Kept): void {
  if (users > 0) return;
  clearTimeout(timer);
  // Nothing was written: whatever closing says is nobody's business.
  handle.close().catch(() => undefined);
}
