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

/** An upload under way. */
export interface UploadInfo {
  readonly id: string;
  /** Whoever it was begun for. */
  readonly owner: string | undefined;
  /** Bytes that are here, or announced. */
  readonly bytes: number;
}

/** One part of an upload. */
export interface AppendOptions {
  /** Where the part begins, in bytes. Without it the upload begins anew, and what came before is replaced. */
  readonly offset?: number | undefined;
  /** More than this in all is refused. */
  readonly maxBytes: number;
  /** Bytes that this part is said to have, for {@link UploadInfo}. */
  readonly announced?: number | undefined;
  /** Whether nothing follows. */
  readonly last: boolean;
}

/** A piece that is here. */
export interface FoundPiece extends Commitment {
  /** Its PieceCIDv2, in its one spelling. */
  readonly pieceCid: string;
}

/** A store of pieces: takes them in, serves them, proves them. */
export interface PieceStore extends PieceSource {
  /**
   * Starts an upload and gives its id, a UUID.
   *
   * @param owner - a name that {@link PieceStore.uploads} tells, for whoever counts; without one it is the node's own, for which places
   *   are kept, and which is not given up where somebody else's makes room for another
   * @throws HoldfastError `TOO_MANY_UPLOADS` where as many as may be are under way
   */
  beginUpload(owner?: string): Promise<string>;
  /**
   * Takes the bytes of an upload as they come and commits to them on the way. Whatever fails leaves nothing behind.
   *
   * @param maxBytes - more than this is refused
   * @throws HoldfastError `UNKNOWN_UPLOAD`, `UPLOAD_WRITTEN`, `PIECE_TOO_LARGE`, `EMPTY_PIECE`, `DISK_FULL`
   * @throws what `body` throws
   */
  writeUpload(id: string, body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Commitment>;
  /**
   * Takes the bytes of an upload in one or more parts. A part whose `body` throws `UPLOAD_BROKEN` can be gone on with, by a
   * later process too; whatever else fails leaves nothing behind.
   *
   * @returns the commitment, after the last part
   * @throws HoldfastError as `writeUpload`; `WRONG_OFFSET` where a part does not follow on what is here
   */
  appendUpload(id: string, body: AsyncIterable<Uint8Array>, options: AppendOptions): Promise<Commitment | undefined>;
  /** How many bytes of an upload are here, and whether these are all. @throws HoldfastError `UNKNOWN_UPLOAD` */
  uploadProgress(id: string): { readonly size: number; readonly complete: boolean };
  /** The commitment of an upload that is here whole. @throws HoldfastError `UNKNOWN_UPLOAD`, `UPLOAD_INCOMPLETE` */
  arrived(id: string): Commitment;
  /** All uploads under way. */
  uploads(): UploadInfo[];
  /** Resolves when the uploads that are being fed have come to their end: what can be gone on with is kept by then. */
  settled(): Promise<void>;
  /** Ends uploads that nobody went on with. */
  expireUploads(): Promise<void>;
  /**
   * Takes an upload into the store if its bytes are the piece that `pieceCid` names; otherwise they are deleted. Where the
   * store can't be reached, the upload stays, and this can be tried again.
   *
   * @throws HoldfastError `UNKNOWN_UPLOAD`, `UPLOAD_INCOMPLETE`, `PIECE_MISMATCH`, `INVALID_PIECE_CID`, `DISK_FULL`,
   *   `BLOBS_UNREACHABLE`
   */
  finishUpload(id: string, pieceCid: string): Promise<void>;
  /** Whether an upload is on its way into this process's store: to a bucket, that takes its time. */
  isComing(pieceCid: string): boolean;
  /** Ends an upload without its piece: what came of it is deleted. One that is unknown is none to end. */
  discardUpload(id: string): Promise<void>;
  /**
   * Deletes a piece, where it is here. No deal may need it any more.
   *
   * @param freeAt - only where nothing is promised of it at this time, in unix seconds of the chain
   * @returns whether it is gone; false where it is promised
   * @throws HoldfastError `INVALID_PIECE_CID`
   */
  remove(pieceCid: string, freeAt?: number): Promise<boolean>;
  /**
   * Gives one's word on a piece, before a signature that a deal can be opened with: from here on no process deletes it by a
   * {@link PieceStore.remove} that asks for that.
   *
   * @param until - unix seconds of the chain, the last one included
   * @returns undefined where it is not here, and nothing was promised
   */
  promise(root: Uint8Array, leafCount: bigint, until: bigint): Promise<FoundPiece | undefined>;
  /**
   * A piece, where it is here.
   *
   * @param maxAgeMs - for how long what the index said may be believed, where only bytes are served on the strength of it; 0 by
   *   default. The bytes themselves are looked at each time.
   * @throws HoldfastError `INVALID_PIECE_CID`
   */
  find(pieceCid: string, maxAgeMs?: number): Promise<FoundPiece | undefined>;
  /** A piece that is here under this root and leafCount. */
  findTree(root: Uint8Array, leafCount: bigint): Promise<FoundPiece | undefined>;
  /**
   * The payload's bytes from `start` up to and without `end`. It fails on the way, with `BLOB_DAMAGED`, where the disk
   * has lost bytes.
   *
   * @throws HoldfastError `UNKNOWN_PIECE`, `INVALID_PIECE_CID`
   */
  read(pieceCid: string, start: number, end: number): Promise<ReadableStream<Uint8Array>>;
  /**
   * What {@link PieceStore.read} gives, at less cost: a chunk is valid only until the next one is asked for. It throws out of the
   * iteration.
   */
  chunks(pieceCid: string, start: number, end: number): AsyncIterable<Uint8Array>;
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
