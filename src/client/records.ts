/**
 * What a provider has shown so far, and what that is worth against its price.
 *
 * @packageDocumentation
 */
import type { DealHistory, PastDeal } from "./history.js";

/** What became of a provider's deals, of those that count. */
export interface ProviderRecord {
  readonly deals: number;
  /** Windows that have closed and were proven. */
  readonly proven: number;
  /** Windows that have closed and were not. */
  readonly missed: number;
}

/** Nothing is known of it. */
export const NO_RECORD: ProviderRecord = { deals: 0, proven: 0, missed: 0 };

/**
 * What is held of a provider before it has shown anything: one miss in twenty windows. So a record of a few windows says
 * little, and what a long one can gain is bounded: 10 % of the price.
 */
const PRIOR_MISSED = 1n;
const PRIOR_WINDOWS = 20n;
/** A period that is missed costs the client its price twice: it isn't kept safe, and the client has to look after it. */
const MISS_WEIGHT = 2n;

/**
 * Whether a deal says something about its provider. A gift doesn't: nobody but its provider and whoever paid for it
 * agreed to it. Deals that requests were filled with are gifts by form, but were asked for.
 *
 * @param requests - address of `StorageRequests`
 */
export function counts({ gift, payer }: Pick<PastDeal, "gift" | "payer">, requests: string): boolean {
  return !gift || payer === requests;
}

/**
 * The records of providers, by address; {@link NO_RECORD} for those who have none.
 *
 * @param requests - address of `StorageRequests`
 * @throws ChainError where the chain can't be asked
 */
export async function readRecords(
  history: Pick<DealHistory, "deals">,
  providers: ReadonlySet<string>,
  requests: string,
): Promise<Map<string, ProviderRecord>> {
  const records = new Map([...providers].map((provider) => [provider, NO_RECORD]));
  const deals = await history.deals((opening) => providers.has(opening.provider) && counts(opening, requests));
  for (const { provider, proven, missed } of deals) {
    const so = records.get(provider) ?? NO_RECORD;
    records.set(provider, { deals: so.deals + 1, proven: so.proven + proven, missed: so.missed + missed });
  }
  return records;
}

/** What is ranked. */
export interface Ranked {
  readonly provider: string;
  /** Base units a period. */
  readonly price: bigint;
  readonly record: ProviderRecord;
}

/**
 * The factor by which a record makes a price worse, as numerator and denominator:
 * 1 + 2 · (missed + 1) / (proven + missed + 20). It is 1.1 without a record, nears 1 for whoever always proves, and 3 for
 * whoever never does.
 */
export function recordFactor({ proven, missed }: ProviderRecord): [bigint, bigint] {
  const windows = BigInt(proven + missed) + PRIOR_WINDOWS;
  return [windows + MISS_WEIGHT * (BigInt(missed) + PRIOR_MISSED), windows];
}

/**
 * The order of a quote: by price × {@link recordFactor}, compared without rounding; where that is equal, the lower price,
 * then the longer record, then the address, so that everybody gets the same order.
 *
 * @example
 * candidates.sort(compareRanked);
 */
export function compareRanked(a: Ranked, b: Ranked): number {
  const [overA, underA] = recordFactor(a.record);
  const [overB, underB] = recordFactor(b.record);
  return (
    order(a.price * overA * underB, b.price * overB * underA) ||
    order(a.price, b.price) ||
    b.record.proven - a.record.proven ||
    order(BigInt(a.provider), BigInt(b.provider))
  );
}

function order(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
