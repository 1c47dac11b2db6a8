/**
 * The bytes behind a CID, from whoever holds them, hashed as they come.
 *
 * @packageDocumentation
 */
import { getBytes, hexlify } from "ethers";
import { CID } from "multiformats/cid";
import { HoldfastError } from "../errors.js";
import { blobSpool, type CarSpool } from "../piece/car/index.js";
import { type Commitment, decodePieceCid, encodePieceCid, leafCountOf } from "../piece/index.js";
import { pieceIdOf, rawCidOf } from "../protocol/index.js";
import type { ProvenanceBook } from "../provenance/book.js";
import { type Content, ContentHasher } from "../provenance/content.js";
import { type FolderInCar, folderInCar, namesBlocks } from "../provenance/folder-in-car.js";
import type { KnownRecord } from "../provenance/known.js";
import { MAX_RECORDS } from "../provenance/verify.js";
import type { DealReader } from "./deals.js";
import { DealHistory, holders, holdersAmong, type PastDeal } from "./history.js";
import { retrieve, type Sink } from "./retrieve.js";

/** Bytes that were fetched, and who served them. */
export interface FetchedContent {
  readonly content: Content;
  readonly url: string;
  /** Records that the CID led to, whether or not the bytes are theirs. */
  readonly records: readonly KnownRecord[];
  /**
   * Whether what the CID names was computed from the bytes: their hash, or the blocks of a folder that they hold as a CAR. Any
   * other one names blocks that bytes were split into: that these are the bytes is only what the records say, and anybody
   * can register one that says so.
   */
  readonly checked: boolean;
  /** The folder that they are, where a record says that they are one. */
  readonly folder?: FolderInCar;
}

export interface FetchContentOptions {
  /** Where bytes lie that are a folder's, until its blocks are hashed; in memory by default. */
  readonly makeSpool?: () => CarSpool | Promise<CarSpool>;
}

/**
 * Fetches what a CID names and hashes it: a PieceCID from the piece's holders, any other CID by way of the records that
 * name it, from the holders of their pieces. Whoever serves other bytes, or nothing, is passed over for the next.
 *
 * @throws HoldfastError `INVALID_CID`, `UNKNOWN_CID` where no record names it, `NOT_HELD` where no deal ever was on the piece
 *   of one that does, `PIECE_UNAVAILABLE` where nobody serves it
 * @throws ChainError where the chain can't be asked
 */
export async function fetchContent(
  reader: DealReader,
  book: ProvenanceBook,
  cid: string,
  { makeSpool = blobSpool }: FetchContentOptions = {},
): Promise<FetchedContent> {
  const piece = pieceOf(cid);
  if (piece !== undefined) {
    const records = book.records(({ record }) => record.pieceId === pieceIdOf(piece));
    const fetched = await fetchPiece(
      cid,
      await holders(reader, piece),
      records.some(namesBlocks) ? makeSpool : undefined,
    );
    return { ...fetched, records, checked: true };
  }
  const named = cidOf(cid);
  const records = recordsNaming(book, named);
  if (records.length === 0) {
    throw new HoldfastError("UNKNOWN_CID", `no record names ${cid}`, "verify the file itself, or its PieceCID");
  }
  const deals = await new DealHistory(reader).deals(() => true);
  const failures: string[] = [];
  for (const { pieceCid, root, leafCount } of storedPieces(records, deals)) {
    try {
      const urls = await holdersAmong(reader, deals, { root, leafCount });
      const fetched = await fetchPiece(pieceCid, urls, isRaw(named) ? undefined : makeSpool);
      return { ...fetched, records, checked: isShown(named, fetched) };
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code !== "PIECE_UNAVAILABLE") throw error;
      failures.push(error.message);
    }
  }
  const hint = "verify a copy of the file";
  if (failures.length === 0) throw new HoldfastError("NOT_HELD", `no deal holds what ${cid} names`, hint);
  throw new HoldfastError("PIECE_UNAVAILABLE", failures.join("; "), hint);
}

