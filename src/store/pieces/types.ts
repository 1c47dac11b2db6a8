/**
 * What is known of the pieces of a store, wherever it is written down.
 *
 * @packageDocumentation
 */
import type { Lease, Leases } from "./leases.js";

/** What deals, requests and promises know a piece by. Payloads that differ in zeros at their end can share one. */
export interface PieceTree {
  /** 32 bytes. */
  readonly root: Uint8Array;
  readonly leafCount: bigint;
}

/** A piece that is here. */
export interface IndexedPiece {
  readonly pieceCid: string;
  /** The encoded tree layer, where it is small; otherwise it is a blob. */
  readonly layer: Uint8Array | undefined;
}

/** A piece in the order of coming. */
export interface PlacedPiece {
  readonly pieceCid: string;
  /** Grows from piece to piece. */
  readonly place: number;
}

/** The pieces of a store, and what was promised of them. Several processes may share one. */
export interface PieceIndex extends Leases {
  get(pieceCid: string): Promise<IndexedPiece | undefined>;
  /** All payloads of a tree. */
  ofTree(tree: PieceTree): Promise<IndexedPiece[]>;
  /**
   * Notes a piece, under the lease of its name. One that was noted gets another layer, and keeps the rest.
   *
   * @throws HoldfastError `LEASE_LOST`: nothing was noted
   */
  put(piece: IndexedPiece, lease: Lease): Promise<void>;
  /**
   * Strikes a piece out, under the lease of its name.
   *
   * @param freeAt - only where nothing is promised of it at this time, in unix seconds of the chain
   * @returns whether it is out; false where it is promised
   * @throws HoldfastError `LEASE_LOST`: nothing was struck out
   */
  drop(pieceCid: string, lease: Lease, freeAt?: number): Promise<boolean>;
  /** Keeps another layer of a piece, where that is here. */
  keepLayer(piece: IndexedPiece): Promise<void>;
  /**
   * Gives one's word on a tree: what is here of it stays, at least until then. Either this or a {@link PieceIndex.drop} that
   * asks for it comes first, whichever processes they are in.
   *
   * @param until - unix seconds of the chain, the last one included. An earlier word that holds longer stays.
   * @returns the payloads of the tree that are here; where there are none, nothing was promised
   */
  promise(tree: PieceTree, until: bigint): Promise<IndexedPiece[]>;
  /** Pieces that came after a place, in their order; all by default. */
  list(after?: number): Promise<PlacedPiece[]>;
}

/** One text for one tree. */
export function treeKey({ root, leafCount }: PieceTree): string {
  return `${Buffer.from(root).toString("hex")}-${leafCount}`;
}
