import { hexlify, randomBytes } from "ethers";
import type { Commitment } from "../piece/index.js";
import type { DealTerms } from "../protocol/index.js";
import type { Candidate } from "./quote.js";
import type { StoreOptions } from "./stored.js";
import type { DealWishes } from "./wishes.js";

/** Terms from a client's own hand are open for this long: the upload comes before they are written. */
const VALIDITY_SECONDS = 1_800n;

/** Terms on what a candidate offers, not signed by anybody yet. @param now - unix seconds by the chain */
export function termsFor(
  { offer, price, collateral }: Candidate,
  client: string,
  { root, leafCount }: Commitment,
  { tier, periods, maxPeriods = periods, salt = hexlify(randomBytes(32)) }: DealWishes & Pick<StoreOptions, "salt">,
  now: bigint,
): DealTerms {
  return {
    client,
    provider: offer.provider,
    root: hexlify(root),
    leafCount,
    tier,
    periods,
    maxPeriods,
    token: offer.token,
    pricePerPeriod: price,
    collateral,
    egressPricePerGiB: offer.egressPricePerGiB,
    validUntil: now + VALIDITY_SECONDS,
    salt,
  };
}
