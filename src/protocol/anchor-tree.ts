/**
 * The tree over the records of an anchored set: the contract's `AnchorTree`, off chain.
 *
 * @packageDocumentation
 */
import { keccak_256 } from "@noble/hashes/sha3.js";
import { HoldfastError } from "../errors.js";

const NODE = 32;
const [LEAF_PREFIX, NODE_PREFIX] = [0x00, 0x01];

/** keccak256(0x00 ‖ record id): a leaf, 32 bytes. */
export function anchorLeaf(recordId: Uint8Array): Uint8Array<ArrayBuffer> {
  const preimage = new Uint8Array(1 + NODE);
  preimage[0] = LEAF_PREFIX;
  preimage.set(recordId, 1);
  return new Uint8Array(keccak_256(preimage));
}

/** keccak256(0x01 ‖ left ‖ right): a node, 32 bytes. */
export function anchorNode(left: Uint8Array, right: Uint8Array): Uint8Array<ArrayBuffer> {
  const preimage = new Uint8Array(1 + 2 * NODE);
  preimage[0] = NODE_PREFIX;
  preimage.set(left, 1);
  preimage.set(right, 1 + NODE);
  return new Uint8Array(keccak_256(preimage));
}

/** Levels between a leaf and the root of a tree of `count` leaves: ceil(log2(count)). */
export function anchorDepth(count: number): number {
  let depth = 0;
  while (2 ** depth < count) depth++;
  return depth;
}

/**
 * Roots of trees of zero leaves only, one for each level below `depth` and one for it: what stands for the leaves after
 * the last one.
 */
export function anchorZeros(depth: number): Uint8Array[] {
  const roots = [new Uint8Array(NODE)];
  for (let level = 1; level <= depth; level++) {
    const below = roots[level - 1] as Uint8Array;
    roots.push(anchorNode(below, below));
  }
  return roots;
}

/**
 * A tree with all its layers, from the leaves up, each packed: 64 bytes a record.
 *
 * @example
 * const tree = AnchorTree.of(recordIds.map((id) => getBytes(id)));
 * const proof = tree.proof(5); // as the contract's `isAnchored` takes it
 */
export class AnchorTree {
  readonly count: number;
  /** Nodes one after the other, 32 bytes each; the first layer is that of the leaves, the last one the root. */
  readonly layers: readonly Uint8Array[];
  readonly #zeros: readonly Uint8Array[];

  private constructor(count: number, layers: readonly Uint8Array[], zeros: readonly Uint8Array[]) {
    this.count = count;
    this.layers = layers;
    this.#zeros = zeros;
  }

  /**
   * @param recordIds - 32 bytes each, in the order of their places
   * @throws HoldfastError `EMPTY_SET`
   */
  static of(recordIds: Iterable<Uint8Array>): AnchorTree {
    const bottom = leafLayer(recordIds);
    const count = bottom.length / NODE;
    if (count === 0)
      throw new HoldfastError("EMPTY_SET", "a set has at least one record", "name a folder that has a file");
    const depth = anchorDepth(count);
    const zeros = anchorZeros(depth);
    const layers: Uint8Array[] = [bottom];
    for (let level = 0; level < depth; level++) layers.push(above(layers[level] as Uint8Array, zeros[level]!));
    return new AnchorTree(count, layers, zeros);
  }

  /** 32 bytes. */
  get root(): Uint8Array {
    return this.layers.at(-1) as Uint8Array;
  }

  /** The siblings of a leaf, from its level up, one after the other. @throws RangeError where there is no such leaf */
  proof(index: number): Uint8Array[] {
    if (!(Number.isInteger(index) && index >= 0 && index < this.count))
      throw new RangeError(`no leaf ${index} among ${this.count}`);
    return this.layers.slice(0, -1).map((layer, level) => {
      const at = NODE * ((index >> level) ^ 1);
      return at < layer.length ? layer.slice(at, at + NODE) : (this.#zeros[level] as Uint8Array);
    });
  }
}

/** Leaves as they come, in a buffer that doubles: a million of them as arrays of their own would take some 200 MB. */
function leafLayer(recordIds: Iterable<Uint8Array>): Uint8Array {
  let leaves = new Uint8Array(NODE * 1024);
  let end = 0;
  for (const id of recordIds) {
    if (end === leaves.length) {
      const larger = new Uint8Array(2 * end);
      larger.set(leaves);
      leaves = larger;
    }
    leaves.set(anchorLeaf(id), end);
    end += NODE;
  }
  return leaves.slice(0, end);
}

function above(layer: Uint8Array, zero: Uint8Array): Uint8Array {
  const pairs = Math.ceil(layer.length / (2 * NODE));
  const result = new Uint8Array(NODE * pairs);
  const preimage = new Uint8Array(1 + 2 * NODE);
  preimage[0] = NODE_PREFIX;
  for (let i = 0; i < pairs; i++) {
    const pair = layer.subarray(2 * NODE * i, 2 * NODE * (i + 1));
    preimage.set(pair, 1);
    if (pair.length === NODE) preimage.set(zero, 1 + NODE);
    result.set(keccak_256(preimage), NODE * i);
  }
  return result;
}

/**
 * The root of the tree in which a record is at a place, if the siblings are right.
 *
 * @param proof - the siblings from the leaf up to the root
 * @returns 32 bytes
 */
export function anchorRootOf(recordId: Uint8Array, index: number, proof: readonly Uint8Array[]): Uint8Array {
  let node = anchorLeaf(recordId);
  for (const [level, sibling] of proof.entries()) {
    node = Math.floor(index / 2 ** level) % 2 === 0 ? anchorNode(node, sibling) : anchorNode(sibling, node);
  }
  return node;
}

/** Whether a record is at a place in a tree: the contract's `includes`. @param proof - from {@link AnchorTree.proof} */
export function includesRecord(
  root: Uint8Array,
  count: number,
  recordId: Uint8Array,
  index: number,
  proof: readonly Uint8Array[],
): boolean {
  if (!Number.isSafeInteger(index) || index < 0 || index >= count || proof.length !== anchorDepth(count)) return false;
  const node = anchorRootOf(recordId, index, proof);
  return node.length === root.length && node.every((byte, i) => byte === root[i]);
}
