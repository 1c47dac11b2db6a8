import { HoldfastError } from "../errors.js";
import { sameBytes } from "./bytes.js";
import { NODE_SIZE, payloadUnder, treeHeight } from "./geometry.js";
import type { TreeLayer } from "./layer.js";
import { hashNodes, Subtree } from "./tree.js";

/**
 * Reads `length` bytes of the payload from `offset`. Fewer bytes mean that the store has lost some.
 */
export type ReadPayloadRange = (offset: number, length: number) => Uint8Array | Promise<Uint8Array>;

/**
 * Builds the multiproof of a set of leaves, reading only the payload under the subtrees of `layer` that hold them.
 *
 * The order is depth first over the challenged leaves, left to right: each leaf, then the siblings on its way up that
 * the verifier can't derive. See `docs/piece.md` and the Solidity twin, `PieceTree`.
 *
 * @param layer - from {@link commitWithLayer} or {@link TreeLayer.decode}
 * @param read - reads a range of the payload; it is called once for each subtree, left to right
 * @param indices - leaves below leafCount, in any order; one that comes twice is proven once
 * @returns nodes of 32 bytes, concatenated
 * @throws HoldfastError `MISSING_BYTES` when `read` fails or returns too little, `CORRUPT_BYTES` when what it returns
 *   isn't what was committed to, `INVALID_INDICES` when there is none or one lies past the last leaf
 * @example
 * const proof = await prove(layer, (offset, length) => payload.subarray(offset, offset + length), [7n, 4_711n]);
 */
export async function prove(layer: TreeLayer, read: ReadPayloadRange, indices: Iterable<bigint>): Promise<Uint8Array> {
  const { height, leafCount } = layer.commitment;
  const leaves = toNumbers(sortedDistinct(indices), leafCount);
  const leavesPerSubtree = 2 ** layer.level;
  const subtree = new Subtree(layer.level);
  const proof: Uint8Array[] = [];
  const pending: number[] = [];
  let loaded = -1;
  for (const [turn, leaf] of leaves.entries()) {
    const position = Math.floor(leaf / leavesPerSubtree);
    if (position !== loaded) {
      await loadSubtree(layer, read, subtree, position);
      loaded = position;
    }
    const nodeAt = (level: number, at: number): Uint8Array =>
      level < layer.level ? subtree.node(level, at % 2 ** (layer.level - level)) : layer.node(level, at);
    proof.push(nodeAt(0, leaf));
    emitPath(leaf, leaves[turn + 1], height, pending, (level, at) => proof.push(nodeAt(level, at)));
  }
  return concatenate(proof);
}

/** Climbs from one leaf until the next one takes over or the root is reached, and names the siblings to send. */
function emitPath(
  leaf: number,
  next: number | undefined,
  height: number,
  pending: number[],
  emit: (level: number, position: number) => void,
): void {
  for (let level = 0; level < height; level++) {
    const position = Math.floor(leaf / 2 ** level);
    if (position % 2 === 1) {
      if (pending.at(-1) === level) pending.pop();
      else emit(level, position - 1);
    } else if (next !== undefined && Math.floor(next / 2 ** level) === position + 1) {
      pending.push(level);
      return;
    } else {
      emit(level, position + 1);
    }
  }
}

/** Fills `subtree` from the payload and checks it against the cached node. */
async function loadSubtree(
  layer: TreeLayer,
  read: ReadPayloadRange,
  subtree: Subtree,
  position: number,
): Promise<void> {
  const offset = position * payloadUnder(layer.level);
  const length = Math.min(payloadUnder(layer.level), Number(layer.commitment.payloadSize) - offset);
  const bytes = await readRange(read, offset, length);
  subtree.payload.set(bytes);
  subtree.build(length);
  if (!sameBytes(subtree.root(), layer.node(layer.level, position))) {
    throw new HoldfastError(
      "CORRUPT_BYTES",
      `the bytes from ${offset} to ${offset + length} are not the ones that were committed to`,
      "restore the piece from another copy before the window closes",
    );
  }
}

