import { createHash } from "node:crypto";
import { commitmentOf, commitWithLayer, hashNodes, payloadUnder, prove, TreeLayer } from "../../../src/piece/index.js";

/** Level of the subtree that a bench piece repeats. */
const LEVEL = 10;

/** A piece whose proofs cost little to make and as much to check as any other of its height. */
export interface BenchPiece {
  readonly root: Uint8Array;
  /** Exactly 2^height: nothing is padding. */
  readonly leafCount: bigint;
  prove(indices: readonly bigint[]): Promise<Uint8Array>;
}

/**
 * A piece of pseudo-random bytes that repeat every 2^10 leaves. No node of it is a zero subtree, so each proof has as
 * many bytes as it would for data that never repeats.
 *
 * @param label - another label, other bytes
 * @param height - at least 10
 */
export async function makePiece(label: string, height: number): Promise<BenchPiece> {
  const size = payloadUnder(LEVEL);
  const unit = createHash("shake256", { outputLength: size }).update(label).digest();
  const base = await commitWithLayer(unit, { level: LEVEL });
  const nodes = Buffer.alloc(2 ** (height - LEVEL) * base.commitment.root.length, base.commitment.root);
  let root = base.commitment.root;
  for (let level = LEVEL; level < height; level++) root = hashNodes(root, root);
  const commitment = commitmentOf(root, BigInt(payloadUnder(height)));
  const layer = new TreeLayer(commitment, LEVEL, nodes);
  const read = (offset: number, length: number): Uint8Array => unit.subarray(offset % size, (offset % size) + length);
  return { root, leafCount: commitment.leafCount, prove: (indices) => prove(layer, read, indices) };
}
