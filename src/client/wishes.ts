/**
 * What a client wants of a deal.
 *
 * @packageDocumentation
 */
import type { Deployment } from "../chain/deployment.js";
import { HoldfastError } from "../errors.js";
import type { Tier } from "../protocol/index.js";

/** What a client wants of a deal. */
export interface DealWishes {
  /** Row of the market's table. */
  readonly tier: number;
  /** Periods paid now. */
  readonly periods: number;
  /** Up to where the deal may be extended; `periods` by default. */
  readonly maxPeriods?: number;
  /** The most that a period may cost at one provider, in base units of the token. */
  readonly maxPricePerPeriod: bigint;
  /** The most that retrieving a GiB may cost by the terms, in base units; no limit by default. */
  readonly maxEgressPricePerGiB?: bigint;
  /** What to pay with, zero for the native coin; the deployment's stake token by default. */
  readonly token?: string;
  /** The least stake behind a deal, in periods of its price; 1 by default. */
  readonly minCollateralRatio?: number;
  /** Where the piece may lie: `DE`, `US-CA`; a country takes its subdivisions. Anywhere by default. */
  readonly regions?: readonly string[];
  /** Providers to choose from, by address; all that registered for the tier by default. */
  readonly providers?: readonly string[];
  /** Nodes to choose from, by URL, registered or not. */
  readonly urls?: readonly string[];
  /** Providers, by address, that are not to have it. */
  readonly exclude?: readonly string[];
}

/**
 * The tier that is wished for, where a deal like that is possible at all.
 *
 * @throws HoldfastError `UNKNOWN_TIER`, `INVALID_PERIODS`
 */
export function checkWishes(
  { tiers }: Pick<Deployment, "tiers">,
  { tier: index, periods, maxPeriods = periods }: Pick<DealWishes, "tier" | "periods" | "maxPeriods">,
): Tier {
  const tier = tiers[index];
  if (!tier) {
    throw new HoldfastError("UNKNOWN_TIER", `the market has no tier ${index}`, "choose a row of the market's table");
  }
  const whole = Number.isInteger(periods) && Number.isInteger(maxPeriods);
  if (!whole || periods < tier.maxMisses || maxPeriods < periods) {
    const hint = `give whole numbers, ${tier.maxMisses} ≤ periods ≤ maxPeriods`;
    throw new HoldfastError("INVALID_PERIODS", `${periods} periods of at most ${maxPeriods} are not allowed`, hint);
  }
  return tier;
}
