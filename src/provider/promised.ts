/** Which pieces this node has given its word on, so that none is deleted that a deal may still open for. */
import { hexlify } from "ethers";

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

  /** @param until - unix seconds, the last one included; without it, as long as this process lives */
  promise(piece: PieceIdentity, until?: bigint): void {
    const key = pieceKey(piece);
    const known = this.#until.get(key) ?? 0n;
    const asked = until ?? FOR_EVER;
    this.#until.set(key, asked > known ? asked : known);
  }

  /** Whether a deal can still open for this piece at `now`, in unix seconds of the chain. */
  isPromised(piece: PieceIdentity, now: number): boolean {
    return (this.#until.get(pieceKey(piece)) ?? -1n) >= BigInt(now);
  }
}

/** Later than any `validUntil`, a uint64. */
const FOR_EVER = 1n << 64n;
