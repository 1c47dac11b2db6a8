/**
 * The bytes behind a CID, from whoever holds them, hashed as they come.
 *
 * @packageDocumentation
 */
import { getBytes, hexlify } from "ethers";
import { CID } from "multiformats/cid";
import { HoldfastError } from "../errors.js";
import { type Commitment, decodePieceCid } from "../piece/index.js";
import { pieceIdOf, rawCidOf } from "../protocol/index.js";
import type { ProvenanceBook } from "../provenance/book.js";
import { type Content, ContentHasher } from "../provenance/content.js";
import { holdingsOf } from "../provenance/evidence.js";
import type { KnownRecord } from "../provenance/known.js";
import type { DealReader } from "./deals.js";
import { ask } from "./funds.js";
import { holders } from "./history.js";
import { askPieceCid } from "./providers.js";
import { retrieve, type Sink } from "./retrieve.js";

/** Bytes that were fetched, and who served them. */
export interface FetchedContent {
  readonly content: Content;
  readonly url: string;
  /** Records that the CID led to, whether or not the bytes are theirs. */
  readonly records: readonly KnownRecord[];
}

/**
 * Fetches what a CID names and hashes it: a PieceCID from the piece's holders, any other CID by way of the records that
 * name it and the deals that hold their pieces.
 *
 * @throws HoldfastError `INVALID_CID`, `UNKNOWN_CID` where no record names it, `NOT_HELD` where no live deal holds what
 *   does, `PIECE_UNAVAILABLE`
 * @throws ChainError where the chain can't be asked
 */
export async function fetchContent(reader: DealReader, book: ProvenanceBook, cid: string): Promise<FetchedContent> {
  const piece = pieceOf(cid);
  if (piece !== undefined) {
    const records = book.records(({ record }) => record.pieceId === pieceIdOf(piece));
    return { ...(await fetchPiece(cid, await holders(reader, piece))), records };
  }
  const bytes = cidBytes(cid);
  const records = book.records(({ record }) => record.cid === bytes || rawCidOf(record.contentHash) === bytes);
  if (records.length === 0) {
    throw new HoldfastError("UNKNOWN_CID", `no record names ${cid}`, "verify the file itself, or its PieceCID");
  }
  for (const { id, record } of records) {
    for (const { dealId, url } of await holdingsOf(reader, id, record.pieceId)) {
      const { root, leafCount } = await ask("read a deal", reader.contracts.lens.dealOf(dealId));
      const pieceCid = await askPieceCid(url, getBytes(root), leafCount);
      return { ...(await fetchPiece(pieceCid, [url])), records };
    }
  }
  throw new HoldfastError("NOT_HELD", `no live deal holds what ${cid} names`, "verify a copy of the file");
}

async function fetchPiece(pieceCid: string, urls: readonly string[]): Promise<Omit<FetchedContent, "records">> {
  const { value, url } = await retrieve(pieceCid, urls, hashingSink);
  return { content: value, url };
}

function hashingSink(): Sink<Content> {
  const hasher = new ContentHasher();
  return { write: (chunk) => hasher.update(chunk), done: () => hasher.finish(), discard: () => undefined };
}

/** @returns undefined for a CID that is no PieceCID */
function pieceOf(cid: string): Commitment | undefined {
  try {
    return decodePieceCid(cid);
  } catch {
    return undefined;
  }
}

function cidBytes(cid: string): string {
  try {
    return hexlify(CID.parse(cid).bytes);
  } catch (cause) {
    throw new HoldfastError("INVALID_CID", `${cid.slice(0, 100)} is no CID`, "name a file, or a CID", { cause });
  }
}
