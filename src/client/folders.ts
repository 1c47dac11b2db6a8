/**
 * Storing folders, and fetching them or a file of them.
 *
 * @packageDocumentation
 */
import { getBytes } from "ethers";
import type { Mutex } from "../chain/mutex.js";
import { HoldfastError } from "../errors.js";
import {
  blobSpool,
  type CarSpool,
  FolderArchive,
  type FolderSource,
  mergeFolder,
  type PackedFolder,
  type PackOptions,
} from "../piece/car/index.js";
import { type Content, contentOf } from "../provenance/content.js";
import { type Amended, type AmendOptions, amendDeal, readAmendableDeal } from "./amend.js";
import { type DealInfo, dealIdText } from "./deals.js";
import type { ChainAccess } from "./funds.js";
import { holders } from "./history.js";
import { type Retrieval, retrieveTree, type Sink } from "./retrieve.js";
import type { StoredPiece, StoreOptions } from "./stored.js";

export interface StoreFolderOptions extends StoreOptions, PackOptions {}

/** A folder that was stored as one piece. */
export interface StoredFolder extends StoredPiece {
  /** CID of the folder itself, whatever piece it is in. */
  readonly rootCid: string;
  /** Files that were read, and the bytes in them. */
  readonly files: number;
  readonly bytes: bigint;
}

export interface StoreIntoOptions extends AmendOptions, PackOptions {
  /** Where the deal's piece lies meanwhile, made anew for each provider that is asked; in memory by default. */
  readonly makeSpool?: () => CarSpool | Promise<CarSpool>;
}

/** A deal on a folder, and what it is on from a window on. */
export interface AmendedFolder extends Amended {
  /** CID of the folder with both in it. */
  readonly rootCid: string;
  /** Files that were added or replaced, and the bytes in them. */
  readonly files: number;
  readonly bytes: bigint;
  /** Of the whole new piece. */
  readonly content: Content;
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

/**
 * Adds a folder to the one that a deal is on: fetches that, verified, from whoever has it, lays the new one over it, and amends
 * the deal to the result. Where both have a file at a path, the new one is kept.
 *
 * @throws HoldfastError `NOTHING_NEW` where the deal's folder has it all; `PIECE_UNAVAILABLE`; as `amendDeal` and `mergeFolder`
 */
export async function storeInto(
  access: ChainAccess,
  id: bigint,
  source: FolderSource,
  { makeSpool = blobSpool, spool = blobSpool(), ...options }: StoreIntoOptions,
  paying?: Mutex,
): Promise<AmendedFolder> {
  try {
    const deal = await readAmendableDeal(access, id);
    const { value: old } = await fetchOf(access, deal, makeSpool);
    try {
      const packed = await mergeFolder(old.archive, source, { ...options, spool });
      if (packed.root.equals(old.archive.root)) throw nothingNew(id);
      const { root, car, files, bytes } = packed;
      const content = await contentOf(car);
      return {
        ...(await amendDeal(access, id, car, options, paying)),
        rootCid: root.toString(),
        files,
        bytes,
        content,
      };
    } finally {
      await old.close();
    }
  } finally {
    await spool.discard();
  }
}

/** The folder that a deal is on, from the first of its holders that serves it. */
async function fetchOf(
  access: ChainAccess,
  { root, leafCount }: DealInfo,
  makeSpool: () => CarSpool | Promise<CarSpool>,
): Promise<Retrieval<FetchedFolder>> {
  const piece = { root: getBytes(root), leafCount };
  const urls = await holders(access, piece);
  return retrieveTree(piece, urls, async () => folderSink(await makeSpool()));
}

function nothingNew(id: bigint): HoldfastError {
  const message = `the folder of deal ${dealIdText(id)} has all of this already`;
  return new HoldfastError("NOTHING_NEW", message, "nothing needs to be done");
}
