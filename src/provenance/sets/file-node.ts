/** Set files on Node's file system. */
import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { getBytes, hexlify } from "ethers";
import { HoldfastError } from "../../errors.js";
import { readFileRange } from "../../piece/file-node.js";
import type { AnchoredSet } from "../../protocol/index.js";
import { syncFolder } from "../../store/sync-folder.js";
import type { BuiltSet } from "./build.js";
import type { Membership, SetHead, SharedClaims } from "./claims.js";
import { type ReadRange, SetSearch } from "./find.js";
import { decodeHeader, encodeHead, headerLength, invalidSetFile, layoutOf, PREFIX_BYTES } from "./layout.js";

const HASH_BYTES = 32;

/** A pipe is not waited for. Windows has no such flag. */
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/**
 * Writes a set with its tree, so that {@link openSetFile} finds each record and its proof. The file appears, or is
 * replaced, only when it is whole. It takes some 104 bytes a record: see `docs/sets.md`.
 *
 * @throws HoldfastError `FILE_UNWRITABLE`
 */
export async function writeSetFile(path: string, set: BuiltSet): Promise<void> {
  const part = `${path}.${randomUUID()}.part`;
  try {
    const file = await open(part, "wx");
    try {
      for (const bytes of [encodeHead(set), set.contents, ...set.tree.layers]) await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(part, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    await rm(part, { force: true });
    throw new HoldfastError("FILE_UNWRITABLE", `${path} cannot be written`, "check the folder", { cause });
  }
}

/**
 * Opens a set file. What it says of itself is checked here, what it says of a content when it is looked up; whether the
 * set is anchored, by the id that it has here, only the chain can tell.
 *
 * @throws HoldfastError `FILE_UNREADABLE`; `SET_FILE_INVALID` for what is no set file, or not a whole one
 *
 * @example
 * const set = await openSetFile("photos.set");
 * const membership = await set.find((await hashFile("photos/a.jpg")).sha256);
 * await set.close();
 */
export async function openSetFile(path: string): Promise<SetFile> {
  const file = await open(path, OPEN_FLAGS).catch((cause) => {
    throw unreadable(path, cause);
  });
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw invalidSetFile("it is no file");
    const read = readerOf(file, path);
    const length = headerLength(await read(0, PREFIX_BYTES));
    const head = decodeHeader(await read(PREFIX_BYTES, length));
    const start = PREFIX_BYTES + length;
    const layout = layoutOf(Number(head.set.count));
    if (stats.size !== start + layout.end) {
      throw invalidSetFile(`a file of ${head.set.count} records has ${start + layout.end} bytes, not ${stats.size}`);
    }
    const root = await read(start + layout.end - HASH_BYTES, HASH_BYTES);
    if (hexlify(root) !== hexlify(head.set.root)) throw invalidSetFile("its tree has another root than its header");
    const search = new SetSearch(head, layout, (offset, bytes) => read(start + offset, bytes));
    return new SetFile(head, search, file);
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** A set in a file, of which each look-up reads some kilobytes, whatever its size. */
export class SetFile implements SetHead {
  readonly chainId: number;
  readonly registry: string;
  readonly id: string;
  readonly set: AnchoredSet;
  readonly shared: SharedClaims;
  readonly #search: SetSearch;
  readonly #file: FileHandle;

  /** For {@link openSetFile}. */
  constructor(head: SetHead, search: SetSearch, file: FileHandle) {
    this.chainId = head.chainId;
    this.registry = head.registry;
    this.id = head.id;
    this.set = head.set;
    this.shared = head.shared;
    this.#search = search;
    this.#file = file;
  }

  /**
   * The record of a content, and the proof that it is in the set, verified against its root.
   *
   * @param sha256 - 32 bytes in hex
   * @returns undefined where the set has no such record, which is verified as well
   * @throws HoldfastError `SET_FILE_INVALID`, `FILE_UNREADABLE`
   */
  async find(sha256: string): Promise<Membership | undefined> {
    const wanted = getBytes(sha256);
    if (wanted.length !== HASH_BYTES) throw new TypeError(`${sha256} is not 32 bytes in hex`);
    return this.#search.find(hexlify(wanted));
  }

  /** Call it when nothing more is looked up. A second time does nothing. */
  async close(): Promise<void> {
    await this.#file.close();
  }
}

function readerOf(file: FileHandle, path: string): ReadRange {
  const readUpTo = readFileRange(file);
  return async (offset, length) => {
    let bytes: Uint8Array;
    try {
      bytes = await readUpTo(offset, length);
    } catch (cause) {
      throw unreadable(path, cause);
    }
    if (bytes.length < length) throw invalidSetFile("it ends early");
    return bytes;
  };
}

function unreadable(path: string, cause: unknown): HoldfastError {
  return new HoldfastError("FILE_UNREADABLE", `${path} cannot be read`, "check the path, and who may read it", {
    cause,
  });
}
