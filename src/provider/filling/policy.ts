/**
 * Which requests a provider wants, and from what price on. Pure.
 *
 * @packageDocumentation
 */
import type { Deployment } from "../../chain/deployment.js";
import type { Vacancy } from "../../keeper/requests.js";
import { BPS, collateralFor, isEligibleRegion, pricePerPeriodUp, slotRamp } from "../../protocol/index.js";
import { payloadBounds } from "../fetching/index.js";
import { isServed, type Policy } from "../offers.js";

/** Above anything measured (docs/provider.md): a fill with its proof at height 40, and the checkpoint of its seed. */
const GAS_PER_FILL = 600_000n;
/** A proof in a batch that is not full. */
const GAS_PER_PROOF = 100_000n;
const ONE_COIN = 10n ** 18n;

/** Why a vacancy is left alone. */
export interface Decline {
  readonly code: "NOT_OFFERED" | "NOT_ELIGIBLE" | "UNPROFITABLE";
  readonly message: string;
}

/** What a decision is made from. */
export interface Terms {
  readonly policy: Policy;
  readonly deployment: Deployment;
  /** Of the provider's profile, six bytes in hex. */
  readonly region: string;
  /** Wei for a unit of gas. */
  readonly gasPrice: bigint;
  /** Base units of the policy's token that 10^18 wei are worth. */
  readonly coinPrice: bigint;
}

/** What a period has to pay at least, in base units, or why the vacancy is not wanted at any price. */
export function judge(vacancy: Vacancy, terms: Terms): { readonly floor: bigint } | { readonly decline: Decline } {
  const offered = whyNotOffered(vacancy, terms);
  if (offered !== undefined) return { decline: { code: "NOT_OFFERED", message: offered } };
  if (!isEligibleRegion(vacancy.request.regions, terms.region)) {
    return { decline: { code: "NOT_ELIGIBLE", message: "it wants another region" } };
  }
  const floor = leastPrice(vacancy, terms);
  if (vacancy.maxPrice >= floor) return { floor };
  const message = `a period pays ${vacancy.maxPrice} at most, and has to pay ${floor}`;
  return { decline: { code: "UNPROFITABLE", message } };
}

function whyNotOffered({ request, periods, maxPrice }: Vacancy, { policy, deployment }: Terms): string | undefined {
  const offer = policy.tiers.find(({ tier }) => tier === request.tier);
  const tier = deployment.tiers[request.tier];
  if (!offer || !tier) return `tier ${request.tier} is not offered`;
  if (!isServed(policy, request.client)) return `${request.client} is no client of this provider`;
  if (request.token !== policy.token) return `the token here is ${policy.token}`;
  if (request.maxPeriods > policy.maxPeriods || periods > policy.maxPeriods) {
    return `at most ${policy.maxPeriods} periods are offered`;
  }
  if (periods < (policy.minPeriods ?? 1)) return `at least ${policy.minPeriods} periods are offered`;
  const { least, most: largest } = payloadBounds(request.leafCount);
  if (least > BigInt(policy.maxPieceBytes)) return `at most ${policy.maxPieceBytes} bytes are offered`;
  if (largest < BigInt(policy.minPieceBytes ?? 1)) return `at least ${policy.minPieceBytes} bytes are offered`;
  if (request.maxEgressPricePerGiB < BigInt(offer.egressPricePerGiB)) {
    return `egress costs ${offer.egressPricePerGiB} a GiB`;
  }
  // Where even the highest price does not warrant the stake, no price on the way there does.
  const most = collateralFor(maxPrice, offer.collateralRatio, tier.maxMisses);
  return request.collateral > most ? `at most ${most} of collateral is offered for this price` : undefined;
}

/**
 * The price from which a fill pays: what the provider asks for storing so many bytes, its own gas (of the fill and of a
 * proof a period, spread over the periods), and what makes the collateral worth it. Rounded up.
 */
function leastPrice({ request, periods }: Vacancy, { policy, deployment, gasPrice, coinPrice }: Terms): bigint {
  const offer = policy.tiers.find(({ tier }) => tier === request.tier)!;
  const storing = pricePerPeriodUp(payloadBounds(request.leafCount).most, BigInt(offer.pricePerGiBPerPeriod));
  const gas = (GAS_PER_FILL + BigInt(periods) * GAS_PER_PROOF) * gasPrice * coinPrice;
  const gasPerPeriod = divUp(gas, ONE_COIN * BigInt(periods));
  // The market keeps its fee of all that is paid, of the part that pays for gas as well.
  const net = divUp(gasPerPeriod * BPS, BPS - BigInt(deployment.feeBps));
  const floor = storing + net;
  const backed = offer.collateralRatio === 0 ? 0n : divUp(request.collateral, BigInt(offer.collateralRatio));
  const tier = deployment.tiers[request.tier]!;
  // The least collateral that makes shares is offered at any price.
  const staked = request.collateral > BigInt(tier.maxMisses) ? backed : 0n;
  return floor > staked ? floor : staked;
}

/**
 * The first block in which a fill may cost `floor` for each period.
 *
 * @param floor - at most the vacancy's `maxPrice`
 */
export function blockOfPrice({ request, slot, maxPrice, postedEpoch }: Vacancy, floor: bigint): number {
  const { startPrice, rampEpochs } = slot === 0n ? request : slotRamp(request, maxPrice);
  if (floor <= startPrice) return postedEpoch;
  return postedEpoch + Number(divUp((floor - startPrice) * BigInt(rampEpochs), maxPrice - startPrice));
}

function divUp(a: bigint, b: bigint): bigint {
  return (a + b - 1n) / b;
}
