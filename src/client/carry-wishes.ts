/**
 * What is wished for of a deal that goes on in another market, where it is not said.
 *
 * @packageDocumentation
 */
import type { Deployment } from "../chain/deployment.js";
import { tierName } from "../chain/tiers.js";
import { HoldfastError } from "../errors.js";
import type { DealInfo } from "./deals.js";
import type { DealWishes } from "./wishes.js";

type Row = Deployment["tiers"][number];

/** A deal, and the markets that it goes between. */
interface Carried {
  readonly from: Deployment;
  readonly to: Deployment;
  readonly old: Pick<DealInfo, "tier" | "token" | "pricePerPeriod">;
  /** Periods that the old deal gives back. */
  readonly left: number;
}

/**
 * The wishes for the new deal: the tier that asks for the same, the same token, for the time that is left, at what a block
 * costs now at most.
 *
 * @throws HoldfastError `TIER_UNCLEAR` naming the other market's tiers, `UNKNOWN_TIER`, `MISSING_PRICE`
 */
export function wishesThere({ from, to, old, left }: Carried, wishes: Partial<DealWishes>): DealWishes {
  const tier = wishes.tier ?? sameTier(from, to, old.tier);
  const token = wishes.token ?? old.token;
  const [here, there] = [rowOf(from, old.tier).period, rowOf(to, tier).period];
  const periods = wishes.periods ?? Math.ceil((left * here) / there);
  const maxPricePerPeriod = wishes.maxPricePerPeriod ?? priceOf(old, token, here, there);
  return { ...wishes, tier, token, periods, maxPricePerPeriod };
}

function priceOf({ token: paid, pricePerPeriod }: Carried["old"], token: string, here: number, there: number): bigint {
  if (token === paid) return (pricePerPeriod * BigInt(there)) / BigInt(here);
  const message = `the deal is paid in ${paid}: what it costs says nothing of ${token}`;
  throw new HoldfastError("MISSING_PRICE", message, "name the most that a period may cost");
}

function rowOf({ tiers }: Deployment, index: number): Row {
  const tier = tiers[index];
  if (tier) return tier;
  throw new HoldfastError("UNKNOWN_TIER", `the market has no tier ${index}`, "choose a row of the market's table");
}

/** The tier of the other market that asks for the same: of the same index where that one does. */
function sameTier(from: Deployment, to: Deployment, index: number): number {
  const own = rowOf(from, index);
  const found = [index, ...to.tiers.keys()].find((at) => isSame(own, to.tiers[at]));
  if (found !== undefined) return found;
  const message = `no tier of the other market is like tier ${index} of this one`;
  const list = to.tiers.map((row, at) => tierText(row, at, to)).join("; ");
  throw new HoldfastError("TIER_UNCLEAR", message, `name one of its tiers (--tier): ${list}`);
}

function isSame(own: Row, other: Row | undefined): boolean {
  if (other === undefined) return false;
  const { period, window, challenges, maxMisses } = other;
  const isTimed = period === own.period && window === own.window;
  return isTimed && challenges === own.challenges && maxMisses === own.maxMisses;
}

function tierText({ period, window, challenges }: Row, at: number, to: Deployment): string {
  const name = tierName(at, to);
  const called = name === String(at) ? name : `${at} (${name})`;
  return `${called}: ${challenges} challenges every ${period} blocks, proven within ${window}`;
}
