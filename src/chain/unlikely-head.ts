/** Whether a head can be the chain's, where several endpoints say what theirs is. */

/** Blocks that one may be ahead of most others: no honest one is so far behind while its head grows. */
const MOST_AHEAD = 64;
/** Milliseconds in which a chain that lives has a new block: the slowest, Filecoin, leaves out some of its 30 s now and then. */
const LIVE_MS = 300_000;

/** An endpoint as far as its head goes. */
export interface Headed {
  readonly head: number;
  /** When it was higher than before, last; by the same clock as `now`. */
  readonly grewAt: number;
}

/**
 * The highest head that is likely. Of three endpoints or more, one that is far above the middle makes its head up, as long as most
 * of them see new blocks: those that stand still know nothing of one that does not.
 *
 * @returns Infinity where nobody can tell
 */
export function highestLikely(endpoints: readonly Headed[], now: number): number {
  const known = endpoints.filter(({ head }) => head > 0);
  if (known.length < 3) return Number.POSITIVE_INFINITY;
  const heads = known.map(({ head }) => head).sort((a, b) => a - b);
  const limit = heads[(heads.length - 1) >> 1]! + MOST_AHEAD;
  const alive = known.filter(({ head, grewAt }) => head <= limit && now - grewAt <= LIVE_MS);
  return alive.length * 2 > known.length ? limit : Number.POSITIVE_INFINITY;
}
