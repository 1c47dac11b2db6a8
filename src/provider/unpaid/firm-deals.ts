import type { HeadUpdate } from "../../chain/follower.js";
import type { Deal } from "../../keeper/deals.js";

/** Which deals are so deep in the chain that no reorganisation takes them back. It is told at each head what there is. */
export class FirmDeals {
  readonly #depth: number;
  readonly #firm = new Set<bigint>();
  /** Heads that the others were seen at first. */
  readonly #seen = new Map<bigint, number>();

  /** @param depth - blocks after which a deal is firm */
  constructor(depth: number) {
    this.#depth = depth;
  }

  has(id: bigint): boolean {
    return this.#firm.has(id);
  }

  /** What was seen in blocks that are gone was not seen. */
  rewind({ ancestor = Number.POSITIVE_INFINITY }: HeadUpdate): void {
    for (const [id, first] of this.#seen) if (first > ancestor) this.#seen.delete(id);
  }

  /**
   * @param asked - deals that are not firm
   * @param there - those of them that exist
   * @param head - the number of the block that they were read at
   */
  note(asked: readonly bigint[], there: readonly Deal[], head: number): void {
    const found = new Set(there.map(({ id }) => id));
    for (const id of asked) if (!found.has(id)) this.#seen.delete(id);
    for (const { id, firstEpoch } of there) {
      // A deal is opened before its first window: an old one need not be waited for.
      const first = Math.min(this.#seen.get(id) ?? head, firstEpoch);
      this.#seen.set(id, first);
      if (head - first < this.#depth) continue;
      this.#firm.add(id);
      this.#seen.delete(id);
    }
  }
}
