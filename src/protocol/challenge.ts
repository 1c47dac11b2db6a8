import { AbiCoder, getBytes, keccak256 } from "ethers";
import { HoldfastError } from "../errors.js";
import { sortedDistinct } from "../piece/proof.js";

/** What the challenges of one window are drawn from. */
export interface ChallengeInput {
  readonly chainId: bigint | number;
  /** Address of the market. */
  readonly market: string;
  readonly dealId: bigint;
  /** k, from 1. */
  readonly window: number;
  /** Seed of e_k, never 0. */
  readonly seed: bigint;
  /** Challenges of the tier. */
  readonly count: number;
  /** Leaves of the commitment in force, 1 to 2^40. */
  readonly leafCount: bigint;
}

/**
 * The leaves that a deal must prove in a window: keccak256(chainid, market, dealId, k, seed(e_k), i) mod leafCount for
 * i = 0 … count − 1 (PROTOCOL section 2).
 *
 * @returns ascending and each once, so there may be fewer than `count`; what `prove` of `src/piece` takes
 * @throws HoldfastError `INVALID_LEAF_COUNT` where leafCount is below 1
 * @example
 * const leaves = challengeIndices({ chainId, market, dealId, window: 1, seed, count: 5, leafCount: 4_096n });
 * const proof = await prove(layer, read, leaves);
 */
export function challengeIndices(input: ChallengeInput): bigint[] {
  const { chainId, market, dealId, window, seed, count, leafCount } = input;
  if (leafCount < 1n) {
    throw new HoldfastError("INVALID_LEAF_COUNT", `no leaf of ${leafCount} can be asked for`, "read it from the deal");
  }
  const types = ["uint256", "address", "uint256", "uint256", "uint256", "uint256"];
  const values = [chainId, market, dealId, window, seed, 0];
  // Encoded once: only the last word, i, differs from challenge to challenge.
  const preimage = getBytes(AbiCoder.defaultAbiCoder().encode(types, values));
  const lastWord = new DataView(preimage.buffer, preimage.byteOffset + preimage.length - 4);
  const leaves: bigint[] = [];
  for (let i = 0; i < count; i++) {
    lastWord.setUint32(0, i);
    leaves.push(BigInt(keccak256(preimage)) % leafCount);
  }
  return sortedDistinct(leaves);
}
