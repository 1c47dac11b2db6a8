/** How fast a chain's blocks come. */
import type { Provider } from "ethers";
import { blockFrom } from "./blocks.js";

/** Chains that mine when a developer says so: no head of theirs is ever late. */
const DEVELOPMENT: ReadonlySet<number> = new Set([1_337, 31_337, 31_415_926]);

/** Whether a chain id is one of a developer's own machine: those of geth and Ganache, Hardhat and Anvil, and Lotus. */
export function isDevelopmentChain(chainId: number | bigint): boolean {
  return DEVELOPMENT.has(Number(chainId));
}

/** What a reorganisation can take back, in seconds: a signature that has just run out may be in time on another branch. */
export const REORG_SECONDS = 900;

const SAMPLE = 200;

/**
 * Seconds between the last 200 blocks, null rounds counted as blocks, as their timestamps have it; at least one second, which is as fine as those are.
 *
 * @throws What the provider throws.
 */
export async function measureBlockSeconds(provider: Provider): Promise<number> {
  const head = await provider.getBlock("latest");
  // Block 0 often has a timestamp that nobody chose.
  const first = head && (await blockFrom(provider, Math.max(1, head.number - SAMPLE), head.number - 1));
  if (!head || !first) return 1;
  return Math.max(1, (head.timestamp - first.timestamp) / (head.number - first.number));
}
