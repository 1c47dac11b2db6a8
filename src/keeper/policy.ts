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
