/**
 * From a provider's answer to a candidate for a deal: what it says has to be signed, fit, and be backed by stake.
 *
 * @packageDocumentation
 */
import type { Provider } from "ethers";
import { HoldfastError } from "../errors.js";
import {
  bountyDown,
  checkPrice,
  collateralFor,
  dealDomain,
  isEligibleRegion,
  NO_REGION,
  type Offer,
  type OfferPage,
  offerDigest,
  offerMisfit,
  pricePerPeriodUp,
  regionText,
  type SignedOffer,
  share,
  type Tier,
} from "../protocol/index.js";
import type { DealReader } from "./deals.js";
import { ask } from "./funds.js";
import type { Listed } from "./offers.js";
import { isSignedBy } from "./signatures.js";
import type { DealWishes } from "./wishes.js";

/** What is asked for. Without `maxPricePerPeriod`, whatever it costs. */
export interface QuoteWishes extends Omit<DealWishes, "maxPricePerPeriod"> {
  readonly maxPricePerPeriod?: bigint;
  /** Bytes of payload. */
  readonly size: bigint;
  /** How many providers are to keep it; 1 by default. */
  readonly replicas?: number;
}

/** What candidates are held against. */
export interface Inquiry {
  readonly reader: DealReader;
  readonly chain: Provider;
  readonly wishes: QuoteWishes;
  readonly tier: Tier;
  /** Checksummed. */
  readonly token: string;
  /** Six bytes in hex each; empty: anywhere. */
  readonly regions: readonly string[];
  /** Checksummed. */
  readonly excluded: ReadonlySet<string>;
  /** Unix seconds by the chain. */
  readonly now: bigint;
}

/** An offer that is what was wished for: signed by its provider, which has the stake for it. */
export interface Offered {
  readonly provider: string;
  /** Base URL of its node. */
  readonly url: string;
  readonly offer: Offer;
  /** Where the piece may lie, as the provider says; empty where it says nothing. */
  readonly regions: readonly string[];
  /** Base units for a period of this piece, the protocol's fee included. */
  readonly price: bigint;
  /** Base units for all periods: what goes into escrow. */
  readonly cost: bigint;
  /** Base units of the provider's stake behind the deal. */
  readonly collateral: bigint;
  /** Base units that whoever settles a miss gets of it. */
  readonly bounty: bigint;
}

/**
 * Makes a candidate of the cheapest offer of a node's that is what was wished for. What costs nothing to check comes
 * first: an answer full of nonsense costs the chain's node no more than one offer does.
 *
 * @param page - what the node answered
 * @throws HoldfastError `NOT_OFFERED`, `OFFER_INVALID`, `INSUFFICIENT_STAKE`
 * @throws ChainError where the chain can't be asked
 */
export async function offeredBy(inquiry: Inquiry, node: Listed, page: OfferPage): Promise<Offered> {
  const { deployment } = inquiry.reader;
  const { chainId, market, offers } = page;
  if (chainId !== deployment.chainId) throw invalid(`it offers on chain ${chainId}`);
  if (market !== deployment.market) throw invalid(`it offers on another market, ${market}`);
  const signed = cheapest(inquiry, offers, node);
  await checkSignature(inquiry, signed);
  const { offer } = signed;
  const regions = await checkRegions(inquiry, offer);
  const { wishes, tier } = inquiry;
  const price = pricePerPeriodUp(wishes.size, offer.pricePerGiBPerPeriod);
  checkPrice(price, wishes.maxPeriods ?? wishes.periods);
  const collateral = collateralFor(price, offer.collateralRatio, tier.maxMisses);
  await checkStake(inquiry, offer, collateral);
  const bounty = bountyDown(share({ collateral }, tier));
  const cost = price * BigInt(wishes.periods);
  return { provider: offer.provider, url: node.url, offer, regions, price, cost, collateral, bounty };
}

