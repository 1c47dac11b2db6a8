/**
 * Storing folders, and fetching them or a file of them.
 *
 * @packageDocumentation
 */
import {
  blobSpool,
  type CarSpool,
  FolderArchive,
  type PackedFolder,
  type PackOptions,
  packFolder,
} from "../piece/car/index.js";
import type { Sink } from "./retrieve.js";

/** A folder that was fetched and verified; {@link close} it when done. */
export interface FetchedFolder {
  readonly archive: FolderArchive;
  /** Forgets its bytes. */
  close(): Promise<void>;
}

/**
 * Packs a folder, does something with it, and forgets the CAR.
 *
 * @throws HoldfastError as {@link packFolder}; what `use` throws
 */
export async function withPacked<T>(
  pack: (options: PackOptions) => Promise<PackedFolder>,
  { spool = blobSpool(), ...options }: PackOptions,
  use: (packed: PackedFolder) => Promise<T>,
): Promise<T> {
  try {
    return await use(await pack({ ...options, spool }));
  } finally {
    await spool.discard();
  }
}

/**
 * Gathers a piece in a spool, and opens it as a folder when it is whole and verified.
 *
 * @example
 * const { value: folder } = await retrieve(pieceCid, urls, async () => folderSink(await fileSpool()));
 * for await (const chunk of folder.archive.content(await folder.archive.file("a.txt"))) write(chunk);
 * await folder.close();
 */
export function folderSink(spool: CarSpool = blobSpool()): Sink<FetchedFolder> {
  return {
    write: (chunk) => spool.append(chunk),
    async done() {
      const archive = await FolderArchive.open(await spool.finish(new Uint8Array()));
      return { archive, close: () => spool.discard() };
    },
    discard: () => spool.discard(),
  };
}
