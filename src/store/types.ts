/**
 * Where a node's pieces live, as the rest of the code sees it.
 *
 * @packageDocumentation
 */
import type { Commitment, ReadPayloadRange, TreeLayer } from "../piece/index.js";

/** Pieces that can be proven. */
export interface PieceSource {
  /**
   * What a proof of the piece needs: its cached tree layer and its payload's bytes.
   *
   * @param root - 32 bytes
   * @returns undefined where no such piece is here
   */
  open(root: Uint8Array, leafCount: bigint): Promise<{ layer: TreeLayer; read: ReadPayloadRange } | undefined>;
}

/** A store of pieces: takes them in, serves them, proves them. */
export interface PieceStore extends PieceSource {
  /** Starts an upload and gives its id, a UUID. */
  beginUpload(): Promise<string>;
  /**
   * Takes the bytes of an upload as they come and commits to them on the way. Whatever fails leaves nothing behind.
   *
   * @param maxBytes - more than this is refused
   * @throws HoldfastError `UNKNOWN_UPLOAD`, `UPLOAD_WRITTEN`, `PIECE_TOO_LARGE`, `EMPTY_PIECE`, `DISK_FULL`
   */
  writeUpload(id: string, body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Commitment>;
  /**
   * Takes an upload into the store if its bytes are the piece that `pieceCid` names; otherwise they are deleted.
   *
   * @throws HoldfastError `UNKNOWN_UPLOAD`, `UPLOAD_EMPTY`, `PIECE_MISMATCH`, `INVALID_PIECE_CID`
   */
  finishUpload(id: string, pieceCid: string): Promise<void>;
  /** The commitment of a piece that is here. @throws HoldfastError `INVALID_PIECE_CID` */
  find(pieceCid: string): Promise<Commitment | undefined>;
  /**
   * The payload's bytes from `start` up to and without `end`.
   *
   * @throws HoldfastError `UNKNOWN_PIECE`; the stream fails where the disk has lost bytes
   */
  read(pieceCid: string, start: number, end: number): Promise<ReadableStream<Uint8Array>>;
  /** CIDs of all pieces, in no order. */
  list(): Promise<string[]>;
}
