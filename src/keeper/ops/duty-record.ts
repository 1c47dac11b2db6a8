/** Whether the last window of each deal was proven, as the chain has it: who was told of a miss, and when, is another matter. */
import { closedAt, type Tier } from "../../protocol/index.js";
import type { DutyRef } from "../../store/duties.js";
import { hasEnded } from "../deals.js";
import type { ReadEvent } from "../events.js";

/** What has to be known of a deal. */
interface Course {
  readonly firstEpoch: number;
  readonly periods: number;
  readonly tier: Tier;
  lastProven: number;
  /** The head at which it was read. */
  readonly readAt: number;
}

/** Blocks after which a window counts as over that nobody has read since: what comes of a proof in its last block is known by then. */
const UNREAD_BLOCKS = 8;

/** Deals as they were read last. Windows follow by arithmetic: a keeper that reads no more is seen to miss them. */
export class DutyRecord {
  readonly #tiers: readonly Tier[];
  readonly #courses = new Map<bigint, Course>();

  constructor(tiers: readonly Tier[]) {
    this.#tiers = tiers;
  }

  /** What has ended has no duties any more; what it missed is in the metrics. */
  read({ head, deals, absent }: ReadEvent): void {
    for (const id of absent) this.#courses.delete(id);
    for (const deal of deals) {
      const { id, firstEpoch, periods, lastProven } = deal;
      const course = { firstEpoch, periods, lastProven, tier: this.#tiers[deal.tier]!, readAt: head };
      if (hasEnded(deal)) this.#courses.delete(id);
      else this.#courses.set(id, course);
    }
  }

  /** A proof of an earlier window, told late, mends nothing. */
  proven({ id, window }: DutyRef): void {
    const course = this.#courses.get(id);
    if (course !== undefined) course.lastProven = Math.max(course.lastProven, window);
  }

  ended(id: bigint): void {
    this.#courses.delete(id);
  }

  /**
   * Deals whose last window is over at a head without a proof, and that window.
   *
   * @param head - the latest block
   */
  missed(head: number): DutyRef[] {
    const missed: DutyRef[] = [];
    for (const [id, { firstEpoch, periods, tier, lastProven, readAt }] of this.#courses) {
      // In the block after a window's last one nothing can prove it any more.
      const window = closedAt(firstEpoch, tier, periods, Math.max(readAt, head - UNREAD_BLOCKS) + 1);
      if (window > lastProven) missed.push({ id, window });
    }
    return missed;
  }
}
