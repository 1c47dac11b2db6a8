import type { Bond, Excerpt } from "./excerpt.js";
import type { LineageNode } from "./graph.js";

export const NODE_WIDTH = 244;
export const NODE_HEIGHT = 60;
const GAP = 26;
/** So many are put in a frame; side by side, they would make a drawing that nobody can read. */
const LEAST_FRAMED = 7;
/** Of a frame's width to its height. */
const ASPECT = 2;

/** What the layout places as one: a node, or a frame of nodes that hang from one line. */
export interface Unit {
  readonly id: string;
  readonly width: number;
  readonly height: number;
  readonly nodes: readonly LineageNode[];
  readonly columns: number;
}

/** An excerpt in which frames stand for what is in them. */
export interface Framed {
  readonly units: readonly Unit[];
  /** Ends are ids of units. */
  readonly bonds: readonly Bond[];
}

/**
 * Gathers nodes that have one bond only, with the same node, in the same direction and of the same kinds: the records of a
 * set, the parts of a corpus.
 */
export function framed({ nodes, bonds }: Excerpt): Framed {
  const bondsOf = new Map<string, Bond[]>(nodes.map(({ id }) => [id, []]));
  for (const bond of bonds) for (const id of [bond.child, bond.parent]) bondsOf.get(id)!.push(bond);
  const groups = Map.groupBy(nodes, (node) => keyOf(node, bondsOf.get(node.id)!));
  const frames = [...groups.values()].filter((group) => group.length >= LEAST_FRAMED);
  const frameOf = new Map(frames.flatMap((group, i) => group.map(({ id }) => [id, `frame ${i}`])));
  const units = [
    ...nodes.filter(({ id }) => !frameOf.has(id)).map((node) => unitOf(node.id, [node])),
    ...frames.map((group, i) => unitOf(`frame ${i}`, group)),
  ];
  const joined = new Map<string, Bond>();
  for (const bond of bonds) {
    const [child, parent] = [frameOf.get(bond.child) ?? bond.child, frameOf.get(bond.parent) ?? bond.parent];
    joined.set(`${child} ${parent}`, { ...bond, child, parent });
  }
  return { units, bonds: [...joined.values()] };
}

/** Nodes with the same key go into one frame; those that may not have their ids. */
function keyOf({ id, relation }: LineageNode, [bond, ...others]: readonly Bond[]): string {
  if (!bond || others.length > 0 || relation === "self") return id;
  const { child, parent, kinds, conflict } = bond;
  return [child === id ? `below ${parent}` : `above ${child}`, kinds, conflict].join();
}

function unitOf(id: string, nodes: readonly LineageNode[]): Unit {
  if (nodes.length === 1) return { id, nodes, columns: 1, width: NODE_WIDTH, height: NODE_HEIGHT };
  const [width, height] = [NODE_WIDTH + GAP, NODE_HEIGHT + GAP];
  const columns = Math.ceil(Math.sqrt((nodes.length * ASPECT * height) / width));
  const rows = Math.ceil(nodes.length / columns);
  return { id, nodes, columns, width: columns * width + GAP, height: rows * height + GAP };
}

/** Where each node of a unit lies, from the unit's centre. */
export function placesIn({ nodes, columns, width, height }: Unit): { node: LineageNode; x: number; y: number }[] {
  if (nodes.length === 1) return [{ node: nodes[0]!, x: 0, y: 0 }];
  return nodes.map((node, i) => ({
    node,
    x: -width / 2 + GAP + NODE_WIDTH / 2 + (i % columns) * (NODE_WIDTH + GAP),
    y: -height / 2 + GAP + NODE_HEIGHT / 2 + Math.floor(i / columns) * (NODE_HEIGHT + GAP),
  }));
}
