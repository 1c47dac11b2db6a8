import type { Bond } from "./excerpt.js";
import type { Framed } from "./frames.js";

/**
 * How many rows all lines together may cross before most of them are drawn straight. Each costs the layout a waypoint a row,
 * and its time grows faster than their number: so many take it about a second.
 */
const MAX_ROWS_CROSSED = 800;

/** How a drawing is laid out. */
export interface Plan {
  /** The row that each has at least: below all its parents. */
  readonly ranks: ReadonlyMap<string, number>;
  /** Bonds that the layout finds a way for. */
  readonly routed: readonly Bond[];
  /** The rest. */
  readonly straight: readonly Bond[];
}

/**
 * Decides which bonds are routed: all of them, or, where there are too many, as many as may be of those from one row to the
 * next, each node's first one before any other's second.
 */
export function planOf(framed: Framed): Plan {
  const ranks = ranksOf(framed);
  const span = ({ child, parent }: Bond) => Math.max(1, ranks.get(child)! - ranks.get(parent)!);
  const crossed = framed.bonds.reduce((sum, bond) => sum + span(bond), 0);
  if (crossed <= MAX_ROWS_CROSSED) return { ranks, routed: framed.bonds, straight: [] };

  const seen = new Map<string, number>();
  const turns = framed.bonds.map((bond) => {
    const turn = seen.get(bond.child) ?? 0;
    if (span(bond) === 1) seen.set(bond.child, turn + 1);
    return { bond, turn: span(bond) === 1 ? turn : Number.POSITIVE_INFINITY };
  });
  const first = turns.filter(({ turn }) => turn < Number.POSITIVE_INFINITY).sort((a, b) => a.turn - b.turn);
  const routed = new Set(first.slice(0, MAX_ROWS_CROSSED / 2).map(({ bond }) => bond));
  return { ranks, routed: [...routed], straight: framed.bonds.filter((bond) => !routed.has(bond)) };
}

/** Longest way from the top, for each node. What lies on a circle comes last, wherever it was reached from. */
function ranksOf({ units, bonds }: Framed): Map<string, number> {
  const down = Map.groupBy(bonds, ({ parent }) => parent);
  const waits = new Map(units.map(({ id }) => [id, 0]));
  for (const { child } of bonds) waits.set(child, waits.get(child)! + 1);
  const ranks = new Map(units.map(({ id }) => [id, 0]));
  const ready = units.filter(({ id }) => waits.get(id) === 0).map(({ id }) => id);
  for (const id of ready) {
    for (const { child } of down.get(id) ?? []) {
      ranks.set(child, Math.max(ranks.get(child)!, ranks.get(id)! + 1));
      const left = waits.get(child)! - 1;
      waits.set(child, left);
      if (left === 0) ready.push(child);
    }
  }
  return ranks;
}
