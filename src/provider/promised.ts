/** Which pieces this node has given its word on, so that none is deleted that a deal may still open for. */
import { hexlify } from "ethers";
import { HoldfastError } from "../errors.js";

/** What deals, requests and promises know a piece by. */
export interface PieceIdentity {
  /** 32 bytes. */
  readonly root: Uint8Array;
  readonly leafCount: bigint;
}

/** One text for one piece. */
export function pieceKey({ root, leafCount }: PieceIdentity): string {
  return `${hexlify(root)}/${leafCount}`;
}

/**
 * Pieces that somebody holds the provider's signature for. Whoever does may open the deal as long as the terms are
 * valid, and the stake behind it is the provider's.
 */
export class PromisedPieces {
  readonly #until = new Map<string, bigint>();
  /** Pieces that are being deleted. */
  readonly #condemned = new Set<string>();

  /**
   * Look afterwards whether the piece is (still) here: from this call on, it stays.
   *
   * @param until - unix seconds, the last one included; without it, as long as this process lives
   * @throws HoldfastError `DEAL_REFUSED` while the piece is being deleted
   */
  promise(piece: PieceIdentity, until?: bigint): void {
    const key = pieceKey(piece);
    if (this.#condemned.has(key)) {
      throw new HoldfastError("DEAL_REFUSED", "nobody wanted the piece, and it is being deleted", "upload it again");
    }
    const known = this.#until.get(key) ?? 0n;
    const asked = until ?? FOR_EVER;
    this.#until.set(key, asked > known ? asked : known);
  }

  /** Whether a deal can still open for this piece at `now`, in unix seconds of the chain. */
  isPromised(piece: PieceIdentity, now: number): boolean {
    return (this.#until.get(pieceKey(piece)) ?? -1n) >= BigInt(now);
  }

  /**
   * Begins a deletion: from here on nothing is promised of the piece, until {@link PromisedPieces.pardon}.
   *
   * @param now - unix seconds of the chain
   * @returns whether it may be deleted: not where something is promised
   */
  condemn(piece: PieceIdentity, now: number): boolean {
    if (this.isPromised(piece, now)) return false;
    this.#until.delete(pieceKey(piece));
    this.#condemned.add(pieceKey(piece));
    return true;
  }

  /** The deletion is over. */
  pardon(piece: PieceIdentity): void {
    this.#condemned.delete(pieceKey(piece));
  }
}

/** Later than any `validUntil`, a uint64. */
const FOR_EVER = 1n << 64n;
