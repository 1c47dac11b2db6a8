import type { Known } from "../known.js";
import type { Lineage, LineageNode, Relation } from "./graph.js";
import { NODE_STATES, type NodeState } from "./state.js";
import type { LineageEdge } from "./walk.js";

/** A value as JSON has it: integers that may be large are decimal strings. */
export type Plain<T> = T extends bigint
  ? string
  : T extends string | number | boolean | undefined
    ? T
    : { readonly [K in keyof T]: Plain<T[K]> };

/** How many there are of each sort. */
export interface LineageCounts {
  readonly nodes: number;
  readonly edges: number;
  readonly ancestors: number;
  readonly descendants: number;
  readonly tainted: number;
  readonly states: Readonly<Record<NodeState, number>>;
}

export interface LineageJson {
  readonly id: string;
  readonly now: string;
  readonly nodes: readonly (Omit<LineageNode, "known" | "claim"> & { readonly known?: Plain<Known> })[];
  readonly edges: readonly LineageEdge[];
  readonly counts: LineageCounts;
}

/** Counts the nodes of a lineage. */
export function countLineage({ nodes, edges }: Lineage): LineageCounts {
  const how = (test: (node: LineageNode) => boolean) => nodes.filter(test).length;
  const related = (relation: Relation) => how((node) => node.relation === relation);
  const states = Object.fromEntries(NODE_STATES.map((state) => [state, how((node) => node.state === state)]));
  return {
    nodes: nodes.length,
    edges: edges.length,
    ancestors: related("ancestor"),
    descendants: related("descendant"),
    tainted: how(({ tainted }) => tainted),
    states: states as Record<NodeState, number>,
  };
}

/** A lineage as `--json` prints it: everything that is known of each node, and counts. */
export function lineageJson(lineage: Lineage): LineageJson {
  const { id, now, nodes, edges } = lineage;
  return {
    id,
    now: `${now}`,
    nodes: nodes.map(({ known, claim: _, ...node }) => (known ? { ...node, known: plain(known) } : node)),
    edges,
    counts: countLineage(lineage),
  };
}

function plain(known: Known): Plain<Known> {
  return JSON.parse(JSON.stringify(known, (_, value) => (typeof value === "bigint" ? `${value}` : value)));
}
