/**
 * Where a node's pieces live, as the rest of the code sees it.
 *
 * @packageDocumentation
 */
import type { Commitment, ReadPayloadRange, TreeLayer } from "../piece/index.js";

/** Where a proof's bytes come from. */
export interface PieceSource {
  /**
   * The cached tree layer of a piece and a reader of its payload. The pair of root and leafCount is the piece's
   * identity: another leafCount is another piece.
   *
   * @param root - 32 bytes
   * @returns undefined where the store does not hold it
   */
  open(root: Uint8Array, leafCount: bigint): Promise<{ layer: TreeLayer; read: ReadPayloadRange } | undefined>;
}

/** A store of pieces: takes them in, serves them, proves them. */
export interface PieceStore extends PieceSource {
  /**
   * Starts an upload and gives its id, a UUID.
   *
   * @throws HoldfastError `TOO_MANY_UPLOADS` where as many as may be are under way
   */
  beginUpload(): Promise<string>;
  /**
   * Takes the bytes of an upload as they come and commits to them on the way. Whatever fails leaves nothing behind.
   *
   * @param maxBytes - more than this is refused
   * @throws HoldfastError `UNKNOWN_UPLOAD`, `UPLOAD_WRITTEN`, `PIECE_TOO_LARGE`, `EMPTY_PIECE`, `DISK_FULL`
   * @throws what `body` throws
   */
  writeUpload(id: string, body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Commitment>;
  /**
   * Takes an upload into the store if its bytes are the piece that `pieceCid` names; otherwise they are deleted.
   *
   * @throws HoldfastError `UNKNOWN_UPLOAD`, `UPLOAD_INCOMPLETE`, `PIECE_MISMATCH`, `INVALID_PIECE_CID`
   */
  finishUpload(id: string, pieceCid: string): Promise<void>;
  /** Ends an upload without its piece: what came of it is deleted. One that is unknown is none to end. */
  discardUpload(id: string): Promise<void>;
  /** Deletes a piece, where it is here. No deal may need it any more. @throws HoldfastError `INVALID_PIECE_CID` */
  remove(pieceCid: string): Promise<void>;
  /** The commitment of a piece that is here. @throws HoldfastError `INVALID_PIECE_CID` */
  find(pieceCid: string): Promise<Commitment | undefined>;
  /** The commitment of a payload that is here under this root and leafCount. */
  findTree(root: Uint8Array, leafCount: bigint): Promise<Commitment | undefined>;
  /**
   * The payload's bytes from `start` up to and without `end`. It fails on the way, with `PIECE_DAMAGED`, where the disk
   * has lost bytes.
   *
   * @throws HoldfastError `UNKNOWN_PIECE`, `INVALID_PIECE_CID`
   */
  read(pieceCid: string, start: number, end: number): Promise<ReadableStream<Uint8Array>>;
  /** CIDs of all pieces, in no order. */
  list(): Promise<string[]>;
}

/** Told of what comes into a store and what leaves it. */
export interface PieceWatcher {
  /** A piece is here now; it may have been before. */
  taken(pieceCid: string): void;
  /** A piece is here no more. */
  removed(pieceCid: string): Promise<void>;
}

/** A store that tells of its pieces. */
export interface WatchedStore extends PieceStore {
  /** From now on `watcher` is told, and nobody else. */
  watch(watcher: PieceWatcher): void;
}
