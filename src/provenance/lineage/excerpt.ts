import { HoldfastError } from "../../errors.js";
import type { Lineage, LineageNode } from "./graph.js";
import type { LineageEdge } from "./walk.js";

export const DEFAULT_MAX_NODES = 200;
/** Beyond it nobody reads a drawing, and to lay it out takes long. */
export const MOST_NODES = 1000;

/** All that one node is to another: drawn as one line. */
export interface Bond {
  readonly child: string;
  readonly parent: string;
  readonly kinds: readonly LineageEdge["kind"][];
  /** Whether rights are in conflict here. */
  readonly conflict: boolean;
}

/** A step at which rights are in conflict, as `checkRights` finds them. */
export interface ConflictingStep {
  readonly child: string;
  readonly parent: string;
}

/** What is drawn of a lineage. */
export interface Excerpt {
  readonly nodes: readonly LineageNode[];
  readonly bonds: readonly Bond[];
  /** How many nodes are left out. */
  readonly left: number;
}

/**
 * The nearest nodes of a lineage and what connects them.
 *
 * @throws HoldfastError `INVALID_MAX_NODES` where it isn't a whole number from 1 to {@link MOST_NODES}
 */
export function excerptOf(
  { nodes, edges }: Lineage,
  maxNodes = DEFAULT_MAX_NODES,
  conflicts: Iterable<ConflictingStep> = [],
): Excerpt {
  if (!Number.isInteger(maxNodes) || maxNodes < 1 || maxNodes > MOST_NODES) {
    const message = `a drawing can't be of at most ${maxNodes} nodes`;
    throw new HoldfastError("INVALID_MAX_NODES", message, `give a whole number from 1 to ${MOST_NODES}`);
  }
  const drawn = nodes.slice(0, maxNodes);
  const ids = new Set(drawn.map(({ id }) => id));
  const inConflict = new Set([...conflicts].map(({ child, parent }) => child + parent));
  const bonds = new Map<string, Bond>();
  for (const { child, parent, kind } of edges) {
    if (!ids.has(child) || !ids.has(parent)) continue;
    const key = child + parent;
    const kinds = [...(bonds.get(key)?.kinds ?? []), kind];
    bonds.set(key, { child, parent, kinds, conflict: inConflict.has(key) });
  }
  return { nodes: drawn, bonds: [...bonds.values()], left: nodes.length - drawn.length };
}
