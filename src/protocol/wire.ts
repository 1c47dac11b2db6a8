/**
 * What client and provider say to each other in JSON. Amounts are decimal strings, bytes 0x-prefixed hex.
 *
 * @packageDocumentation
 */
import { z } from "zod";
import type { DealTerms } from "./terms.js";
import { address, amount, bytes32, count, parse, safe, signature, terms } from "./wire-fields.js";

const dealRequest = z.strictObject({ terms });
const dealAnswer = z.object({ dealId: bytes32, providerSignature: signature });

/** Building blocks for others who read JSON. */
export const fields = { amount, address, bytes32, count, safe, signature, terms } as const;

/** Terms as they travel: amounts and leafCount as decimal strings, validUntil as a number. */
export type TermsJson = z.infer<typeof terms>;
/** What `POST /deals` takes. */
export type DealRequest = z.infer<typeof dealRequest>;
/** What `POST /deals` answers. */
export type DealAnswer = z.infer<typeof dealAnswer>;

/** What a provider asks for a tier. Amounts are decimal strings of base units. */
export interface TierOffer {
  /** Row of the market's table. */
  readonly tier: number;
  readonly pricePerGiBPerPeriod: string;
  readonly egressPricePerGiB: string;
  /** Stake behind a deal, in periods of its price. */
  readonly collateralRatio: number;
}

/** What `GET /info` answers: unsigned, for people and for monitoring; what a client goes by are the offers. */
export interface ProviderInfo {
  readonly provider: string;
  readonly chainId: number;
  readonly market: string;
  readonly token: string;
  readonly minPieceBytes: number;
  readonly maxPieceBytes: number;
  readonly minPeriods: number;
  readonly maxPeriods: number;
  readonly regions: readonly string[];
  readonly tiers: readonly TierOffer[];
}

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
