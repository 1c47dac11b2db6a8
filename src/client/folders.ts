/**
 * Storing folders, and fetching them or a file of them.
 *
 * @packageDocumentation
 */
import { blobSpool, type CarSpool, FolderArchive, type PackedFolder, type PackOptions } from "../piece/car/index.js";
import type { StoredPiece, StoreOptions } from "./client.js";
import type { Sink } from "./retrieve.js";

export interface StoreFolderOptions extends StoreOptions, PackOptions {}

/** A folder that was stored as one piece. */
export interface StoredFolder extends StoredPiece {
  /** CID of the folder itself, whatever piece it is in. */
  readonly rootCid: string;
  /** Files that were read, and the bytes in them. */
  readonly files: number;
  readonly bytes: bigint;
}

/** A folder that was fetched and verified. */
export interface FetchedFolder {
  readonly archive: FolderArchive;
  /** Forgets its bytes: when all is read that is wanted. */
  close(): Promise<void>;
}

/**
 * Does something with a packed folder, and forgets the CAR.
 *
 * @param pack - packs into the spool that it is given
 * @throws what `pack` and `use` throw
 * @example
 * await withPacked((options) => packFolder(files, options), {}, ({ car }) => client.store(car, wishes));
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

/** What is told of a packed folder that was stored. */
export function storedFolder({ root, files, bytes }: PackedFolder, stored: StoredPiece): StoredFolder {
  return { ...stored, rootCid: root.toString(), files, bytes };
}

/**
 * Gathers a piece in a spool, and opens it as a folder when it is whole and verified.
 *
 * @example
 * const { value: folder } = await retrieve(pieceCid, urls, () => folderSink());
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
