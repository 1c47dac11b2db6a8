import { openAsBlob } from "node:fs";
import { open, rename, rm, stat } from "node:fs/promises";
import { HoldfastError } from "../errors.js";
import type { Sink } from "./retrieve.js";

/**
 * A file as a Blob that is read as needed, never as a whole.
 *
 * @throws HoldfastError `FILE_UNREADABLE`, `EMPTY_PIECE`
 */
export async function fileBlob(path: string): Promise<Blob> {
  const info = await stat(path).catch((cause) => {
    throw new HoldfastError("FILE_UNREADABLE", `${path} cannot be read`, "check the path", { cause });
  });
  if (!info.isFile()) throw new HoldfastError("FILE_UNREADABLE", `${path} is not a file`, "name a file");
  if (info.size === 0) throw new HoldfastError("EMPTY_PIECE", `${path} is empty`, "store at least one byte");
  return openAsBlob(path);
}

/** Writes a download to `path`, which appears only when the bytes are whole and verified. */
export async function fileSink(path: string): Promise<Sink<string>> {
  const part = `${path}.part`;
  const file = await open(part, "w");
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
      await file.close();
      await rm(part, { force: true });
    },
  };
}