/** Of a raw CID, which is a hash of the bytes, only the records of these bytes: another one that names it is wrong. */
function recordsNaming(book: ProvenanceBook, cid: CID): readonly KnownRecord[] {
  const bytes = hexlify(cid.bytes);
  if (isRaw(cid)) return book.ofContent(hexlify(cid.multihash.digest));
  return book.records(({ record }) => hexlify(inVersion1(record.cid)) === bytes);
}

function isRaw(cid: CID): boolean {
  return rawCidOf(hexlify(cid.multihash.digest)) === hexlify(cid.bytes);
}

/** The pieces of records as far as deals know them, by the PieceCIDs that payloads of the records' sizes have. */
function storedPieces(records: readonly KnownRecord[], deals: readonly PastDeal[]) {
  const roots = new Map(deals.flatMap(({ next, ...deal }) => [deal, ...(next ? [next] : [])]).map(byPieceId));
  const pieces = new Map<string, { pieceCid: string; root: Uint8Array; leafCount: bigint }>();
  for (const { record } of records.slice(0, MAX_RECORDS)) {
    const piece = roots.get(record.pieceId);
    // A piece of another length can't be of the record's bytes.
    if (piece === undefined || record.size === 0n || leafCountOf(record.size) !== piece.leafCount) continue;
    const root = getBytes(piece.root);
    const pieceCid = encodePieceCid({ root, payloadSize: record.size }).toString();
    pieces.set(pieceCid, { pieceCid, root, leafCount: piece.leafCount });
  }
  return pieces.values();
}

function byPieceId<T extends { readonly root: string; readonly leafCount: bigint }>(piece: T): [string, T] {
  return [pieceIdOf(piece), piece];
}

type Fetched = Pick<FetchedContent, "content" | "url" | "folder">;

/** Whether bytes are what a CID names, by hashes alone. */
function isShown(named: CID, { content, folder }: Fetched): boolean {
  const cid = hexlify(named.bytes);
  if (rawCidOf(content.contentHash) === cid) return true;
  return folder?.cid === cid && folder.fault === undefined;
}

/** @param makeSpool - where the bytes may be a folder's */
async function fetchPiece(
  pieceCid: string,
  urls: readonly string[],
  makeSpool: FetchContentOptions["makeSpool"],
): Promise<Fetched> {
  if (makeSpool === undefined) {
    const { value, url } = await retrieve(pieceCid, urls, hashingSink);
    return { content: value, url };
  }
  const { value, url } = await retrieve(pieceCid, urls, async () => folderHashingSink(await makeSpool()));
  return { ...value, url };
}

function hashingSink(): Sink<Content> {
  const hasher = new ContentHasher();
  return { write: (chunk) => hasher.update(chunk), done: () => hasher.finish(), discard: () => undefined };
}

/** Hashes bytes as they come, then the blocks in them. */
function folderHashingSink(spool: CarSpool): Sink<Omit<Fetched, "url">> {
  const hasher = new ContentHasher();
  return {
    async write(chunk) {
      hasher.update(chunk);
      await spool.append(chunk);
    },
    async done() {
      const content = hasher.finish();
      try {
        const folder = await folderInCar(await spool.finish(new Uint8Array()));
        return { content, ...(folder !== undefined && { folder }) };
      } finally {
        await spool.discard();
      }
    },
    discard: () => spool.discard(),
  };
}

/** @returns undefined for a CID that is no PieceCID */
function pieceOf(cid: string): Commitment | undefined {
  try {
    return decodePieceCid(cid);
  } catch {
    return undefined;
  }
}

/** In version 1: a CID of version 0 names the same. */
function cidOf(text: string): CID {
  try {
    return CID.parse(text).toV1();
  } catch (cause) {
    throw new HoldfastError("INVALID_CID", `${text.slice(0, 100)} is no CID`, "name a file, or a CID", { cause });
  }
}

/** Nobody checked what a record has for a CID. */
function inVersion1(cid: string): Uint8Array {
  const bytes = getBytes(cid);
  try {
    return CID.decode(bytes).toV1().bytes;
  } catch {
    return bytes;
  }
}
