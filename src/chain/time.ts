/** What time a chain has it, for things that expire. */
import type { Provider } from "ethers";

/**
 * Unix seconds, as the next block will have them at least: the latest block's time, or this machine's where that is
 * later. A development chain's clock can run ahead of the wall, and stands still while nothing is mined.
 *
 * @throws What the provider throws where it can't be asked.
 */
export async function chainTime(provider: Provider): Promise<bigint> {
  const block = await provider.getBlock("latest");
  return BigInt(Math.max(block?.timestamp ?? 0, Math.floor(Date.now() / 1_000)));
}
