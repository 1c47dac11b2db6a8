/** Unpacking a folder onto Node's file system. */
import { randomUUID } from "node:crypto";
import { lstat, mkdir, open, rename, rm } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { HoldfastError } from "../errors.js";
import type { FileNode, FolderArchive } from "../piece/car/index.js";

export interface UnpackOptions {
  /** Only what is in this folder of the archive; all by default. */
  readonly path?: string;
  /** The most bytes to write; 100 times the CAR, and at least 1 GiB, by default. */
  readonly maxBytes?: bigint;
  /** The most files and folders to make; a million by default. */
  readonly maxItems?: number;
}

export interface Unpacked {
  readonly files: number;
  readonly folders: number;
  readonly bytes: bigint;
}

/** The name is taken by one that only differs in case, say, or is too long, or has letters that are not allowed. */
const NAME_FAULTS: ReadonlySet<string> = new Set(["EEXIST", "ENAMETOOLONG", "EINVAL", "EILSEQ", "ENOENT"]);

const MAX_ITEMS = 1_000_000;
const MAX_RATIO = 100n;
const MIN_MAX_BYTES = 1n << 30n;

/**
 * Writes a folder to `target`, which must not exist, and appears only when everything is there and verified.
 *
 * Everything is made anew in a folder of this call's own, by names that are single steps: so nothing that was packed, and
 * nothing that lies about, can lead out of it. What is not a file or a folder is refused.
 *
 * @throws HoldfastError `FILE_EXISTS`, `FILE_UNWRITABLE`, `FOLDER_TOO_LARGE`, `CAR_UNSUPPORTED` for symbolic links,
 *   `NAME_COLLISION` for names that this file system can't tell apart or hold; as {@link FolderArchive}
 */
export async function unpackFolder(
  archive: FolderArchive,
  target: string,
  options: UnpackOptions = {},
): Promise<Unpacked> {
  await checkAbsent(target);
  const stage = `${resolve(target)}.${randomUUID()}.part`;
  await mkdir(stage).catch((cause) => {
    throw unwritable(target, cause);
  });
  try {
    const unpacked = await unpackInto(archive, stage, options);
    await rename(stage, target).catch((cause) => {
      throw unwritable(target, cause);
    });
    return unpacked;
  } catch (error) {
    await rm(stage, { recursive: true, force: true });
    throw error;
  }
}

async function unpackInto(archive: FolderArchive, stage: string, options: UnpackOptions): Promise<Unpacked> {
  const { path: from = "", maxItems = MAX_ITEMS, maxBytes = defaultMaxBytes(archive) } = options;
  const unpacked = { files: 0, folders: 0, bytes: 0n };
  for await (const { path, node } of archive.walk(maxItems, from)) {
    const place = placeOf(stage, path);
    if (node.type === "folder") {
      unpacked.folders++;
      await mkdir(place).catch((cause) => {
        throw unmakeable(path, cause);
      });
    } else if (node.type === "file") {
      unpacked.files++;
      unpacked.bytes += node.size;
      if (unpacked.bytes > maxBytes) throw tooLarge(maxBytes);
      await writeFile(archive, node, place, path);
    } else {
      const hint = "unpack it with an IPFS tool, if you trust whoever packed it";
      throw new HoldfastError("CAR_UNSUPPORTED", `${path} is a symbolic link`, hint);
    }
  }
  return unpacked;
}

async function writeFile(archive: FolderArchive, node: FileNode, place: string, path: string): Promise<void> {
  const file = await open(place, "wx").catch((cause) => {
    throw unmakeable(path, cause);
  });
  const write = async (chunk: Uint8Array) => {
    for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
  };
  try {
    for await (const chunk of archive.content(node)) {
      await write(chunk).catch((cause) => {
        throw unwritable(path, cause);
      });
    }
  } finally {
    await file.close();
  }
}

/** Some systems read more into a name than a slash: `C:`, a backslash. */
function placeOf(stage: string, path: string): string {
  const names = path.split("/");
  if (names.some((name) => basename(name) !== name)) throw collides(path);
  return join(stage, ...names);
}

async function checkAbsent(target: string): Promise<void> {
  const found = await lstat(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw unwritable(target, error);
  });
  if (found) throw new HoldfastError("FILE_EXISTS", `${target} exists`, "name a folder that does not exist yet");
}

function defaultMaxBytes({ size }: FolderArchive): bigint {
  const limit = MAX_RATIO * BigInt(size);
  return limit > MIN_MAX_BYTES ? limit : MIN_MAX_BYTES;
}

function tooLarge(maxBytes: bigint): HoldfastError {
  return new HoldfastError(
    "FOLDER_TOO_LARGE",
    `the folder holds more than ${maxBytes} bytes, in a piece that is far smaller`,
    "allow more, if you trust whoever packed it",
  );
}

function unwritable(path: string, cause: unknown): HoldfastError {
  const hint = "check the folder, and the room that is left";
  return new HoldfastError("FILE_UNWRITABLE", `${path} cannot be written`, hint, { cause });
}

/** Why a name could not be made: because of the name, or because of the disk. */
function unmakeable(path: string, cause: NodeJS.ErrnoException): HoldfastError {
  return NAME_FAULTS.has(cause.code ?? "") ? collides(path, cause) : unwritable(path, cause);
}

function collides(path: string, cause?: unknown): HoldfastError {
  const hint = "fetch it by its path into a file of another name, or unpack on another system";
  const message = `this file system can't hold ${path} beside what is there`;
  return new HoldfastError("NAME_COLLISION", message, hint, { cause });
}
