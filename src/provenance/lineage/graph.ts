/**
 * The lineage of a record: what it came from, what was made of it, and how each of these stands.
 *
 * @packageDocumentation
 */
import { isHexString } from "ethers";
import { HoldfastError } from "../../errors.js";
import { type Claim, claimOf, type Known } from "../known.js";
import { type NodeState, stateOf, taints } from "./state.js";
import { taintedBy } from "./taint.js";
import { type ChildrenIndex, childrenIndex, distances, edgesUp, type LineageEdge } from "./walk.js";

const RELATIONS = ["self", "ancestor", "descendant"] as const;
export type Relation = (typeof RELATIONS)[number];

/** A record or a set in a lineage. */
export interface LineageNode {
  readonly id: string;
  /** Undefined where it wasn't read, or isn't registered any more after a reorganisation. */
  readonly known: Known | undefined;
  readonly claim: Claim | undefined;
  readonly relation: Relation;
  /** How many edges lead to it, by the shortest way. */
  readonly depth: number;
  readonly state: NodeState;
  /** Whether something that it came from, at whatever distance, is withdrawn or disputed. */
  readonly tainted: boolean;
  /** Ids of those, the nearest first, {@link MAX_TAINTED_BY} at most. They need not be in the lineage themselves. */
  readonly taintedBy: readonly string[];
}

/** What a record came from and what was made of it. */
export interface Lineage {
  /** Of whom it is the lineage. */
  readonly id: string;
  /** Unix seconds at which attestations were held against their expiry. */
  readonly now: bigint;
  /** The nearest first; at one depth ancestors before descendants, then in the order of their ids. */
  readonly nodes: readonly LineageNode[];
  /** Between these nodes, in the order of the children. */
  readonly edges: readonly LineageEdge[];
}

export interface LineageOptions {
  /** From {@link childrenIndex}, where many questions are asked of the same records. */
  readonly children?: ChildrenIndex;
  /** Whose disputes count: anybody's by default, and anybody can dispute anything for the price of a transaction. */
  readonly attesters?: Iterable<string>;
}

/**
 * Ancestors and descendants of a record or a set, in time linear in what is reached. Not part of it is what else its
 * descendants were made from, though that can taint them.
 *
 * @param known - by id
 * @param now - Unix seconds
 * @throws HoldfastError `INVALID_RECORD_ID` where the id isn't 32 bytes in hex
 * @example
 * const { nodes } = lineageOf(known, id, BigInt(Math.floor(Date.now() / 1000)));
 * const doubtful = nodes.filter(({ tainted }) => tainted);
 */
export function lineageOf(
  known: ReadonlyMap<string, Known>,
  id: string,
  now: bigint,
  options: LineageOptions = {},
): Lineage {
  if (!isHexString(id, 32)) {
    throw new HoldfastError("INVALID_RECORD_ID", `${id.slice(0, 80)} is not an id`, "give 32 bytes in hex, with 0x");
  }
  const self = id.toLowerCase();
  const children = options.children ?? childrenIndex(known);
  const attesters = options.attesters && new Set([...options.attesters].map((address) => address.toLowerCase()));
  const state = (it: string) => stateOf(known.get(it), now, attesters);

  const places = placesOf(known, self, children);
  const tainted = taintedBy(known, places.keys(), (it) => taints(state(it)));
  const nodes = [...places].map(([it, place]): LineageNode => {
    const found = known.get(it);
    const by = tainted.get(it) ?? [];
    const claim = found && claimOf(found);
    return { id: it, known: found, claim, ...place, state: state(it), tainted: by.length > 0, taintedBy: by };
  });
  nodes.sort(nearestFirst);
  const edges = nodes.flatMap((node) => edgesUp(node.known).filter(({ parent }) => places.has(parent)));
  return { id: self, now, nodes, edges };
}

type Place = Pick<LineageNode, "relation" | "depth">;

function placesOf(known: ReadonlyMap<string, Known>, self: string, children: ChildrenIndex): Map<string, Place> {
  const below = distances([self], (id) => (children.get(id) ?? []).map(({ child }) => child));
  const above = distances([self], (id) => edgesUp(known.get(id)).map(({ parent }) => parent));
  const places = new Map<string, Place>();
  for (const [id, depth] of below) places.set(id, { relation: "descendant", depth });
  for (const [id, depth] of above) places.set(id, { relation: "ancestor", depth });
  return places.set(self, { relation: "self", depth: 0 });
}

function nearestFirst(a: LineageNode, b: LineageNode): number {
  return a.depth - b.depth || RELATIONS.indexOf(a.relation) - RELATIONS.indexOf(b.relation) || (a.id < b.id ? -1 : 1);
}
