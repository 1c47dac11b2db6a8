import { type Signer, toBeHex, getBytes } from "ethers";
import type { Deployment } from "../chain/deployment.js";
import type { Holdfast } from "../chain/contracts.js";
import { HoldfastError } from "../errors.js";
import { collateralFor, pricePerPeriodUp } from "../protocol/pricing.js";
import { checkTerms, dealDomain, dealIdOf, type DealTerms, signTerms } from "../protocol/index.js";
import type { DealAnswer, ProviderInfo, TierOffer } from "../protocol/wire.js";
import type { PieceStore } from "../store/index.js";

/** What a provider is willing to sign. */
export interface Policy {
  readonly token: string;
  readonly maxPieceBytes: number;
  readonly maxPeriods: number;
  readonly tiers: readonly TierOffer[];
}

export interface DealDeskOptions {
  readonly provider: string;
  /** The provider's own key, or the signer registered for it. */
  readonly signer: Signer;
  readonly deployment: Deployment;
  readonly contracts: Holdfast;
  readonly store: PieceStore;
  readonly policy: Policy;
  /** Unix seconds. */
  readonly now: () => number;
}

/** Terms that stay open longer than this would be a free option on the provider's stake. */
const MAX_VALIDITY_SECONDS = 3_600;

/** Decides which terms the provider signs: those of its policy, for a piece that it holds and stake that it has. */
export class DealDesk {
  readonly #o: DealDeskOptions;

  constructor(options: DealDeskOptions) {
    this.#o = options;
  }

  /** What this provider offers, for `GET /info`. */
  info(): ProviderInfo {
    const { provider, deployment, policy } = this.#o;
    return {
      provider,
      chainId: deployment.chainId,
      market: deployment.market,
      token: policy.token,
      maxPieceBytes: policy.maxPieceBytes,
      maxPeriods: policy.maxPeriods,
      tiers: [...policy.tiers],
    };
  }

  /**
   * Signs terms, or says why not.
   *
   * @throws HoldfastError `DEAL_REFUSED`
   */
  async accept(terms: DealTerms): Promise<DealAnswer> {
    this.#checkTerms(terms);
    await this.#checkPiece(terms);
    await this.#checkStake(terms);
    const { deployment, signer } = this.#o;
    const domain = dealDomain(deployment.chainId, deployment.market);
    return {
      dealId: toBeHex(dealIdOf(domain, terms), 32),
      providerSignature: await signTerms(signer, domain, terms),
    };
  }

  #checkTerms(terms: DealTerms): void {
    const { provider, deployment, policy, now } = this.#o;
    if (terms.provider.toLowerCase() !== provider.toLowerCase()) refuse(`the provider here is ${provider}`);
    if (terms.token.toLowerCase() !== policy.token.toLowerCase()) refuse(`the token here is ${policy.token}`);
    const offer = policy.tiers.find(({ tier }) => tier === terms.tier);
    const tier = deployment.tiers[terms.tier];
    if (!offer || !tier) return refuse(`tier ${terms.tier} is not offered`);
    checkTerms(terms, tier);
    if (terms.maxPeriods > policy.maxPeriods) refuse(`at most ${policy.maxPeriods} periods are offered`);
    if (terms.egressPricePerGiB < BigInt(offer.egressPricePerGiB)) {
      refuse(`egress costs ${offer.egressPricePerGiB} a GiB`);
    }
    const most = collateralFor(terms.pricePerPeriod, offer.collateralRatio, tier.maxMisses);
    if (terms.collateral > most) refuse(`the collateral offered for this price is ${most}`);
    const left = terms.validUntil - now();
    if (left <= 0) refuse("the terms have expired");
    if (left > MAX_VALIDITY_SECONDS) refuse(`terms may be valid for ${MAX_VALIDITY_SECONDS} seconds at most`);
  }

  /** A signature binds the stake to this very root: never for bytes that are not here. */
  async #checkPiece(terms: DealTerms): Promise<void> {
    const { store, policy } = this.#o;
    const piece = await store.open(getBytes(terms.root), terms.leafCount);
    if (!piece) return refuse("the piece is not here; upload it first");
    const size = piece.layer.commitment.payloadSize;
    const offer = policy.tiers.find(({ tier }) => tier === terms.tier) as TierOffer;
    const least = pricePerPeriodUp(size, BigInt(offer.pricePerGiBPerPeriod));
    if (terms.pricePerPeriod < least) refuse(`a period of this piece costs ${least}`);
  }

  async #checkStake(terms: DealTerms): Promise<void> {
    const { contracts, deployment, provider } = this.#o;
    const { free } = await contracts.registry.provisionOf(provider, deployment.market, terms.token);
    if (terms.collateral > free) refuse(`only ${free} of stake is free`);
  }
}

function refuse(reason: string): never {
  throw new HoldfastError("DEAL_REFUSED", reason, "ask GET /info for what is offered");
}
