/**
 * The ancestors of a record in order, without recursion: a lineage may be longer than a stack is deep.
 *
 * @packageDocumentation
 */
import type { Edge } from "./conflict.js";

interface Parent {
  readonly id: string;
  readonly edge: Edge;
}

interface Pair {
  readonly record: string;
  readonly ancestor: string;
}

/** A record and everything that it was made from. */
export interface Ancestry {
  /** Ancestors before what was made from them; the target last. */
  readonly order: readonly string[];
  /** The parents that are known and are no descendants. */
  readonly parentsOf: (id: string) => readonly Parent[];
  /** Parents that weren't among the records. */
  readonly missing: readonly Pair[];
  /** Edges that led back. The registry has none; what was read elsewhere may. */
  readonly looped: readonly Pair[];
}

/** Walks from a record, which has to be in `nodes`, to all its ancestors, each once. */
export function ancestry(
  nodes: ReadonlyMap<string, { readonly parents: readonly Parent[] }>,
  target: string,
): Ancestry {
  const order: string[] = [];
  const kept = new Map<string, Parent[]>();
  const done = new Set<string>();
  const missing: Pair[] = [];
  const looped: Pair[] = [];
  const path = [{ id: target, next: 0 }];
  kept.set(target, []);
  for (let step = path.at(-1); step !== undefined; step = path.at(-1)) {
    const parent = nodes.get(step.id)!.parents[step.next++];
    if (parent === undefined) {
      done.add(step.id);
      order.push(step.id);
      path.pop();
    } else if (!nodes.has(parent.id)) {
      missing.push({ record: step.id, ancestor: parent.id });
    } else if (kept.has(parent.id) && !done.has(parent.id)) {
      looped.push({ record: step.id, ancestor: parent.id });
    } else {
      kept.get(step.id)!.push(parent);
      if (!kept.has(parent.id)) {
        kept.set(parent.id, []);
        path.push({ id: parent.id, next: 0 });
      }
    }
  }
  return { order, parentsOf: (id) => kept.get(id) ?? [], missing, looped };
}