async function readRange(read: ReadPayloadRange, offset: number, length: number): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    bytes = await read(offset, length);
  } catch (cause) {
    // A reader that was stopped says nothing about the disk.
    if (cause instanceof Error && cause.name === "AbortError") throw cause;
    throw missing(`${length} bytes from ${offset} could not be read`, cause);
  }
  if (bytes.length !== length) throw missing(`${bytes.length} of ${length} bytes from ${offset} could be read`);
  return bytes;
}

function missing(message: string, cause?: unknown): HoldfastError {
  return new HoldfastError("MISSING_BYTES", message, "restore the piece from another copy before the window closes", {
    cause,
  });
}

/**
 * Checks a multiproof; the twin of the Solidity `PieceTree`.
 *
 * @param commitment - root and leafCount of the piece: the height follows from the latter
 * @param indices - the challenged leaves, ascending, each once: they come from the verifier, never from the prover
 * @param proof - nodes of 32 bytes, concatenated, in the order of {@link prove}
 * @returns whether the proof is exactly the one for these leaves: nothing missing, nothing left over
 * @throws HoldfastError `INVALID_INDICES` when they are empty, not ascending or past the last leaf,
 *   `INVALID_LEAF_COUNT` when no tree has that many leaves
 * @example
 * verifyProof({ root, leafCount }, [7n, 4_711n], proof);
 */
export function verifyProof(
  commitment: { readonly root: Uint8Array; readonly leafCount: bigint },
  indices: readonly bigint[],
  proof: Uint8Array,
): boolean {
  const height = treeHeight(commitment.leafCount);
  const leaves = toNumbers(indices, commitment.leafCount);
  let offset = 0;
  const take = (): Uint8Array | undefined => {
    const node = proof.subarray(offset, offset + NODE_SIZE);
    offset += NODE_SIZE;
    return node.length === NODE_SIZE ? node : undefined;
  };
  const pending: PendingNode[] = [];
  for (const [turn, leaf] of leaves.entries()) {
    const top = climb(leaf, leaves[turn + 1], height, pending, take);
    if (top === "short") return false;
    if (top !== "pending") return offset === proof.length && sameBytes(top, commitment.root);
  }
  return false;
}

interface PendingNode {
  readonly level: number;
  readonly node: Uint8Array;
}

/** The node at the top of one leaf's climb, or why there is none: it waits in `pending`, or the proof ran out. */
function climb(
  leaf: number,
  next: number | undefined,
  height: number,
  pending: PendingNode[],
  take: () => Uint8Array | undefined,
): Uint8Array | "pending" | "short" {
  let node = take();
  for (let level = 0; level < height && node; level++) {
    const position = Math.floor(leaf / 2 ** level);
    if (position % 2 === 1) {
      const left = pending.at(-1)?.level === level ? pending.pop()?.node : take();
      node = left && hashNodes(left, node);
    } else if (next !== undefined && Math.floor(next / 2 ** level) === position + 1) {
      pending.push({ level, node });
      return "pending";
    } else {
      const right = take();
      node = right && hashNodes(node, right);
    }
  }
  return node ?? "short";
}

/** Challenges as a proof takes them: ascending, each once. */
export function sortedDistinct(indices: Iterable<bigint>): bigint[] {
  return [...new Set(indices)].sort((a, b) => (a < b ? -1 : 1));
}

/** Leaf indices are below 2^40, so numbers hold them; the bitwise operators would not. */
function toNumbers(indices: readonly bigint[], leafCount: bigint): number[] {
  const ascending = indices.every((index, i) => i === 0 || index > (indices[i - 1] as bigint));
  if (!ascending || indices.length === 0 || (indices[0] as bigint) < 0n || (indices.at(-1) as bigint) >= leafCount) {
    throw new HoldfastError(
      "INVALID_INDICES",
      `leaf indices have to be ascending, distinct, at least one, and below ${leafCount}`,
      "derive them from the seed with the deal's own leafCount",
    );
  }
  return indices.map(Number);
}

function concatenate(nodes: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(nodes.length * NODE_SIZE);
  for (const [i, node] of nodes.entries()) bytes.set(node, i * NODE_SIZE);
  return bytes;
}
