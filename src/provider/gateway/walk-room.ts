/** What all walks through DAGs may remember together. */
import { HoldfastError } from "../../errors.js";

/** What one walk remembers. */
export interface WalkShare {
  /**
   * Says how much it is.
   *
   * @param cids - CIDs that it holds by now
   * @throws HoldfastError `NODE_BUSY` where the others leave it no more
   */
  hold(cids: number): void;
  /** The walk is over. */
  leave(): void;
}

/**
 * Room for the CIDs of walks. A peer that does not read keeps its walk's. One may hold as much as may be less half of what all others
 * hold: the first all, the next half, a quarter, and so on; together they never hold twice as much, and a small one comes through.
 */
export class WalkRoom {
  readonly #most: number;
  readonly #held = new Map<object, number>();
  #total = 0;

  /** @param most - CIDs, of some hundred bytes each */
  constructor(most: number) {
    this.#most = most;
  }

  enter(): WalkShare {
    const walk = {};
    this.#held.set(walk, 0);
    return { hold: (cids) => this.#hold(walk, cids), leave: () => this.#leave(walk) };
  }

  #hold(walk: object, cids: number): void {
    const before = this.#held.get(walk) ?? 0;
    const others = this.#total - before;
    if (cids > before && cids > this.#most - others / 2) {
      const hint = "ask again later, or for parts of it";
      throw new HoldfastError("NODE_BUSY", "too many large DAGs are being read from this node", hint);
    }
    this.#held.set(walk, cids);
    this.#total += cids - before;
  }

  #leave(walk: object): void {
    this.#total -= this.#held.get(walk) ?? 0;
    this.#held.delete(walk);
  }
}
