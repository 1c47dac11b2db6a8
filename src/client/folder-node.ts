/** Folders of Node's file system: as a source to pack, and as the place where a CAR lies meanwhile. */
import { randomUUID } from "node:crypto";
import { constants, type Dirent } from "node:fs";
import { type FileHandle, open, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HoldfastError } from "../errors.js";
import type { CarSpool, FolderEntry } from "../piece/car/index.js";
import { FileBlob } from "./file-blob.js";

export interface ReadFolderOptions {
  /** Told of each symbolic link that is left out. Without it, a link is an error. */
  readonly onLink?: (path: string) => void;
}

const READ_BYTES = 1 << 20;
const WRITE_BYTES = 1 << 20;

/** Not followed where it became a link meanwhile, not waited for where it became a pipe. Windows has neither flag. */
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/** Without it a name that begins with a byte order mark would lose it. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * All files and folders below a folder, hidden and empty ones too. A file is opened when its content is asked for, and must
 * not change while it is read; between two files anything may.
 *
 * Symbolic links are refused, or left out by the caller's leave: to follow one could store what lies elsewhere, or never
 * end, and to store one as a link would make whoever unpacks it follow it. Pipes, sockets and devices have no content.
 *
 * @throws HoldfastError `FILE_UNREADABLE`, `SYMBOLIC_LINK`, `SPECIAL_FILE`, `NAME_NOT_UTF8`; `FILE_CHANGED` out of a
 *   content
 */
export async function* readFolder(folder: string, options: ReadFolderOptions = {}): AsyncGenerator<FolderEntry> {
  yield* below(folder, "", options);
}

async function* below(folder: string, prefix: string, options: ReadFolderOptions): AsyncGenerator<FolderEntry> {
  const found = await readdir(folder, { withFileTypes: true, encoding: "buffer" }).catch((cause) => {
    throw unreadable(folder, cause);
  });
  for (const item of found) {
    const name = nameOf(item.name, folder);
    const place = join(folder, name);
    const path = prefix + name;
    if (item.isFile()) yield { path, content: () => readStable(place) };
    else if (item.isDirectory()) {
      yield { path };
      yield* below(place, `${path}/`, options);
    } else if (!item.isSymbolicLink()) throw special(place);
    else if (options.onLink) options.onLink(path);
    else throw symbolicLink(place);
  }
}

function nameOf(name: Dirent<Buffer>["name"], folder: string): string {
  try {
    return decoder.decode(name);
  } catch (cause) {
    const shown = JSON.stringify(name.toString("latin1"));
    const hint = "rename it: names in a piece are UTF-8";
    throw new HoldfastError("NAME_NOT_UTF8", `a name in ${folder} is not UTF-8: ${shown}`, hint, { cause });
  }
}

/** The bytes of a file, and an error at the end where they may be of two different times. */
async function* readStable(path: string): AsyncGenerator<Uint8Array> {
  const file = await open(path, OPEN_FLAGS).catch((cause) => {
    throw unreadable(path, cause);
  });
  try {
    const before = await file.stat({ bigint: true });
    if (!before.isFile()) throw special(path);
    let size = 0n;
    for await (const chunk of chunksOf(file, path, before.size)) {
      size += BigInt(chunk.length);
      // A file that grows as fast as it is read would never end.
      if (size > before.size) throw changed(path);
      yield chunk;
    }
    const after = await file.stat({ bigint: true });
    if (size !== before.size || after.size !== size || after.ctimeNs !== before.ctimeNs) throw changed(path);
  } finally {
    await file.close();
  }
}

async function* chunksOf(file: FileHandle, path: string, expected: bigint): AsyncGenerator<Uint8Array> {
  for (let left = expected; ; ) {
    // One byte more than there should be, so that one read sees the end of a small file.
    const buffer = new Uint8Array(left < READ_BYTES ? Number(left) + 1 : READ_BYTES);
    const { bytesRead } = await file.read(buffer).catch((cause) => {
      throw unreadable(path, cause);
    });
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
    left = left > bytesRead ? left - BigInt(bytesRead) : 0n;
  }
}

/**
 * A spool in a file of its own, which only this account can read, and which `discard` removes. It takes as much room as what
 * is packed.
 *
 * @param folder - where the file lies; the system's folder for temporary files by default
 * @throws HoldfastError `FILE_UNWRITABLE`
 */
export async function fileSpool(folder = tmpdir()): Promise<CarSpool> {
  const path = join(folder, `holdfast-${randomUUID()}.car`);
  const file = await open(path, "wx", 0o600).catch((cause) => {
    throw unwritable(folder, cause);
  });
  const buffer = new Uint8Array(WRITE_BYTES);
  let buffered = 0;
  const write = async (bytes: Uint8Array, position?: number) => {
    try {
      for (let at = 0; at < bytes.length; ) {
        at += (await file.write(bytes, at, undefined, position === undefined ? undefined : position + at)).bytesWritten;
      }
    } catch (cause) {
      throw unwritable(folder, cause);
    }
  };
  const flush = async () => {
    await write(buffer.subarray(0, buffered));
    buffered = 0;
  };
  return {
    async append(bytes) {
      if (buffered + bytes.length > WRITE_BYTES) await flush();
      if (bytes.length >= WRITE_BYTES) return write(bytes);
      buffer.set(bytes, buffered);
      buffered += bytes.length;
    },
    async finish(header) {
      await flush();
      await write(header, 0);
      await file.close();
      return FileBlob.open(path);
    },
    async discard() {
      // Closing a second time does nothing.
      await file.close();
      await rm(path, { force: true });
    },
  };
}

function unreadable(path: string, cause: unknown): HoldfastError {
  const hint = "check the path, and who may read it";
  return new HoldfastError("FILE_UNREADABLE", `${path} cannot be read`, hint, { cause });
}

function unwritable(folder: string, cause: unknown): HoldfastError {
  const hint = "make room there, or name another folder (for the commands: TMPDIR)";
  return new HoldfastError("FILE_UNWRITABLE", `${folder} cannot be written to`, hint, { cause });
}

function changed(path: string): HoldfastError {
  return new HoldfastError("FILE_CHANGED", `${path} changed while it was read`, "store it when nothing writes to it");
}

function special(path: string): HoldfastError {
  const hint = "move it elsewhere: pipes, sockets and devices have no content to store";
  return new HoldfastError("SPECIAL_FILE", `${path} is neither a file nor a folder`, hint);
}

function symbolicLink(path: string): HoldfastError {
  const hint = "put what it points to in its place, or have links left out";
  return new HoldfastError("SYMBOLIC_LINK", `${path} is a symbolic link`, hint);
}
