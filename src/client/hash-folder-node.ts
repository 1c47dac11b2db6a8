/** SHA-256 of files and folders on Node's file system. */
import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { HoldfastError } from "../errors.js";
import type { FolderEntry, FolderSource } from "../piece/car/index.js";
import { chunksOf, type PieceSource } from "../piece/commit.js";
import { readFileChunks } from "../piece/file-node.js";
import type { SetContent } from "../provenance/sets/index.js";
import { type ReadFolderOptions, readFolder } from "./folder-node.js";

/** A file in a folder. */
export interface HashedFile extends SetContent {
  /** From the folder, with slashes: `photos/2025/a.jpg`. */
  readonly path: string;
}

export interface HashFolderOptions extends ReadFolderOptions {
  readonly signal?: AbortSignal;
  /** Told of each file that is done, in no order. */
  readonly onFile?: (file: HashedFile) => void;
  /** Files that are read at once, from 1 to 8; 4 by default. */
  readonly concurrency?: number;
}

const FILES_AT_ONCE = 4;
const MAX_AT_ONCE = 8;

/**
 * Size and SHA-256 of every file below a folder, in ascending order of path (as JavaScript compares strings), so that the
 * same folder gives the same list. Files are read as `readFolder` reads them: hidden ones too, symbolic links refused or
 * left out, none that changes meanwhile. Memory holds a megabyte of each file that is read just now, and some 300 bytes
 * for each that is done.
 *
 * @throws HoldfastError as {@link readFolder}: `FILE_UNREADABLE`, `SYMBOLIC_LINK`, `SPECIAL_FILE`, `NAME_NOT_UTF8`,
 *   `FILE_CHANGED`
 * @throws the signal's reason
 *
 * @example
 * const files = await hashFolder("photos", { onFile: ({ path }) => console.log(path) });
 */
export async function hashFolder(folder: string, options: HashFolderOptions = {}): Promise<HashedFile[]> {
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, ...(options.signal ? [options.signal] : [])]);
  const files: HashedFile[] = [];
  const entries = readFolder(folder, options);
  const work = async () => {
    try {
      // One iterator for all workers: each file is taken once, and whoever fails ends it for the others.
      for await (const { path, content } of entries) {
        signal.throwIfAborted();
        if (!content) continue;
        const file = { path, ...(await digest(content(), signal)) };
        files.push(file);
        options.onFile?.(file);
      }
    } catch (error) {
      stop.abort(error);
    }
  };
  const atOnce = Math.min(Math.max(options.concurrency ?? FILES_AT_ONCE, 1), MAX_AT_ONCE);
  await Promise.all(Array.from({ length: atOnce }, work));
  signal.throwIfAborted();
  return files.sort(byPath);
}

/** As JavaScript compares strings. */
export function byPath(a: Pick<HashedFile, "path">, b: Pick<HashedFile, "path">): number {
  return a.path < b.path ? -1 : 1;
}

/**
 * Size and SHA-256 of one file, whatever its length; a symbolic link is followed.
 *
 * @throws HoldfastError `FILE_UNREADABLE`; `FILE_CHANGED` where its size is another at the end
 * @throws the signal's reason
 */
export async function hashFile(path: string, options: Pick<HashFolderOptions, "signal"> = {}): Promise<SetContent> {
  const unreadable = (cause?: unknown) =>
    new HoldfastError("FILE_UNREADABLE", `${path} cannot be read`, "check the path, and who may read it", { cause });
  const signal = options.signal ?? new AbortController().signal;
  try {
    // Before it is opened: to open a pipe would wait for whoever writes to it.
    const before = await stat(path, { bigint: true });
    if (!before.isFile()) throw unreadable();
    const content = await digest(readFileChunks(path), signal);
    const after = await stat(path, { bigint: true });
    if (content.size === before.size && after.size === before.size && after.mtimeNs === before.mtimeNs) return content;
  } catch (error) {
    if (signal.aborted || error instanceof HoldfastError) throw error;
    throw unreadable(error);
  }
  throw new HoldfastError("FILE_CHANGED", `${path} changed while it was read`, "hash it when nothing writes to it");
}

/**
 * The same folder, each file of it hashed as it is read: so that what is said of it is said of the very bytes that whoever
 * reads the source gets.
 *
 * @param onFile - told of each file that was read to its end
 */
export async function* hashingSource(
  source: FolderSource,
  onFile: (file: HashedFile) => void,
): AsyncGenerator<FolderEntry> {
  for await (const { path, content } of source) {
    if (content === undefined) yield { path };
    else yield { path, content: () => hashing(content(), (found) => onFile({ path, ...found })) };
  }
}

async function* hashing(source: PieceSource, onEnd: (content: SetContent) => void): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  let size = 0n;
  for await (const chunk of chunksOf(source)) {
    hash.update(chunk);
    size += BigInt(chunk.length);
    yield chunk;
  }
  onEnd({ sha256: `0x${hash.digest("hex")}`, size });
}

async function digest(source: PieceSource, signal: AbortSignal): Promise<SetContent> {
  let content: SetContent | undefined;
  const chunks = hashing(source, (found) => {
    content = found;
  });
  for await (const _ of chunks) signal.throwIfAborted();
  return content as unknown as SetContent;
}
