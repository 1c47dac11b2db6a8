/** How deals are settled, as a policy says. */
import type { Chain } from "../../chain/chain.js";
import { type CrewOptions, type SettlePolicy, settleAlways } from "../../keeper/index.js";
import type { PolicyFile } from "./file.js";

/** Others' deals are left to others. */
const settleNothing: SettlePolicy = () => false;

/**
 * What a policy says of settling. Without a section of its own, a provider's own deals are settled.
 *
 * @param provider - whose own deals are settled whatever a bounty says; without it, nobody's are
 * @throws HoldfastError `INVALID_AMOUNT`
 */
export async function settlingOf(
  { settle }: PolicyFile,
  { deployment }: Pick<Chain, "deployment">,
  provider?: string,
): Promise<CrewOptions["settling"]> {
  const { whose = "own", everyBlocks, depth, bountyTo, batch } = settle ?? {};
  return {
    policy: whose === "all" ? settleAlways : settleNothing,
    ...(provider !== undefined && { own: { provider, everyBlocks: everyBlocks ?? longestPeriod(deployment) } }),
    ...(depth !== undefined && { depth }),
    ...(bountyTo !== undefined && { bountyTo }),
    ...(batch !== undefined && { batchSize: batch }),
  };
}

/** Earnings of more than one period of any deal come in one transaction. */
function longestPeriod({ tiers }: Chain["deployment"]): number {
  return Math.max(...tiers.map(({ period }) => period));
}
