import { getAddress } from "ethers";
import type { Chain } from "../../chain/chain.js";
import { type Deal, stakeOf } from "../../keeper/deals.js";

/**
 * Whether deals are all that a provider has: what the market has locked of its stake is theirs to the last unit. Where an endpoint
 * leaves out logs it is not, since a deal that nobody heard of has some locked too; one without collateral has none.
 *
 * @param tokens - in which there may be deals that are not known
 * @param deals - all that are known, as they stand at block `at`
 * @param at - the number of a block
 * @throws what the node answers
 */
export async function areAllDeals(
  { contracts, deployment }: Chain,
  provider: string,
  tokens: readonly string[],
  deals: readonly Deal[],
  at: number,
): Promise<boolean> {
  const known = new Map([deployment.stakeToken, ...tokens].map((token) => [getAddress(token), 0n]));
  for (const deal of deals) {
    const stake = stakeOf(deal, deployment.tiers[deal.tier]!);
    known.set(deal.token, (known.get(deal.token) ?? 0n) + stake);
  }
  const isAll = async ([token, stake]: readonly [string, bigint]) => {
    const { locked } = await contracts.registry.provisionOf(provider, deployment.market, token, { blockTag: at });
    return locked === stake;
  };
  return (await Promise.all([...known].map(isAll))).every(Boolean);
}
