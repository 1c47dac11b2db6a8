import { HoldfastError } from "../errors.js";
import { sameBytes } from "./bytes.js";
import { type Commitment, MIN_HEIGHT, NODE_SIZE } from "./geometry.js";
import { hashUp, zeroSubtree } from "./tree.js";

const MAGIC = new TextEncoder().encode("HFLAYER1");
const LEVEL_AT = MAGIC.length;
const HEADER_SIZE = 32;

/**
 * The nodes of one level of a piece's tree, left to right, as far as the payload reaches. With it, a proof needs the
 * payload under the subtrees it touches and nothing else.
 *
 * A layer is always consistent with its commitment: the constructor hashes it up and compares the root.
 */
export class TreeLayer {
  readonly commitment: Commitment;
  /** Level of `nodes`: each covers 2^level leaves, 127·2^(level−2) payload bytes. At most the tree's height. */
  readonly level: number;
  readonly nodes: Uint8Array;
  readonly #levels: readonly Uint8Array[];

  /** @throws HoldfastError `CORRUPT_LAYER` when the nodes don't hash to the commitment's root */
  constructor(commitment: Commitment, level: number, nodes: Uint8Array) {
    if (!Number.isInteger(level) || level < MIN_HEIGHT || level > commitment.height || commitment.leafCount < 1n) {
      throw corrupt(`level ${level} does not fit a tree of height ${commitment.height}`);
    }
    const count = Math.ceil(Number(commitment.leafCount) / 2 ** level);
    if (nodes.length !== count * NODE_SIZE) {
      throw corrupt(`${nodes.length} bytes of nodes where ${count * NODE_SIZE} belong`);
    }
    this.commitment = commitment;
    this.level = level;
    this.nodes = nodes;
    this.#levels = upperLevels(nodes, count, level, commitment.height);
    if (!sameBytes(this.node(commitment.height, 0), commitment.root))
      throw corrupt("its nodes do not hash to the root");
  }

  /**
   * A copy of one node of this level or above, padding included.
   *
   * @param level - from this layer's to the tree's height
   */
  node(level: number, position: number): Uint8Array {
    const at = position * NODE_SIZE;
    const nodes = this.#levels[level - this.level] as Uint8Array;
    return at < nodes.length ? nodes.slice(at, at + NODE_SIZE) : zeroSubtree(level);
  }

  /**
   * The layer as bytes, to be kept beside the payload: "HFLAYER1", level (1 byte), 23 zeros, then the nodes. Which
   * piece it belongs to isn't repeated: the nodes hash to its root.
   */
  encode(): Uint8Array {
    const bytes = new Uint8Array(HEADER_SIZE + this.nodes.length);
    bytes.set(MAGIC);
    bytes[LEVEL_AT] = this.level;
    bytes.set(this.nodes, HEADER_SIZE);
    return bytes;
  }

  /**
   * Reads what {@link TreeLayer.encode} wrote.
   *
   * @param commitment - of the piece that the layer is to serve, as from {@link decodePieceCid}
   * @throws HoldfastError `CORRUPT_LAYER` for bytes that are no layer, are damaged, or belong to another piece
   * @example
   * const layer = TreeLayer.decode(await readFile(`${pieceCid}.layer`), decodePieceCid(pieceCid));
   */
  static decode(bytes: Uint8Array, commitment: Commitment): TreeLayer {
    const header = new Uint8Array(HEADER_SIZE);
    const level = bytes[LEVEL_AT] ?? 0;
    header.set(MAGIC);
    header[LEVEL_AT] = level;
    if (!sameBytes(bytes.subarray(0, HEADER_SIZE), header)) throw corrupt("it has no header");
    return new TreeLayer(commitment, level, bytes.slice(HEADER_SIZE));
  }
}

/** The levels from the layer up to the root, each cut to the nodes that the payload touches. */
function upperLevels(nodes: Uint8Array, count: number, level: number, height: number): Uint8Array[] {
  const levels: Uint8Array[] = [];
  for (let above = level; above <= height; above++) {
    const touched = Math.ceil(count / 2 ** (above - level));
    levels.push(new Uint8Array((touched + (touched % 2)) * NODE_SIZE));
  }
  (levels[0] as Uint8Array).set(nodes);
  hashUp(levels, level, count);
  return levels;
}

function corrupt(reason: string): HoldfastError {
  return new HoldfastError(
    "CORRUPT_LAYER",
    `the cached tree layer is damaged: ${reason}`,
    "build it again from the payload with commitWithLayer()",
  );
}
