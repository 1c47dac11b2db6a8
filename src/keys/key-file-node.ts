/** Files that hold secrets: read only where nobody else can, written so that nobody else can. */
import { constants } from "node:fs";
import { link, mkdir, open, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { HoldfastError } from "../errors.js";

const MAX_BYTES = 64 * 1024;
const OTHERS = 0o077;

/**
 * Reads a small file that its owner alone may read. What is looked at is what is read: the file is opened once.
 *
 * @param what - In messages: `"keystore"`.
 * @throws {HoldfastError} `KEY_FILE_UNREADABLE`; `KEY_FILE_EXPOSED` where its mode lets others in.
 */
export async function readKeyFile(path: string, what: string): Promise<string> {
  // Without waiting: a pipe has no bytes until somebody writes, and is refused below.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause: unknown) => {
    throw unreadable(path, what, "it can't be opened", cause);
  });
  try {
    const { mode, size, ...stat } = await file.stat();
    if (!(mode & constants.S_IFREG) || (mode & constants.S_IFMT) !== constants.S_IFREG)
      throw unreadable(path, what, "it is no file", stat);
    if (size > MAX_BYTES) throw unreadable(path, what, `it is longer than ${MAX_BYTES} bytes`, undefined);
    if (process.platform !== "win32" && (mode & OTHERS) !== 0) throw exposed(path, what, mode);
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}

/**
 * Writes a new file with mode 0600, whole or not at all; its folder is made with mode 0700.
 *
 * @throws {HoldfastError} `KEY_EXISTS` where there is one already: a key is never written over.
 * @throws What the file system throws.
 */
export async function writeKeyFile(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const part = `${path}.${process.pid}.part`;
  const file = await open(part, "wx", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
    await file.close();
    await link(part, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    throw new HoldfastError("KEY_EXISTS", `There is a key at ${path} already`, "Choose another name.");
  } finally {
    await file.close().catch(() => undefined);
    await rm(part, { force: true });
  }
}

function unreadable(path: string, what: string, why: string, cause: unknown): HoldfastError {
  const hint = `Name a ${what} file that this user may read.`;
  return new HoldfastError("KEY_FILE_UNREADABLE", `The ${what} ${path} can't be read: ${why}`, hint, { cause });
}

function exposed(path: string, what: string, mode: number): HoldfastError {
  const octal = (mode & 0o777).toString(8).padStart(4, "0");
  const message = `Others than its owner may use the ${what} ${path}: its mode is ${octal}`;
  return new HoldfastError("KEY_FILE_EXPOSED", message, `Run chmod 600 on it, and think about who has read it.`);
}
