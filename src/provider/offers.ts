import { type Signer, TypedDataEncoder } from "ethers";
import type { Deployment } from "../chain/deployment.js";
import { HoldfastError } from "../errors.js";
import {
  dealDomain,
  MAX_REGIONS,
  OFFER_TYPES,
  type Offer,
  type OfferPageJson,
  offersToJson,
  regionBytes,
  signOffer,
  type TierOffer,
} from "../protocol/index.js";

/** What a provider is willing to sign. */
export interface Policy {
  /** What it is paid in and stakes; zero: the native coin. */
  readonly token: string;
  /** Smallest piece, in bytes; 1 by default. */
  readonly minPieceBytes?: number;
  /** Largest piece, in bytes. */
  readonly maxPieceBytes: number;
  /** The fewest periods that a deal is opened with; as few as the market allows by default. */
  readonly minPeriods?: number;
  /** Up to how many periods a deal may be extended. */
  readonly maxPeriods: number;
  /** Where its pieces may lie (`DE`, `US-CA`), where that is not just where it is registered. */
  readonly regions?: readonly string[];
  /** Accounts that deals are opened with, checksummed; anybody by default. It is not published. */
  readonly clients?: readonly string[];
  readonly tiers: readonly TierOffer[];
}

/** Whether a policy has deals with a client. */
export function isServed({ clients }: Pick<Policy, "clients">, client: string): boolean {
  return clients === undefined || clients.includes(client);
}

/** The offer that a policy makes for a tier, but for the time until when. */
export type StandingOffer = Omit<Offer, "validUntil">;

export interface OfferBookOptions {
  readonly provider: string;
  /** The provider's own key, or the signer registered for it. */
  readonly signer: Signer;
  readonly deployment: Pick<Deployment, "chainId" | "market" | "tiers">;
  readonly policy: Policy;
  /** Unix seconds by the chain. */
  readonly now: () => Promise<bigint>;
}

/**
 * How long a signed offer is valid, in seconds. Whoever has a copy can show it for as long as that, so it bounds for how
 * long a price that was given up is still quoted.
 */
const VALIDITY_SECONDS = 3_600n;
/** An offer that is handed out holds for this long at least: as long as the terms that a client writes from it. */
const LEAST_SECONDS = 1_800n;
/** How often the chain is asked for the time, in milliseconds, however many requests there are. */
const LOOK_MS = 1_000;

/**
 * What a policy offers, one offer for each of its tiers that the market has.
 *
 * @throws HoldfastError `INVALID_REGION`
 * @throws RangeError, SyntaxError where a number is none that an offer can have
 */
export function standingOffers({ provider, deployment, policy }: OfferBookOptions): StandingOffer[] {
  const { token, tiers, minPieceBytes = 1, maxPieceBytes, minPeriods = 1, maxPeriods, regions = [] } = policy;
  if (regions.length > MAX_REGIONS) throw new RangeError(`${regions.length} regions, of ${MAX_REGIONS} at most`);
  return tiers
    .filter(({ tier }) => deployment.tiers[tier] !== undefined)
    .map(({ tier, pricePerGiBPerPeriod, egressPricePerGiB, collateralRatio }) => ({
      provider,
      tier,
      token,
      pricePerGiBPerPeriod: BigInt(pricePerGiBPerPeriod),
      egressPricePerGiB: BigInt(egressPricePerGiB),
      minSize: BigInt(minPieceBytes),
      maxSize: BigInt(maxPieceBytes),
      minPeriods,
      maxPeriods,
      collateralRatio,
      regions: regions.map(regionBytes),
    }));
}

/** A policy's offers, signed: again when half of their time is over, not for each who asks. */
export class OfferBook {
  /** One for each tier; what is published, and what deals are held against. */
  readonly offers: readonly StandingOffer[];
  readonly #o: OfferBookOptions;
  #page: OfferPageJson | undefined;
  #validUntil = 0n;
  #looked: Promise<OfferPageJson> | undefined;
  #lookedAt = 0;

  /** @throws HoldfastError `INVALID_REGION`, `INVALID_POLICY` where no offer can be made of the policy */
  constructor(options: OfferBookOptions) {
    this.#o = options;
    try {
      this.offers = standingOffers(options);
      for (const offer of this.offers) TypedDataEncoder.hashStruct("Offer", OFFER_TYPES, { ...offer, validUntil: 0n });
    } catch (cause) {
      if (cause instanceof HoldfastError) throw cause;
      const message = `no offer can be made of the policy: ${cause instanceof Error ? cause.message : cause}`;
      throw new HoldfastError("INVALID_POLICY", message, "give whole numbers that fit the members of an offer", {
        cause,
      });
    }
  }

  /** For `GET /offers`. @throws what the chain's provider throws where it can't be asked */
  page(): Promise<OfferPageJson> {
    const now = performance.now();
    if (this.#looked === undefined || now - this.#lookedAt >= LOOK_MS) {
      this.#looked = this.#renewed();
      this.#lookedAt = now;
    }
    return this.#looked;
  }

  async #renewed(): Promise<OfferPageJson> {
    const time = await this.#o.now();
    if (this.#page !== undefined && this.#validUntil - time >= LEAST_SECONDS) return this.#page;
    const validUntil = time + VALIDITY_SECONDS;
    this.#page = await this.#sign(validUntil);
    this.#validUntil = validUntil;
    return this.#page;
  }

  async #sign(validUntil: bigint): Promise<OfferPageJson> {
    const { deployment, signer } = this.#o;
    const { chainId, market } = deployment;
    const domain = dealDomain(chainId, market);
    const signed = this.offers.map(async (standing) => {
      const offer = { ...standing, validUntil };
      return { offer, signature: await signOffer(signer, domain, offer) };
    });
    return offersToJson({ chainId, market, offers: await Promise.all(signed) });
  }
}
