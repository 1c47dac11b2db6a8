/**
 * Where each node and each line of a drawing goes: rows from the ancestors at the top to the descendants at the bottom, by
 * the method of Sugiyama as dagre has it.
 *
 * @packageDocumentation
 */
import { type EdgeLabel, Graph, type GraphLabel, layout, type NodeLabel } from "@dagrejs/dagre";
import type { Bond, Excerpt } from "./excerpt.js";
import { type Framed, framed, NODE_WIDTH, placesIn, type Unit } from "./frames.js";
import type { LineageNode } from "./graph.js";
import { type Plan, planOf } from "./ranks.js";

const LABEL_HEIGHT = 16;
/** Of a letter in a line's label. */
const LABEL_LETTER = 6.6;
/** The outline is flat so far to both sides of the middle, whatever the shape: there lines begin and end. */
const PORT_REACH = NODE_WIDTH / 2 - 40;
const PORT_GAP = 18;

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A node and its centre. */
export interface PlacedNode extends Point {
  readonly node: LineageNode;
}

/** A frame and its centre. */
export interface PlacedFrame extends Point {
  readonly width: number;
  readonly height: number;
}

/** A line from a parent to a child, either of which may be a frame. */
export interface PlacedBond {
  readonly bond: Bond;
  readonly label: string;
  /** What it leads from and to, in words. */
  readonly from: string;
  readonly to: string;
  readonly points: readonly Point[];
  /** Centre of the label; undefined where the line is drawn straight, under whatever is in its way. */
  readonly labelAt: Point | undefined;
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly nodes: readonly PlacedNode[];
  readonly frames: readonly PlacedFrame[];
  readonly bonds: readonly PlacedBond[];
}

type Dagre = Graph<GraphLabel, NodeLabel, EdgeLabel>;
type Placed = ReadonlyMap<string, Unit & Point>;

/** Lays out an excerpt. The same one gets the same places. */
export function layOut(excerpt: Excerpt): Layout {
  const drawn = framed(excerpt);
  const plan = planOf(drawn);
  // Names of our own: dagre keeps them as keys of objects, and an id might be anything.
  const names = new Map(drawn.units.map(({ id }, i) => [id, `n${i}`]));
  const graph = graphOf(drawn, plan, names);
  layout(graph);
  const placed: Placed = new Map(
    drawn.units.map((unit) => {
      const { x = 0, y = 0 } = graph.node(names.get(unit.id)!);
      return [unit.id, { ...unit, x, y }];
    }),
  );
  const units = [...placed.values()];
  const nodes = units.flatMap((unit) =>
    placesIn(unit).map(({ node, x, y }) => ({ node, x: unit.x + x, y: unit.y + y })),
  );
  const { width = 0, height = 0 } = graph.graph();
  return {
    width,
    height,
    nodes,
    frames: units.filter(isFrame),
    bonds: joined(bondsOf(plan, graph, names, placed), placed),
  };
}

const isFrame = (unit: Unit) => unit.nodes.length > 1;
const labelOf = ({ kinds }: Bond) => kinds.join(", ");
const nameOf = (unit: Unit) => (isFrame(unit) ? `${unit.nodes.length} records` : unit.id);

function bondsOf(plan: Plan, graph: Dagre, names: ReadonlyMap<string, string>, placed: Placed): PlacedBond[] {
  const place = (bond: Bond, points: readonly Point[], labelAt?: Point): PlacedBond => {
    const [from, to] = [placed.get(bond.parent)!, placed.get(bond.child)!];
    return { bond, label: labelOf(bond), from: nameOf(from), to: nameOf(to), points, labelAt };
  };
  const straight = plan.straight.map((bond) => place(bond, [placed.get(bond.parent)!, placed.get(bond.child)!]));
  const routed = plan.routed.map((bond) => {
    const { points = [], x = 0, y = 0 }: EdgeLabel = graph.edge(names.get(bond.parent)!, names.get(bond.child)!);
    return place(bond, points, { x, y });
  });
  return [...straight, ...routed];
}

function graphOf({ units }: Framed, plan: Plan, names: ReadonlyMap<string, string>): Dagre {
  const graph: Dagre = new Graph();
  graph.setGraph({ rankdir: "TB", ranker: "tight-tree", nodesep: 34, edgesep: 14, ranksep: 64 });
  for (const { id, width, height } of units) graph.setNode(names.get(id)!, { width, height });
  for (const bond of plan.routed) {
    const label = { width: labelOf(bond).length * LABEL_LETTER, height: LABEL_HEIGHT, labelpos: "c" as const };
    graph.setEdge(names.get(bond.parent)!, names.get(bond.child)!, label);
  }
  if (plan.straight.length > 0) addSpine(graph, plan, names);
  return graph;
}

/**
 * Where not all bonds are routed, dagre would not know of the others and might put a child above its parent. So units that
 * have no routed parent hang from an invisible spine that goes down row by row.
 */
function addSpine(graph: Dagre, { ranks, routed }: Plan, names: ReadonlyMap<string, string>): void {
  const held = new Set(routed.map(({ child }) => child));
  const rows = Math.max(...ranks.values());
  for (let row = -1; row < rows; row++) {
    graph.setNode(`s${row}`, { width: 0, height: 0 });
    if (row >= 0) graph.setEdge(`s${row - 1}`, `s${row}`, {});
  }
  for (const [id, rank] of ranks) if (!held.has(id)) graph.setEdge(`s${rank - 1}`, names.get(id)!, { weight: 0 });
}

/** Lets lines begin and end side by side, in the order of where they come from or go to. */
function joined(bonds: readonly PlacedBond[], placed: Placed): PlacedBond[] {
  const starts = ports(
    bonds,
    placed,
    (it) => it.bond.parent,
    ({ points }) => points[1]!,
  );
  const ends = ports(
    bonds,
    placed,
    (it) => it.bond.child,
    ({ points }) => points.at(-2)!,
  );
  return bonds.map((it) => {
    const [parent, child] = [placed.get(it.bond.parent)!, placed.get(it.bond.child)!];
    const from = { x: starts.get(it)!, y: parent.y + parent.height / 2 };
    const to = { x: ends.get(it)!, y: child.y - child.height / 2 };
    return { ...it, points: [from, ...it.points.slice(1, -1), to] };
  });
}

/** x of each line at one of its ends. */
function ports(
  bonds: readonly PlacedBond[],
  placed: Placed,
  endOf: (bond: PlacedBond) => string,
  towards: (bond: PlacedBond) => Point,
): Map<PlacedBond, number> {
  const found = new Map<PlacedBond, number>();
  for (const [id, group] of Map.groupBy(bonds, endOf)) {
    const sorted = group.toSorted((a, b) => towards(a).x - towards(b).x);
    const gap = Math.min(PORT_GAP, (2 * PORT_REACH) / sorted.length);
    for (const [i, bond] of sorted.entries()) found.set(bond, placed.get(id)!.x + (i - (sorted.length - 1) / 2) * gap);
  }
  return found;
}
