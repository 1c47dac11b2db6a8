/** Which deals are worth a settlement. */
import type { Due } from "../protocol/index.js";
import type { Deal } from "./deals.js";

/** A deal for which settling would move something. */
export interface Candidate {
  readonly deal: Deal;
  readonly due: Due;
}

/** Says whether a candidate is worth its gas. */
export type SettlePolicy = (candidate: Candidate) => boolean;

/** Settles whatever there is to settle, for a demo, a test, or somebody who is paid otherwise. */
export const settleAlways: SettlePolicy = () => true;

/**
 * Settles for bounties of at least so much. A bounty is paid in the deal's token and gas in the native coin; what one is
 * worth in the other is the operator's to say.
 *
 * @param least - By token address as the deployment writes it (the zero address: the native coin), base units. Deals in
 *   other tokens are left to others.
 */
export function bountyAtLeast(least: ReadonlyMap<string, bigint>): SettlePolicy {
  return ({ deal, due }) => {
    const minimum = least.get(deal.token);
    return minimum !== undefined && due.bounty >= minimum && due.bounty > 0n;
  };
}

/** What an amount of a token is worth in the coin that gas is paid in: `wei` for each `units` base units. */
export interface TokenPrice {
  readonly wei: bigint;
  readonly units: bigint;
}

/** When a settlement pays, by the operator's own prices. */
export interface SettleEconomics {
  /** By token address as the deployment writes it (the zero address: the native coin). Bounties in other tokens are worth nothing. */
  readonly prices: ReadonlyMap<string, TokenPrice>;
  /** Per cent that bounties have to bring above the gas of their batch; below zero, the operator pays the rest. 10 by default. */
  readonly marginPercent?: number;
}

/**
 * What the bounty of a candidate is worth, in wei, rounded down.
 *
 * @example
 * // A coin of 6 decimals, of which 2,500 are worth one of the chain's.
 * const prices = new Map([[usd, { wei: 10n ** 18n, units: 2_500n * 10n ** 6n }]]);
 * worthOf(candidate, { prices });
 */
export function worthOf({ deal, due }: Candidate, { prices }: Pick<SettleEconomics, "prices">): bigint {
  const price = prices.get(deal.token);
  return price === undefined ? 0n : (due.bounty * price.wei) / price.units;
}
