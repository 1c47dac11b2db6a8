/** How much the disks have left that a node's bytes go to. */
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { type BlobStore, FileBlobs } from "../store/index.js";

/** Free bytes of the disk that a folder is on. @throws what the file system throws */
export type FreeBytesAt = (folder: string) => Promise<number>;

/**
 * Bytes arrive in one folder, and may go on to another disk from there: what has less is what counts. A bucket has no end.
 *
 * @throws what the file system throws
 */
export async function freeBytesOf(
  dataDir: string,
  blobs: BlobStore | undefined,
  freeBytesAt: FreeBytesAt = freeBytesOfDisk,
): Promise<number> {
  const folders = blobs instanceof FileBlobs ? [dataDir, blobs.where] : [dataDir];
  return Math.min(...(await Promise.all(folders.map((folder) => orOfParent(folder, freeBytesAt)))));
}

/** A folder that is not there yet will be on the disk of the one that it is made in. */
async function orOfParent(folder: string, freeBytesAt: FreeBytesAt): Promise<number> {
  try {
    return await freeBytesAt(folder);
  } catch (error) {
    const parent = dirname(folder);
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || parent === folder) throw error;
    return orOfParent(parent, freeBytesAt);
  }
}

async function freeBytesOfDisk(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
