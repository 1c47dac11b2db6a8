import type { EdgeKind } from "../../protocol/index.js";
import { claimOf, type Known } from "../known.js";

/** One step between two nodes. */
export interface LineageEdge {
  readonly child: string;
  readonly parent: string;
  /** What the parent is to the child; `member`: the child was anchored in the parent, a set, before it was registered. */
  readonly kind: EdgeKind | "member";
}

/** The steps down from each id that has children. */
export type ChildrenIndex = ReadonlyMap<string, readonly LineageEdge[]>;

/** The steps from a record or a set to what it came from. */
export function edgesUp(known: Known | undefined): LineageEdge[] {
  if (known === undefined) return [];
  const { id: child } = known;
  const edges: LineageEdge[] = claimOf(known).parents.map(({ parent, kind }) => ({ child, parent, kind }));
  if (known.form === "record" && known.anchoredIn !== undefined) {
    edges.push({ child, parent: known.anchoredIn, kind: "member" });
  }
  return edges;
}

/**
 * Turns the edges round, once for any number of questions about the same records.
 *
 * @example
 * const children = childrenIndex(known);
 * const lineages = ids.map((id) => lineageOf(known, id, now, { children }));
 */
export function childrenIndex(known: ReadonlyMap<string, Known>): ChildrenIndex {
  return turned(known.values());
}

/** As {@link childrenIndex}, of some of them. */
export function turned(known: Iterable<Known | undefined>): Map<string, LineageEdge[]> {
  const index = new Map<string, LineageEdge[]>();
  for (const it of known) {
    for (const edge of edgesUp(it)) {
      const edges = index.get(edge.parent);
      if (edges) edges.push(edge);
      else index.set(edge.parent, [edge]);
    }
  }
  return index;
}

/**
 * Everything that can be reached, the nearest first, with its shortest distance in edges. Ends on any input: the registry
 * lets no circle in, but what a node answers need not come from a registry.
 */
export function distances(starts: Iterable<string>, next: (id: string) => Iterable<string>): Map<string, number> {
  const found = new Map<string, number>();
  for (const id of starts) found.set(id, 0);
  // A Map's iterator comes by what is added while it runs: it is the queue.
  for (const [id, distance] of found) {
    for (const neighbour of next(id)) if (!found.has(neighbour)) found.set(neighbour, distance + 1);
  }
  return found;
}
