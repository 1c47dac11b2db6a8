/**
 * The bytes that a provider has fetched without having a deal for them yet: how many there may be, and when they go.
 *
 * @packageDocumentation
 */
import { REORG_SECONDS } from "../../chain/block-time.js";
import { HoldfastError } from "../../errors.js";
import { type PieceStore, type PieceTree, treeKey } from "../../store/index.js";
import { DiskRoom } from "../disk-room.js";
import { type FetchedPiece, type FetchOptions, fetchPiece, payloadBounds } from "../fetching/index.js";

export interface StockOptions {
  readonly store: PieceStore;
  /** Bytes that are free where the store is. */
  readonly freeBytes: () => Promise<number>;
  /** Bytes of disk that are left alone. */
  readonly minFreeBytes: number;
  /** Bytes that may be here, or on their way, for deals that are not won yet. */
  readonly maxSpeculativeBytes: number;
  /** Pieces on their way at the same time. */
  readonly maxFetches: number;
  /** Its `room` is the disk that the store shares with whatever else arrives. */
  readonly fetching: FetchOptions;
}

interface Fetched {
  readonly piece: PieceTree;
  readonly bytes: number;
  readonly abort: AbortController;
  /** Set when the piece is here. */
  pieceCid: string | undefined;
}

/** Fetches pieces ahead of their deals, within limits. */
export class SpeculativeStock {
  readonly #options: StockOptions;
  /** What others let arrive on the same disk counts as well. */
  readonly #room: DiskRoom;
  /** What was fetched for deals to come, or is being fetched. What the store had before is not in here. */
  readonly #fetched = new Map<string, Fetched>();

  constructor(options: StockOptions) {
    const { freeBytes, minFreeBytes, fetching } = options;
    this.#options = options;
    this.#room = fetching.room?.keeping(minFreeBytes) ?? new DiskRoom({ freeBytes, minFreeBytes });
  }

  /** Bytes that are here or on their way without a deal. */
  get bytes(): number {
    return [...this.#fetched.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  async has({ root, leafCount }: PieceTree): Promise<boolean> {
    return (await this.#options.store.findTree(root, leafCount)) !== undefined;
  }

  /**
   * Fetches a piece from the first source that has it.
   *
   * @returns undefined where it is on its way already, or has to wait until others have come
   * @throws HoldfastError as `fetchPiece`; `TOO_MANY_BYTES` where the limit is reached, `DISK_FULL`
   * @throws the reason of `signal`
   */
  async fetch(piece: PieceTree, sources: readonly string[], signal: AbortSignal): Promise<FetchedPiece | undefined> {
    const key = treeKey(piece);
    const underWay = [...this.#fetched.values()].filter(({ pieceCid }) => pieceCid === undefined).length;
    if (this.#fetched.has(key) || underWay >= this.#options.maxFetches) return undefined;
    const bytes = Number(payloadBounds(piece.leafCount).most);
    this.#checkLimit(bytes);
    const entry: Fetched = { piece, bytes, abort: new AbortController(), pieceCid: undefined };
    this.#fetched.set(key, entry);
    try {
      const { store, fetching } = this.#options;
      const stop = AbortSignal.any([signal, entry.abort.signal]);
      const fetched = await fetchPiece(store, piece, sources, { ...fetching, room: this.#room, signal: stop });
      entry.pieceCid = fetched.pieceCid;
      // What was here before was not fetched for this, and is not this stock's to delete.
      if (fetched.source === undefined) this.#fetched.delete(key);
      return fetched;
    } catch (error) {
      this.#fetched.delete(key);
      throw error;
    }
  }

  /** A deal was won: the piece stays. */
  keep(piece: PieceTree): void {
    this.#fetched.delete(treeKey(piece));
  }

  /**
   * Stops fetching what nobody wants any more, and deletes it where it is here.
   *
   * @param isNeeded - asked before anything is deleted: whether a deal is there that needs the bytes
   * @param time - unix seconds of the chain: what is promised then, or was a while before, stays too
   * @returns what was deleted
   */
  async drop(
    isWanted: (piece: PieceTree) => boolean,
    isNeeded: (piece: PieceTree) => Promise<boolean>,
    time: number,
  ): Promise<string[]> {
    const dropped: string[] = [];
    for (const [key, { piece, abort, pieceCid }] of this.#fetched) {
      if (isWanted(piece)) continue;
      if (pieceCid === undefined) abort.abort(new HoldfastError("NOT_WANTED", "nobody wants the piece", "let it be"));
      else if (!(await isNeeded(piece)) && (await this.#options.store.remove(pieceCid, time - REORG_SECONDS))) {
        this.#fetched.delete(key);
        dropped.push(pieceCid);
      }
    }
    return dropped;
  }

  #checkLimit(bytes: number): void {
    const { maxSpeculativeBytes } = this.#options;
    if (this.bytes + bytes <= maxSpeculativeBytes) return;
    throw new HoldfastError(
      "TOO_MANY_BYTES",
      `${this.bytes} bytes are here without a deal, and ${maxSpeculativeBytes} may be`,
      "wait until those have their deals, or raise maxSpeculativeBytes",
    );
  }
}
