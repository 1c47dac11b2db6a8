/** Whether the last window of each deal was proven, as the chain has it: who was told of a miss, and when, is another matter. */
import { closedAt, Status, type Tier, windowOf } from "../../protocol/index.js";
import type { DutyRef } from "../../store/duties.js";
import { type Deal, hasEnded } from "../deals.js";
import type { ReadEvent } from "../events.js";

/** What has to be known of a deal. */
interface Course {
  readonly firstEpoch: number;
  /** Windows that are owed, as far as it is known: of a deal that has ended, those up to its end. */
  readonly periods: number;
  readonly ended: boolean;
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

  read({ head, deals, absent }: ReadEvent): void {
    for (const id of absent) this.#courses.delete(id);
    for (const deal of deals) {
      const { id, firstEpoch, lastProven } = deal;
      const due = { periods: owed(deal), ended: hasEnded(deal) };
      this.#courses.set(id, { firstEpoch, ...due, lastProven, tier: this.#tiers[deal.tier]!, readAt: head });
    }
  }

  /** A proof of an earlier window, told late, mends nothing. */
  proven({ id, window }: DutyRef): void {
    const course = this.#courses.get(id);
    if (course !== undefined) course.lastProven = Math.max(course.lastProven, window);
  }

  /**
   * Deals whose last window is over at a head without a proof, and that window. A deal that has ended has no next proof that would mend
   * it: it is told of until its next window would be over, and then forgotten.
   *
   * @param head - the latest block
   */
  missed(head: number): DutyRef[] {
    const missed: DutyRef[] = [];
    for (const [id, { firstEpoch, periods, ended, tier, lastProven, readAt }] of this.#courses) {
      if (ended && (lastProven >= periods || head >= windowOf(firstEpoch, tier, periods + 1).lastBlock)) {
        this.#courses.delete(id);
        continue;
      }
      // In the block after a window's last one nothing can prove it any more.
      const window = closedAt(firstEpoch, tier, periods, Math.max(readAt, head - UNREAD_BLOCKS) + 1);
      if (window > lastProven) missed.push({ id, window });
    }
    return missed;
  }
}

/** Nothing can be proven after a default: windows close after it that nobody owes. Those that are owed up to any other end are all closed. */
function owed(deal: Deal): number {
  const { allowance, closed, provenClosed, status } = deal.standing;
  if (status !== Status.Defaulted) return deal.periods;
  return Math.min(closed, provenClosed + allowance - deal.demandMisses);
}
