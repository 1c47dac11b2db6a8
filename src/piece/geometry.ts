import { HoldfastError } from "../errors.js";

/** Bytes of a tree node; a leaf is a node of level 0. */
export const NODE_SIZE = 32;

/** Payload bytes that Fr32 padding spreads over four leaves (one "quad", 128 padded bytes). */
export const QUAD_PAYLOAD = 127;

/** CommP's smallest tree: 127 payload bytes, four leaves (FRC-0069 pads anything shorter to that). */
export const MIN_HEIGHT = 2;

/** The tallest tree that a deal can hold: leafCount ≤ 2^40. */
export const MAX_HEIGHT = 40;

/** The largest payload in bytes, 127·2^38 (about 31.75 TiB); it fits a safe integer. */
export const MAX_PAYLOAD_SIZE = 127n << 38n;

/**
 * What a deal commits to. Off chain it travels as a PieceCIDv2, on chain as `(root, leafCount)`.
 */
export interface Commitment {
  /** Root of the tree: 32 bytes, the two top bits of the last one clear. */
  readonly root: Uint8Array;
  /** Leaves that the payload touches, ⌈4·payloadSize / 127⌉; challenges fall below it. */
  readonly leafCount: bigint;
  /** Height of the tree: max(2, ⌈log2 leafCount⌉). */
  readonly height: number;
  /** Bytes of the payload, before any padding. */
  readonly payloadSize: bigint;
  /** Zero bytes that would fill the payload up to a full tree, 127·2^(height−2) − payloadSize. */
  readonly padding: bigint;
}

/**
 * Leaves that a payload touches: Fr32 puts 254 payload bits in a leaf, so ⌈8·n / 254⌉.
 *
 * @param payloadSize - bytes of the payload
 */
export function leafCountOf(payloadSize: bigint): bigint {
  return (4n * payloadSize + 126n) / 127n;
}

/**
 * Height of the tree over `leafCount` leaves: the least that holds them, but never under 2.
 *
 * @throws HoldfastError `INVALID_LEAF_COUNT` when leafCount is negative or over 2^40
 */
export function treeHeight(leafCount: bigint): number {
  if (leafCount < 0n || leafCount > 1n << BigInt(MAX_HEIGHT)) {
    throw new HoldfastError("INVALID_LEAF_COUNT", `no tree has ${leafCount} leaves`, "give a leafCount of 1 to 2^40");
  }
  let height = MIN_HEIGHT;
  while (1n << BigInt(height) < leafCount) height++;
  return height;
}

/** Payload bytes under a full subtree of `level` ≥ 2: 127·2^(level−2). */
export function payloadUnder(level: number): number {
  return QUAD_PAYLOAD * 2 ** (level - MIN_HEIGHT);
}

/**
 * The commitment of a payload whose root is known: every other field follows from its size.
 *
 * A payload of 0 bytes gives leafCount 0n, which no deal accepts.
 *
 * @param root - 32 bytes with the two top bits of the last one clear
 * @param payloadSize - bytes of the payload, before padding
 * @throws HoldfastError `INVALID_ROOT`, `PIECE_TOO_LARGE`, `INVALID_SIZE`
 */
export function commitmentOf(root: Uint8Array, payloadSize: bigint): Commitment {
  checkRoot(root);
  if (payloadSize < 0n) {
    throw new HoldfastError("INVALID_SIZE", `a payload cannot have ${payloadSize} bytes`, "give the size in bytes");
  }
  if (payloadSize > MAX_PAYLOAD_SIZE) {
    throw new HoldfastError(
      "PIECE_TOO_LARGE",
      `a payload of ${payloadSize} bytes is over the ${MAX_PAYLOAD_SIZE} that one piece can hold`,
      "split the data into several pieces",
    );
  }
  const leafCount = leafCountOf(payloadSize);
  const height = treeHeight(leafCount);
  return { root, leafCount, height, payloadSize, padding: BigInt(payloadUnder(height)) - payloadSize };
}

/** @throws HoldfastError `INVALID_ROOT` unless `root` can be a node of a CommP tree */
export function checkRoot(root: Uint8Array): void {
  if (root.length !== NODE_SIZE || ((root[NODE_SIZE - 1] ?? 0) & 0xc0) !== 0) {
    throw new HoldfastError(
      "INVALID_ROOT",
      "a root is 32 bytes with the two top bits of the last one clear",
      "compute the root with commit() or read it from a PieceCID",
    );
  }
}
