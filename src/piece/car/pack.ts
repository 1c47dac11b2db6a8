import { importFile } from "ipfs-unixfs-importer";
import type { CID } from "multiformats/cid";
import { chunksOf } from "../commit.js";
import type { FolderArchive } from "./archive.js";
import { type Written, writeDirectory } from "./directory.js";
import { fileLayout } from "./file.js";
import { mergedOutline } from "./merge.js";
import { type FolderOutline, type FolderSource, type Outline, outlineOf, sortedChildren } from "./outline.js";
import { blobSpool, type CarSpool } from "./spool.js";
import { CarWriter } from "./writer.js";

export interface PackOptions {
  /** Where the CAR is gathered; a Blob in memory by default. */
  readonly spool?: CarSpool;
  /** Told of each file as it has been read. */
  readonly onFile?: (path: string) => void;
}

/** A folder as a CAR. */
export interface PackedFolder {
  /** CID of the folder: of the same content it is the same everywhere. */
  readonly root: CID;
  /** The CARv1: what is stored. */
  readonly car: Blob;
  /** Files that were read, and the bytes in them. */
  readonly files: number;
  readonly bytes: bigint;
  /** Blocks that were written. */
  readonly blocks: number;
}

/**
 * Packs a folder into a CARv1 of UnixFS, by the profile unixfs-v1-2025 (IPIP-499): CIDv1, sha2-256, raw leaves, chunks of
 * 1 MiB, 1024 links a node, folders over 256 KiB as HAMT. The same folder gives the same bytes, in whatever order its
 * entries come. Names and contents are kept, times and modes are not.
 *
 * Files are read one after the other, each once, in memory that does not grow with their bytes, but with the number of
 * entries and blocks (some hundred bytes each).
 *
 * @throws HoldfastError `INVALID_PATH`, `DUPLICATE_PATH`; what the source, a content or the spool throws. The spool is
 *   discarded then
 * @example
 * const { root, car } = await packFolder([{ path: "docs/a.txt", content: () => bytes }]);
 */
export async function packFolder(source: FolderSource, options: PackOptions = {}): Promise<PackedFolder> {
  return spooled(options, async (spool) => {
    const outline = await outlineOf(source);
    return write(await CarWriter.create(spool), outline, options);
  });
}

/**
 * Adds a folder to one that is packed: the old CAR's blocks stay as they are, in front, and what is new is appended. So all
 * but the first bytes of the piece, where the root is named, are the old piece's until its end. What is replaced stays in
 * the CAR, without a name: a merged piece never shrinks.
 *
 * Of two files at the same path, the new one is kept.
 *
 * @throws HoldfastError as {@link packFolder} and {@link FolderArchive}, and `PATH_CONFLICT` where one side has a file and
 *   the other a folder
 */
export async function mergeFolder(
  old: FolderArchive,
  source: FolderSource,
  options: PackOptions = {},
): Promise<PackedFolder> {
  return spooled(options, async (spool) => {
    const outline = await mergedOutline(old, await outlineOf(source));
    return write(await CarWriter.resume(spool, old.cids, old.body()), outline, options);
  });
}

async function spooled<T>({ spool = blobSpool() }: PackOptions, work: (spool: CarSpool) => Promise<T>): Promise<T> {
  try {
    return await work(spool);
  } catch (error) {
    await spool.discard();
    throw error;
  }
}

async function write(writer: CarWriter, outline: FolderOutline, { onFile }: PackOptions): Promise<PackedFolder> {
  let files = 0;
  let bytes = 0n;
  const place = async (path: string, node: Outline): Promise<Written> => {
    if (node.kind === "kept") return node;
    if (node.kind === "folder") return folder(path === "" ? "" : `${path}/`, node);
    const file = await importFile(
      { content: counted(chunksOf(node.content())) },
      { put: (cid, block) => writer.put(cid, block as Uint8Array) },
      // One at a time: in memory there is one chunk, and the order of the blocks depends on nothing but the folder.
      { profile: "unixfs-v1-2025", layout: fileLayout(writer), fileImportConcurrency: 1, blockWriteConcurrency: 1 },
    );
    files++;
    onFile?.(path);
    return file;
  };
  const counted = async function* (chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>) {
    for await (const chunk of chunks) {
      bytes += BigInt(chunk.length);
      yield chunk;
    }
  };
  const folder = async (prefix: string, node: FolderOutline): Promise<Written> => {
    const written: [string, Written][] = [];
    for (const [name, child] of sortedChildren(node)) written.push([name, await place(prefix + name, child)]);
    return writeDirectory(writer, written);
  };
  const { cid: root } = await place("", outline);
  return { root, car: await writer.finish(root), files, bytes, blocks: writer.blocks };
}
