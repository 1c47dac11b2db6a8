/** What the blobs and leases of a piece are called. A name is built from a decoded commitment, never from what a peer sent. */
import { LRUCache } from "lru-cache";
import { type Commitment, decodePieceCid, encodePieceCid } from "../../piece/index.js";
import type { FoundPiece } from "../types.js";

export const PIECES = "pieces";
export const BLOCKS = "blocks";
export const PAYLOAD_SUFFIX = ".piece";
export const LAYER_SUFFIX = ".layer";
export const BLOCKS_SUFFIX = ".blocks";

/** The one spelling of its CID. */
export function nameOf(commitment: Commitment): string {
  return encodePieceCid(commitment).toString();
}

/** CIDs that were read lately: to read one takes longer than to look for its file. */
const lately = new LRUCache<string, FoundPiece>({ max: 10_000 });

/** What a CID says. @throws HoldfastError `INVALID_PIECE_CID` */
export function readCid(pieceCid: string): FoundPiece {
  const known = lately.get(pieceCid);
  if (known !== undefined) return known;
  const commitment = decodePieceCid(pieceCid);
  const read = { ...commitment, pieceCid: nameOf(commitment) };
  lately.set(pieceCid, read);
  return read;
}

/** Whether something is a piece's name: others may put files into a folder, or objects into a bucket. */
export function isName(name: string): boolean {
  try {
    return nameOf(decodePieceCid(name)) === name;
  } catch {
    return false;
  }
}

export function payloadBlob(name: string): string {
  return `${PIECES}/${name}${PAYLOAD_SUFFIX}`;
}

export function layerBlob(name: string): string {
  return `${PIECES}/${name}${LAYER_SUFFIX}`;
}

export function blocksBlob(name: string): string {
  return `${BLOCKS}/${name}${BLOCKS_SUFFIX}`;
}

/** The lease of whoever brings or deletes the piece. */
export function leaseName(name: string): string {
  return `piece ${name}`;
}
