import { hashPairs } from "#piece-hasher";
import { fr32Pad, UNIT_PADDED, UNIT_PAYLOAD } from "./fr32.js";
import { leafCountOf, MAX_HEIGHT, NODE_SIZE, payloadUnder } from "./geometry.js";

/**
 * Hashes one level: every 64 bytes of `nodes` become a 32-byte parent, SHA-256 with the two top bits of the last
 * byte cleared (`sha2-256-trunc254-padded`).
 */
export function hashLevel(nodes: Uint8Array, parents: Uint8Array): void {
  hashPairs(nodes, parents);
  for (let last = NODE_SIZE - 1; last < parents.length; last += NODE_SIZE) {
    parents[last] = (parents[last] as number) & 0x3f;
  }
}

/** The parent of two nodes, in memory of its own. */
export function hashNodes(left: Uint8Array, right: Uint8Array): Uint8Array {
  const pair = new Uint8Array(2 * NODE_SIZE);
  pair.set(left);
  pair.set(right, NODE_SIZE);
  const parent = new Uint8Array(NODE_SIZE);
  hashLevel(pair, parent);
  return parent;
}

const ZERO_SUBTREES: readonly Uint8Array[] = (() => {
  const nodes: Uint8Array[] = [new Uint8Array(NODE_SIZE)];
  for (let level = 0; level < MAX_HEIGHT; level++) {
    const node = nodes[level] as Uint8Array;
    nodes.push(hashNodes(node, node));
  }
  return nodes;
})();

/**
 * Root of the tree of `level` over zero leaves only, in memory of its own: what pads a piece, and the root of any
 * payload of zeros that needs that height.
 *
 * @param level - 0 to 40
 */
export function zeroSubtree(level: number): Uint8Array {
  return zeroNode(level).slice();
}

/** The shared copy of {@link zeroSubtree}, for reading only. */
export function zeroNode(level: number): Uint8Array {
  return ZERO_SUBTREES[level] as Uint8Array;
}

/**
 * Hashes up the first `count` nodes of `levels[0]` in place: `levels[i]` has room for a whole level, and a level
 * with an odd number of nodes gets one zero subtree of its own height.
 *
 * @param bottom - tree level of `levels[0]`, which decides what its zero subtree is
 */
export function hashUp(levels: readonly Uint8Array[], bottom: number, count: number): void {
  let nodes = count;
  for (let i = 0; i + 1 < levels.length; i++) {
    const level = levels[i] as Uint8Array;
    if (nodes % 2 === 1) {
      level.set(zeroNode(bottom + i), nodes * NODE_SIZE);
      nodes++;
    }
    nodes /= 2;
    hashLevel(level.subarray(0, 2 * nodes * NODE_SIZE), (levels[i + 1] as Uint8Array).subarray(0, nodes * NODE_SIZE));
  }
}

/**
 * Workspace for one subtree: the caller writes payload bytes into `payload` and calls `build`; after that every node
 * can be read. Reused for the next subtree, so memory stays at about three times the payload under it.
 */
export class Subtree {
  /** Height of the subtree. */
  readonly level: number;
  /** Where the payload goes: exactly the bytes under a full subtree. */
  readonly payload: Uint8Array;
  readonly #levels: readonly Uint8Array[];
  readonly #source: Uint8Array;
  readonly #sourceView: DataView;
  readonly #leavesView: DataView;
  #leaves = 0;

  /** @param level - height of the subtree, at least 2 */
  constructor(level: number) {
    this.level = level;
    const size = payloadUnder(level);
    const units = Math.ceil(size / UNIT_PAYLOAD);
    this.#source = new Uint8Array(units * UNIT_PAYLOAD + 4);
    this.#sourceView = new DataView(this.#source.buffer);
    this.payload = this.#source.subarray(0, size);
    const leaves = new ArrayBuffer(units * UNIT_PADDED);
    this.#leavesView = new DataView(leaves);
    const levels = [new Uint8Array(leaves, 0, 2 ** level * NODE_SIZE)];
    for (let above = 1; above <= level; above++) levels.push(new Uint8Array(2 ** (level - above) * NODE_SIZE));
    this.#levels = levels;
  }

  /** Hashes the tree over the first `length` bytes of `payload`; what follows them counts as zeros. */
  build(length: number): void {
    const units = Math.ceil(length / UNIT_PAYLOAD);
    this.#source.fill(0, length, units * UNIT_PAYLOAD);
    fr32Pad(this.#sourceView, this.#leavesView, units);
    this.#leaves = Number(leafCountOf(BigInt(length)));
    hashUp(this.#levels, 0, this.#leaves);
  }

  /** The nodes of one level that the payload touches, as a view that the next `build` overwrites. */
  touched(level: number): Uint8Array {
    const count = Math.ceil(this.#leaves / 2 ** level);
    return (this.#levels[level] as Uint8Array).subarray(0, count * NODE_SIZE);
  }

  /** A copy of one node, padding included. */
  node(level: number, position: number): Uint8Array {
    const at = position * NODE_SIZE;
    const touched = this.touched(level);
    return at < touched.length ? touched.slice(at, at + NODE_SIZE) : zeroSubtree(level);
  }

  /** A copy of the subtree's root. */
  root(): Uint8Array {
    return this.node(this.level, 0);
  }
}
