/**
 * What `holdfast store` and `holdfast fetch` do with folders.
 *
 * @packageDocumentation
 */
import { stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { fileSink } from "../client/blob-node.js";
import { fileSpool, readFolder } from "../client/folder-node.js";
import { type HashedFile, hashingSource } from "../client/hash-folder-node.js";
import {
  type AmendedFolder,
  type AmendOptions,
  folderSink,
  type HoldfastClient,
  type Retrieval,
  retrieve,
  withPacked,
} from "../client/index.js";
import { type Unpacked, unpackFolder } from "../client/unpack-node.js";
import {
  type CarSpool,
  compareNames,
  type FolderArchive,
  type FolderEntry,
  type PackedFolder,
  packFolder,
} from "../piece/car/index.js";
import { tell } from "./context.js";

/** More than anybody reads; a few blocks can describe any number. */
const MAX_LISTED = 1_000_000;

/** Files between two lines that say how far packing has got. */
const TELL_EVERY = 10_000;

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

export interface PackFlags {
  readonly skipLinks?: boolean;
}

/** A thing in a folder, as `holdfast fetch --list --json` prints it. */
export interface ListedItem {
  readonly path: string;
  readonly type: "file" | "folder" | "symlink";
  /** Bytes of a file, 0 for anything else. */
  readonly bytes: bigint;
}

/** Whether a path is a folder; what is not there is none. */
export async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

/**
 * Packs a folder into a temporary file, does something with it and its files' hashes, and removes the temporary file.
 *
 * @throws HoldfastError as `readFolder` and `packFolder`
 * @throws what `use` throws
 */
export function withPackedFolder<T>(
  path: string,
  flags: PackFlags,
  use: (packed: PackedFolder, files: readonly HashedFile[]) => Promise<T>,
): Promise<T> {
  const files: HashedFile[] = [];
  return withSpools(async (makeSpool) =>
    withPacked(
      (options) => packFolder(sourceOf(path, flags, files), options),
      { spool: await makeSpool(), onFile: counter() },
      async (packed) => {
        tell(`packed ${packed.files} files of ${packed.bytes} bytes as the folder ${packed.root}`);
        return use(packed, files);
      },
    ),
  );
}

/**
 * Adds a folder to the one that a deal is on.
 *
 * @throws as `HoldfastClient.storeInto`
 */
export function storeFolderInto(
  client: HoldfastClient,
  id: bigint,
  path: string,
  flags: PackFlags,
  options: AmendOptions,
): Promise<{ readonly amended: AmendedFolder; readonly files: readonly HashedFile[] }> {
  const files: HashedFile[] = [];
  return withSpools(async (makeSpool) => {
    const spool = await makeSpool();
    const packing = { ...options, makeSpool, spool, onFile: counter() };
    return { amended: await client.storeInto(id, sourceOf(path, flags, files), packing), files };
  });
}

/** @param files - to which each is added as it has been read */
function sourceOf(path: string, { skipLinks }: PackFlags, files: HashedFile[]): AsyncIterable<FolderEntry> {
  const onLink = (link: string) => tell(`left out the symbolic link ${link}`);
  return hashingSource(readFolder(path, skipLinks ? { onLink } : {}), (file) => void files.push(file));
}

/** Tells now and then how many files have been read. */
function counter(): () => void {
  let files = 0;
  return () => {
    if (++files % TELL_EVERY === 0) tell(`${files} files are packed`);
  };
}

/**
 * Fetches a file out of a folder. The piece is fetched whole, and verified; the file appears when it is whole.
 *
 * @param output - where to write it; its own name here by default
 * @throws HoldfastError as `retrieve` and `FolderArchive.file`, `FILE_UNWRITABLE`
 */
export function fetchFile(
  pieceCid: string,
  path: string,
  urls: readonly string[],
  output = basename(path),
): Promise<Retrieval<{ file: string; bytes: number }>> {
  return withFetchedFolder(pieceCid, urls, async (archive) => {
    const node = await archive.file(path);
    const sink = await fileSink(resolve(output));
    try {
      for await (const chunk of archive.content(node)) await sink.write(chunk);
      return { file: await sink.done(), bytes: Number(node.size) };
    } catch (error) {
      await sink.discard();
      throw error;
    }
  });
}

/**
 * Fetches a folder, or a folder in it, and unpacks it to `output`, which must not exist.
 *
 * @throws HoldfastError as `retrieve` and `unpackFolder`
 */
export function fetchFolder(
  pieceCid: string,
  path: string,
  urls: readonly string[],
  output: string,
): Promise<Retrieval<Unpacked & { folder: string }>> {
  const folder = resolve(output);
  return withFetchedFolder(pieceCid, urls, async (archive) => ({
    folder,
    ...(await unpackFolder(archive, folder, { path })),
  }));
}

/**
 * Fetches a folder, and says what is in it, in the order of the paths.
 *
 * @throws HoldfastError as `retrieve` and `FolderArchive.walk`
 */
export function listFolder(pieceCid: string, path: string, urls: readonly string[]): Promise<Retrieval<ListedItem[]>> {
  return withFetchedFolder(pieceCid, urls, async (archive) => {
    const items: ListedItem[] = [];
    for await (const { path: item, node } of archive.walk(MAX_LISTED, path)) {
      items.push({ path: item, type: node.type, bytes: node.type === "file" ? node.size : 0n });
    }
    return items.sort((a, b) => compareNames(a.path, b.path));
  });
}

async function withFetchedFolder<T>(
  pieceCid: string,
  urls: readonly string[],
  use: (archive: FolderArchive) => Promise<T>,
): Promise<Retrieval<T>> {
  return withSpools(async (makeSpool) => {
    const fetched = await retrieve(pieceCid, urls, async () => folderSink(await makeSpool()));
    return { ...fetched, value: await use(fetched.value.archive) };
  });
}

/** Spools that are gone when `use` is done, or when the process is told to end: they may be large. */
export async function withSpools<T>(use: (makeSpool: () => Promise<CarSpool>) => Promise<T>): Promise<T> {
  const spools: CarSpool[] = [];
  const discard = () => Promise.all(spools.splice(0).map((spool) => spool.discard()));
  // Once it has been handled, the same signal ends the process as if it never had been.
  const stop = (signal: NodeJS.Signals) => void discard().finally(() => process.kill(process.pid, signal));
  for (const signal of SIGNALS) process.once(signal, stop);
  try {
    return await use(async () => {
      const spool = await fileSpool();
      spools.push(spool);
      return spool;
    });
  } finally {
    for (const signal of SIGNALS) process.off(signal, stop);
    await discard();
  }
}
