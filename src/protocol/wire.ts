/**
 * What client and provider say to each other in JSON. Amounts are decimal strings, bytes 0x-prefixed hex.
 *
 * @packageDocumentation
 */
import { z } from "zod";
import { REGION_FORM } from "./region.js";
import { MAX_REGIONS } from "./requests.js";
import type { DealTerms } from "./terms.js";
import { address, amount, bytes32, count, parse, safe, signature, terms } from "./wire-fields.js";

const dealRequest = z.strictObject({ terms });
const dealAnswer = z.object({ dealId: bytes32, providerSignature: signature });

const tierOffer = z.object({
  tier: z.number().int().min(0).max(255),
  pricePerGiBPerPeriod: amount,
  egressPricePerGiB: amount,
  collateralRatio: count,
});

const info = z.object({
  provider: address,
  chainId: z.number().int().min(1),
  market: address,
  token: address,
  minPieceBytes: safe,
  maxPieceBytes: safe.min(1),
  minPeriods: count,
  maxPeriods: count,
  regions: z.array(z.string().regex(REGION_FORM, "an ISO 3166 code")).max(MAX_REGIONS),
  tiers: z.array(tierOffer).max(255),
});

/** Building blocks for others who read JSON. */
export const fields = { amount, address, bytes32, count, safe, signature, terms } as const;

/** Terms as they travel: amounts and leafCount as decimal strings, validUntil as a number. */
export type TermsJson = z.infer<typeof terms>;
/** What `POST /deals` takes. */
export type DealRequest = z.infer<typeof dealRequest>;
/** What `POST /deals` answers. */
export type DealAnswer = z.infer<typeof dealAnswer>;
/** What a provider asks for a tier. */
export type TierOffer = z.infer<typeof tierOffer>;
/** What `GET /info` answers. */
export type ProviderInfo = z.infer<typeof info>;

/** Terms to JSON. `validUntil` has to be a safe integer. */
export function termsToJson(value: DealTerms): TermsJson {
  return {
    ...value,
    leafCount: value.leafCount.toString(),
    pricePerPeriod: value.pricePerPeriod.toString(),
    collateral: value.collateral.toString(),
    egressPricePerGiB: value.egressPricePerGiB.toString(),
    validUntil: Number(value.validUntil),
  };
}

/** Terms from JSON that was checked. */
export function termsFromJson(value: TermsJson): DealTerms {
  return {
    ...value,
    leafCount: BigInt(value.leafCount),
    pricePerPeriod: BigInt(value.pricePerPeriod),
    collateral: BigInt(value.collateral),
    egressPricePerGiB: BigInt(value.egressPricePerGiB),
    validUntil: BigInt(value.validUntil),
  };
}

/** @throws HoldfastError `INVALID_REQUEST` naming the field that is wrong */
export function dealRequestFromJson(value: unknown): DealRequest {
  return parse(dealRequest, value);
}

/** @throws HoldfastError `INVALID_REQUEST` */
export function dealAnswerFromJson(value: unknown): DealAnswer {
  return parse(dealAnswer, value);
}

/** @throws HoldfastError `INVALID_REQUEST` */
export function providerInfoFromJson(value: unknown): ProviderInfo {
  return parse(info, value);
}
