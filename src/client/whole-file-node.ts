/** Files that are there whole or not at all, and small files of strangers, in Node. */
import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { HoldfastError } from "../errors.js";

/** A pipe is not waited for. Windows has no such flag. */
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/** A file that is written and not at its place yet. */
export interface PendingFile {
  /** Puts it at its place, where it replaces what was there. @throws HoldfastError `FILE_UNWRITABLE` */
  commit(): Promise<void>;
  /** Forgets it; after `commit`, this does nothing. */
  discard(): Promise<void>;
}

/**
 * Writes a file beside its place.
 *
 * @throws HoldfastError `FILE_UNWRITABLE`; nothing is left then
 * @throws what `chunks` throws
 */
export async function writePending(
  path: string,
  chunks: AsyncIterable<string> | Iterable<string>,
): Promise<PendingFile> {
  const part = `${path}.${randomUUID()}.part`;
  const discard = () => rm(part, { force: true });
  const file = await written(path, open(part, "wx"));
  try {
    for await (const chunk of chunks) await written(path, file.writeFile(chunk));
    await written(path, file.sync());
  } catch (error) {
    await file.close();
    await discard();
    throw error;
  }
  await file.close();
  return { commit: () => written(path, rename(part, path)), discard };
}

async function written<T>(path: string, act: Promise<T>): Promise<T> {
  try {
    return await act;
  } catch (cause) {
    throw new HoldfastError("FILE_UNWRITABLE", `${path} cannot be written`, "check the folder", { cause });
  }
}

/**
 * The bytes of a file that has to be small. Nothing else that a stranger may have put in its place is waited for, or read.
 *
 * @param most - bytes
 * @throws HoldfastError `FILE_UNREADABLE`
 */
export async function readSmallFile(path: string, most: number): Promise<Uint8Array> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, OPEN_FLAGS);
    const stats = await file.stat();
    if (!stats.isFile()) throw new Error("it is no file");
    if (stats.size > most) throw new Error(`it has ${stats.size} bytes, over ${most}`);
    return await file.readFile();
  } catch (cause) {
    const hint = "check the path, and that it is what it should be";
    throw new HoldfastError("FILE_UNREADABLE", `${path} cannot be read: ${(cause as Error).message}`, hint, { cause });
  } finally {
    await file?.close();
  }
}
