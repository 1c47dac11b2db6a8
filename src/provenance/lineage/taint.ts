import type { Known } from "../known.js";
import { distances, edgesUp, turned } from "./walk.js";

/** How many are named of those that taint a node: a lineage can have thousands, and each of its nodes would name them all. */
export const MAX_TAINTED_BY = 16;

/**
 * Which ancestors taint each node: of those that are bad, the {@link MAX_TAINTED_BY} nearest, the nearest first, then in
 * the order of their ids. All ancestors count, whether or not they are among the nodes: what was made from two things is
 * tainted by both.
 *
 * Runs in O((records + edges) · {@link MAX_TAINTED_BY}). To pass on no more than that many is exact: a source that is not
 * among a parent's nearest is not among its children's by way of that parent either.
 *
 * @returns no entry for nodes that nothing taints
 */
export function taintedBy(
  known: ReadonlyMap<string, Known>,
  nodes: Iterable<string>,
  isBad: (id: string) => boolean,
): Map<string, string[]> {
  const within = distances(nodes, (id) => edgesUp(known.get(id)).map(({ parent }) => parent));
  const down = turned([...within.keys()].map((id) => known.get(id)));
  const sources = [...within.keys()].filter(isBad).sort();
  const reached = new Map<string, Set<string>>();
  const queue = sources.map((source) => ({ source, at: source }));
  // First in, first out: the distance only grows, and within one distance the sources stay in order.
  for (const { source, at } of queue) {
    for (const { child } of down.get(at) ?? []) {
      const by = reached.get(child) ?? new Set();
      if (child === source || by.has(source) || by.size >= MAX_TAINTED_BY) continue;
      reached.set(child, by.add(source));
      queue.push({ source, at: child });
    }
  }
  return new Map([...reached].map(([id, by]) => [id, [...by]]));
}
