import { AbiCoder, keccak256 } from "ethers";

/** Providers are spread over this many phases of a period. */
export const PHASES = 16;

/** A row of a market's fixed table (PROTOCOL section 4). Epochs are block numbers. */
export interface Tier {
  /** Epochs from one challenge to the next. */
  readonly period: number;
  /** Epochs of the proving window after a challenge, below `period`. */
  readonly window: number;
  /** Leaves asked for in each window. */
  readonly challenges: number;
  /** Misses at which a deal defaults, where nothing was restored. */
  readonly maxMisses: number;
}

/**
 * Where in each period a provider's challenges of a tier fall: φ = (keccak256(provider, tier) mod 16) · ⌊period / 16⌋
 * (PROTOCOL section 5).
 *
 * @param provider - its address
 * @param tierIndex - row of the table, 0 to 255
 * @param period - of that tier, in epochs
 * @returns epochs, below `period`
 * @throws TypeError where `provider` is no address or `tierIndex` no uint8
 * @example
 * const first = firstEpoch(openedAt + challengeFinality, phaseOf(provider, 1, tiers[1].period), tiers[1].period);
 */
export function phaseOf(provider: string, tierIndex: number, period: number): number {
  const hash = keccak256(AbiCoder.defaultAbiCoder().encode(["address", "uint8"], [provider, tierIndex]));
  return Number(BigInt(hash) % BigInt(PHASES)) * Math.floor(period / PHASES);
}

/**
 * e_1: the least epoch ≥ `earliest` that is ≡ `phase` modulo `period` (PROTOCOL section 5).
 *
 * @param earliest - block of the opening plus challengeFinality
 * @param phase - from {@link phaseOf}
 * @param period - in epochs
 * @example
 * firstEpoch(105, 30, 100); // 130
 */
export function firstEpoch(earliest: number, phase: number, period: number): number {
  return earliest + ((phase + period - (earliest % period)) % period);
}

/**
 * e_k = e_1 + (k − 1)·period (PROTOCOL section 5): the block whose seed draws the challenges of window k.
 *
 * @param first - e_1
 * @param period - in epochs
 * @param k - window, from 1
 * @example
 * epochOf(130, 100, 3); // 330
 */
export function epochOf(first: number, period: number, k: number): number {
  return first + (k - 1) * period;
}

/** The blocks that belong to one challenge. */
export interface WindowBlocks {
  /** e_k: the block whose seed draws the challenges. */
  readonly epoch: number;
  /** The first block in which a proof is taken, e_k + 1. */
  readonly firstBlock: number;
  /** The last block in which a proof is taken, e_k + window. */
  readonly lastBlock: number;
}

/**
 * The blocks of window k: (e_k, e_k + window] (PROTOCOL section 5). Whether the deal has that window is not asked.
 *
 * @param first - e_1
 * @param tier - of the deal
 * @param k - window, from 1
 * @example
 * windowOf(130, { period: 100, window: 10, challenges: 3, maxMisses: 2 }, 1); // 130, 131 … 140
 */
export function windowOf(first: number, tier: Tier, k: number): WindowBlocks {
  const epoch = epochOf(first, tier.period, k);
  return { epoch, firstBlock: epoch + 1, lastBlock: epoch + tier.window };
}

/**
 * How many challenges have been drawn before block `at`: the number of k ≥ 1 with e_k < at. Not bounded by N.
 *
 * @param first - e_1
 * @param period - in epochs
 * @param at - a block number
 * @example
 * startedAt(130, 100, 130); // 0
 * startedAt(130, 100, 131); // 1
 */
export function startedAt(first: number, period: number, at: number): number {
  return at <= first ? 0 : Math.floor((at - first - 1) / period) + 1;
}

/**
 * How many of `periods` windows have closed at block `at`: the number of k ≤ N with e_k + window < at (PROTOCOL
 * section 5). In its last block a window is still open.
 *
 * @param first - e_1
 * @param tier - of the deal
 * @param periods - N
 * @param at - a block number
 * @example
 * closedAt(130, { period: 100, window: 10, challenges: 3, maxMisses: 2 }, 4, 141); // 1
 */
export function closedAt(first: number, tier: Tier, periods: number, at: number): number {
  return Math.min(startedAt(first + tier.window, tier.period, at), periods);
}

/**
 * The window that is open at block `at`: k with e_k < at ≤ e_k + window and k ≤ N (PROTOCOL section 5).
 *
 * @param first - e_1
 * @param tier - of the deal
 * @param periods - N
 * @param at - the block that a proof would be in: one after the latest for a transaction sent now
 * @returns k, or 0 where none is open
 * @example
 * openAt(130, { period: 100, window: 10, challenges: 3, maxMisses: 2 }, 4, 235); // 2
 */
export function openAt(first: number, tier: Tier, periods: number, at: number): number {
  const k = startedAt(first, tier.period, at);
  if (k === 0 || k > periods || at > windowOf(first, tier, k).lastBlock) return 0;
  return k;
}