/** The cheapest offer that fits, or what is wrong with the first one for the tier. */
function cheapest(inquiry: Inquiry, offers: readonly SignedOffer[], { provider }: Listed): SignedOffer {
  const { wishes, token } = inquiry;
  const ours = offers.filter(({ offer }) => offer.tier === wishes.tier && offer.token === token);
  const faults = ours.map(({ offer }) => faultOf(inquiry, offer, provider));
  const price = ({ offer }: SignedOffer) => offer.pricePerGiBPerPeriod;
  const [first, ...others] = ours.filter((_, i) => faults[i] === undefined);
  if (first) return others.reduce((best, next) => (price(next) < price(best) ? next : best), first);
  throw faults[0] ?? misfit(`it offers no tier ${wishes.tier} for ${token}`);
}

function faultOf({ wishes, excluded, now }: Inquiry, offer: Offer, provider: string | undefined) {
  // Whoever names somebody else's address would fail at the signature of the terms, but only after an upload.
  if (provider !== undefined && offer.provider !== provider) return invalid(`its offer is that of ${offer.provider}`);
  if (offer.validUntil < now) return invalid(`its offer has expired, at ${offer.validUntil}`);
  if (excluded.has(offer.provider)) return misfit("it was left out by wish");
  const { size, periods, maxPeriods = periods, minCollateralRatio = 1 } = wishes;
  const { maxPricePerPeriod: most, maxEgressPricePerGiB: mostEgress } = wishes;
  const reason = offerMisfit(offer, { size, periods, maxPeriods });
  if (reason) return misfit(reason);
  const price = pricePerPeriodUp(size, offer.pricePerGiBPerPeriod);
  if (most !== undefined && price > most) return misfit(`a period costs ${price}, over ${most}`);
  if (mostEgress !== undefined && offer.egressPricePerGiB > mostEgress) {
    return misfit(`egress costs ${offer.egressPricePerGiB} a GiB, over ${mostEgress}`);
  }
  if (offer.collateralRatio >= minCollateralRatio) return undefined;
  return misfit(`it stakes ${offer.collateralRatio} periods of its price, under ${minCollateralRatio}`);
}

async function checkSignature({ reader, chain }: Inquiry, { offer, signature }: SignedOffer): Promise<void> {
  const { contracts, deployment } = reader;
  const digest = offerDigest(dealDomain(deployment.chainId, deployment.market), offer);
  if (await isSignedBy(chain, offer.provider, digest, signature)) return;
  const signer = await ask("read the registry", contracts.registry.signerOf(offer.provider));
  if (await isSignedBy(chain, signer, digest, signature)) return;
  throw invalid(`its offer is signed neither by ${offer.provider} nor by its signer`);
}

/** Wherever the provider puts it, it has to be where it was wished for. */
async function checkRegions({ reader, regions }: Inquiry, offer: Offer): Promise<readonly string[]> {
  const registered = await ask("read the registry", reader.contracts.registry.regionOf(offer.provider));
  const places = offer.regions.length > 0 ? offer.regions : registered === NO_REGION ? [] : [registered];
  const elsewhere = places.find((place) => !isEligibleRegion(regions, place));
  if (regions.length > 0 && places.length === 0) throw misfit("it names no region");
  if (elsewhere !== undefined) throw misfit(`the piece may lie in ${regionText(elsewhere)}`);
  return places.map(regionText);
}

async function checkStake({ reader, token }: Inquiry, { provider }: Offer, collateral: bigint): Promise<void> {
  const { contracts, deployment } = reader;
  const { market, stakeToken, minStake } = deployment;
  const provision = (asset: string) =>
    ask("read a provider's stake", contracts.registry.provisionOf(provider, market, asset));
  const { free } = await provision(token);
  if (free < collateral) throw lowStake(`${collateral} of stake is needed, ${free} is free`);
  if (minStake === 0n) return;
  const own = await provision(stakeToken);
  if (own.free + own.locked < minStake) throw lowStake("it has less stake than the market asks for");
}

/** An honest offer of something else. */
function misfit(reason: string): HoldfastError {
  return new HoldfastError("NOT_OFFERED", reason, "change what is wished for, or ask others");
}

/** An offer that can't be taken seriously. */
function invalid(reason: string): HoldfastError {
  return new HoldfastError("OFFER_INVALID", reason, "ask others");
}

function lowStake(reason: string): HoldfastError {
  return new HoldfastError("INSUFFICIENT_STAKE", reason, "ask others");
}
