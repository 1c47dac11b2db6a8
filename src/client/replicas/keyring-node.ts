/**
 * The owner's keyring: a file with a line for each file key, readable by its owner alone. Lines are only ever added, so
 * that no fault, and no second program, can lose a key that is in it.
 */
import { constants } from "node:fs";
import { type FileHandle, mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { HoldfastError } from "../../errors.js";
import { bytesOfHex, FileKey, hexOf } from "../../replica/index.js";
import { syncFolder } from "../../store/sync-folder.js";

const LINE = /^holdfast-file-key-v1 ([0-9a-f]{32}) ([0-9a-f]{64})$/;
/** Read and write, by the owner. */
const MODE = 0o600;
const OTHERS = 0o077;

/**
 * Adds a key to a keyring, which is made where there is none. When the promise is fulfilled the key is on the disk.
 *
 * @param secret - of {@link FileKey.generate}
 * @returns the key's id
 * @throws HoldfastError `KEYRING_EXPOSED` where others may read the file, `KEYRING_UNREADABLE`, `INVALID_KEY`
 */
export async function addToKeyring(path: string, secret: Uint8Array<ArrayBuffer>): Promise<string> {
  const { id } = await FileKey.from(secret);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const { O_RDWR, O_APPEND, O_CREAT } = constants;
  const file = await openSafely(path, O_RDWR | O_APPEND | O_CREAT);
  try {
    // One write to a file that is open for appending is never mixed with another's. The first newline ends a line that a
    // full disk may have cut off.
    await file.appendFile(`\nholdfast-file-key-v1 ${id} ${hexOf(secret)}\n`);
    await file.sync();
    await syncFolder(dirname(path));
  } finally {
    await file.close();
  }
  return id;
}

/**
 * A key out of a keyring.
 *
 * @param id - as a manifest names it
 * @throws HoldfastError `KEYRING_EXPOSED`, `KEYRING_UNREADABLE`, `KEY_NOT_FOUND`, `KEY_DAMAGED`
 */
export async function keyFromKeyring(path: string, id: string): Promise<FileKey> {
  const file = await openSafely(path, constants.O_RDONLY);
  let lines: string[];
  try {
    lines = (await file.readFile("utf8")).split("\n");
  } finally {
    await file.close();
  }
  let damaged = false;
  for (const line of lines) {
    const [, named, secret = ""] = LINE.exec(line) ?? [];
    if (named !== id) continue;
    const key = await FileKey.from(bytesOfHex(secret));
    if (key.id === id) return key;
    damaged = true;
  }
  if (damaged) throw new HoldfastError("KEY_DAMAGED", `the key ${id} in ${path} is not whole`, "restore the keyring");
  const hint = "name the keyring that the file was stored with, by --keyring or HOLDFAST_KEYRING";
  throw new HoldfastError("KEY_NOT_FOUND", `${path} has no key ${id}`, hint);
}

async function openSafely(path: string, flags: number): Promise<FileHandle> {
  const file = await open(path, flags, MODE).catch((cause) => {
    const hint = "check the path given by --keyring or HOLDFAST_KEYRING, and who may read it";
    throw new HoldfastError("KEYRING_UNREADABLE", `the keyring ${path} can't be opened`, hint, { cause });
  });
  // Windows has no such modes.
  if (process.platform !== "win32" && ((await file.stat()).mode & OTHERS) !== 0) {
    await file.close();
    throw new HoldfastError("KEYRING_EXPOSED", `others may read the keyring ${path}`, `chmod 600 ${path}`);
  }
  return file;
}
