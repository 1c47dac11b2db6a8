/** Files as payloads and as the place of downloads, in Node. */
import { randomUUID } from "node:crypto";
import { open, rename, rm, stat } from "node:fs/promises";
import { HoldfastError } from "../errors.js";
import { FileBlob } from "./file-blob.js";
import type { Sink } from "./retrieve.js";

/**
 * A file of any size as a Blob that is read as needed, never as a whole. One that changes afterwards fails to be read, with
 * `FILE_CHANGED`. It can be sent, sliced and read, but not made part of another Blob.
 *
 * @param options - `mayBeEmpty` where the bytes are not to be stored
 * @throws HoldfastError `FILE_UNREADABLE`; `EMPTY_PIECE` unless it may be empty
 */
export async function fileBlob(path: string, { mayBeEmpty = false } = {}): Promise<Blob> {
  const unreadable = (cause: unknown) => {
    throw new HoldfastError("FILE_UNREADABLE", `${path} cannot be read`, "check the path, and who may read it", {
      cause,
    });
  };
  const info = await stat(path).catch(unreadable);
  if (!info.isFile()) throw new HoldfastError("FILE_UNREADABLE", `${path} is not a file`, "name a file");
  if (info.size === 0 && !mayBeEmpty)
    throw new HoldfastError("EMPTY_PIECE", `${path} is empty`, "store at least one byte");
  // That its bytes may not be read would only show half-way.
  await (await open(path).catch(unreadable)).close();
  return FileBlob.open(path);
}

/**
 * Writes a download to `path`, which appears, or is replaced, only when the bytes are whole and verified.
 *
 * @returns a sink that gives back `path`
 * @throws HoldfastError `FILE_UNWRITABLE` where the folder can't be written to
 */
export async function fileSink(path: string): Promise<Sink<string>> {
  const part = `${path}.${randomUUID()}.part`;
  const file = await open(part, "wx").catch((cause) => {
    throw new HoldfastError("FILE_UNWRITABLE", `${path} cannot be written`, "check the folder", { cause });
  });
  return {
    async write(chunk) {
      for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
    },
    async done() {
      await file.sync();
      await file.close();
      await rename(part, path);
      return path;
    },
    async discard() {
      // Closing a second time, after a rename that failed, does nothing.
      await file.close();
      await rm(part, { force: true });
    },
  };
}
