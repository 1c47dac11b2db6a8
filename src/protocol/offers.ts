/**
 * What a provider offers, signed: before a client hands over a byte, it knows what every provider asks and that the
 * provider itself says so.
 *
 * @packageDocumentation
 */
import { type Signer, type TypedDataDomain, TypedDataEncoder, type TypedDataField } from "ethers";
import { z } from "zod";
import { REGION_FORM, regionBytes, regionText } from "./region.js";
import { MAX_REGIONS } from "./requests.js";
import { address, amount, count, parse, safe, signature } from "./wire-fields.js";

/**
 * On which terms a provider takes pieces into a tier (PROTOCOL section 7). It binds nobody by itself: a deal needs the
 * provider's signature over its own terms. Amounts in base units of `token`, sizes in bytes of payload.
 */
export interface Offer {
  /** Who offers. Signed by its own key or its registered signer's. */
  readonly provider: string;
  /** Row of the market's table. */
  readonly tier: number;
  /** What it is paid in and stakes; zero: the native coin. */
  readonly token: string;
  readonly pricePerGiBPerPeriod: bigint;
  readonly egressPricePerGiB: bigint;
  /** The smallest and the largest piece it takes. */
  readonly minSize: bigint;
  readonly maxSize: bigint;
  /** The fewest periods that a deal is opened with. */
  readonly minPeriods: number;
  /** Up to how many periods a deal may be extended. */
  readonly maxPeriods: number;
  /** Stake behind a deal, in periods of its price; see `collateralFor`. */
  readonly collateralRatio: number;
  /** Where the pieces may lie, six bytes in hex each; empty: where the provider is registered. */
  readonly regions: readonly string[];
  /** Unix seconds until when the offer is held up, the last one included. */
  readonly validUntil: bigint;
}

/** An offer with its provider's signature. */
export interface SignedOffer {
  readonly offer: Offer;
  readonly signature: string;
}

/** What `GET /offers` answers. */
export interface OfferPage {
  readonly chainId: number;
  readonly market: string;
  readonly offers: readonly SignedOffer[];
}

/** The EIP-712 struct, as ethers and wallets take it. */
export const OFFER_TYPES: Readonly<Record<"Offer", TypedDataField[]>> = {
  Offer: [
    { name: "provider", type: "address" },
    { name: "tier", type: "uint8" },
    { name: "token", type: "address" },
    { name: "pricePerGiBPerPeriod", type: "uint128" },
    { name: "egressPricePerGiB", type: "uint128" },
    { name: "minSize", type: "uint64" },
    { name: "maxSize", type: "uint64" },
    { name: "minPeriods", type: "uint32" },
    { name: "maxPeriods", type: "uint32" },
    { name: "collateralRatio", type: "uint32" },
    { name: "regions", type: "bytes6[]" },
    { name: "validUntil", type: "uint64" },
  ],
};

/** The most offers that one provider publishes: one for each tier that a market can have, and no more to read. */
export const MAX_OFFERS = 255;

/**
 * What is signed of an offer: its EIP-712 digest in the market's domain, so that it is for one market of one chain.
 *
 * @param domain - from `dealDomain`
 * @returns 32 bytes in hex
 * @throws TypeError where a value does not fit its Solidity type
 */
export function offerDigest(domain: TypedDataDomain, offer: Offer): string {
  return TypedDataEncoder.hash(domain, OFFER_TYPES, offer);
}

/**
 * Signs an offer, as the provider or its registered signer.
 *
 * @param domain - from `dealDomain`
 * @example
 * const signature = await signOffer(signer, dealDomain(chainId, market), offer);
 */
export function signOffer(signer: Signer, domain: TypedDataDomain, offer: Offer): Promise<string> {
  return signer.signTypedData(domain, OFFER_TYPES, offer);
}

/** A piece, and for how long it is to be kept. */
export interface StorageNeed {
  /** Bytes of payload. */
  readonly size: bigint;
  /** Periods paid at the opening. */
  readonly periods: number;
  /** Up to where the deal may be extended. */
  readonly maxPeriods: number;
}

/**
 * Why an offer does not cover a need, or undefined where it does. Client and provider both ask this.
 *
 * @example
 * const reason = offerMisfit(offer, { size: 10n << 20n, periods: 30, maxPeriods: 60 });
 */
export function offerMisfit(
  offer: Omit<Offer, "validUntil">,
  { size, periods, maxPeriods }: StorageNeed,
): string | undefined {
  if (size < offer.minSize) return `at least ${offer.minSize} bytes a piece are asked for`;
  if (size > offer.maxSize) return `at most ${offer.maxSize} bytes a piece are offered`;
  if (periods < offer.minPeriods) return `at least ${offer.minPeriods} periods are asked for`;
  if (maxPeriods > offer.maxPeriods) return `at most ${offer.maxPeriods} periods are offered`;
  return undefined;
}

/** zod refines what has failed already, too: text that is no number has to get through here. */
const uint = (bits: bigint) =>
  amount.refine((text) => /^\d+$/.test(text) && BigInt(text) >> bits === 0n, `an amount of at most ${bits} bits`);

const offerJson = z.strictObject({
  provider: address,
  tier: z.number().int().min(0).max(255),
  token: address,
  pricePerGiBPerPeriod: uint(128n),
  egressPricePerGiB: uint(128n),
  minSize: uint(64n),
  maxSize: uint(64n),
  minPeriods: count,
  maxPeriods: count,
  collateralRatio: count,
  regions: z.array(z.string().regex(REGION_FORM, "an ISO 3166 code")).max(MAX_REGIONS),
  validUntil: safe,
});

const pageJson = z.object({
  chainId: safe.min(1),
  market: address,
  offers: z.array(z.object({ offer: offerJson, signature })).max(MAX_OFFERS),
});

/** An {@link OfferPage} as it travels: amounts and sizes as decimal strings, regions as text. */
export type OfferPageJson = z.infer<typeof pageJson>;

/** A page to JSON. `validUntil` has to be a safe integer. */
export function offersToJson({ chainId, market, offers }: OfferPage): OfferPageJson {
  return { chainId, market, offers: offers.map(({ offer, signature }) => ({ offer: toJson(offer), signature })) };
}

/** A page from JSON, its signatures unchecked. @throws HoldfastError `INVALID_REQUEST` naming the member that is wrong */
export function offersFromJson(value: unknown): OfferPage {
  const { chainId, market, offers } = parse(pageJson, value);
  return { chainId, market, offers: offers.map(({ offer, signature }) => ({ offer: fromJson(offer), signature })) };
}

function toJson(offer: Offer): z.infer<typeof offerJson> {
  return {
    ...offer,
    pricePerGiBPerPeriod: offer.pricePerGiBPerPeriod.toString(),
    egressPricePerGiB: offer.egressPricePerGiB.toString(),
    minSize: offer.minSize.toString(),
    maxSize: offer.maxSize.toString(),
    regions: offer.regions.map(regionText),
    validUntil: Number(offer.validUntil),
  };
}

function fromJson(offer: z.infer<typeof offerJson>): Offer {
  return {
    ...offer,
    pricePerGiBPerPeriod: BigInt(offer.pricePerGiBPerPeriod),
    egressPricePerGiB: BigInt(offer.egressPricePerGiB),
    minSize: BigInt(offer.minSize),
    maxSize: BigInt(offer.maxSize),
    regions: offer.regions.map(regionBytes),
    validUntil: BigInt(offer.validUntil),
  };
}
