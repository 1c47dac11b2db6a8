/** The seeds that proofs of possession are drawn from. */
import type { Contracts } from "./contracts.js";

/**
 * The seed of `epoch` as a transaction in the block after `head` reads it. That of the latest block itself is only there
 * from the next one on, which nodes call pending.
 *
 * @throws What ethers throws: a revert with `SeedUnavailable` where the seed is not there yet.
 * @example
 * ```ts
 * const head = await provider.getBlockNumber();
 * const seed = await seedAfter(contracts, possessionEpoch(head + 1), head);
 * ```
 */
export function seedAfter({ randomness }: Pick<Contracts, "randomness">, epoch: number, head: number): Promise<bigint> {
  return randomness.seed(epoch, { blockTag: epoch < head ? "latest" : "pending" });
}
