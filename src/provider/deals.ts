import { getBytes, type Signer, toBeHex } from "ethers";
import type { Contracts } from "../chain/contracts.js";
import type { Deployment } from "../chain/deployment.js";
import { HoldfastError } from "../errors.js";
import {
  checkTerms,
  collateralFor,
  type DealAnswer,
  type DealTerms,
  dealDomain,
  dealIdOf,
  type OfferPageJson,
  offerMisfit,
  type ProviderInfo,
  pricePerPeriodUp,
  signTerms,
} from "../protocol/index.js";
import type { PieceStore } from "../store/index.js";
import { checkSigner, MAX_VALIDITY_SECONDS, promise, refusal } from "./checks.js";
import { isServed, OfferBook, type Policy, type StandingOffer } from "./offers.js";

export interface DealDeskOptions {
  /** The provider that deals are made for. */
  readonly provider: string;
  /** The provider's own key, or the signer registered for it. */
  readonly signer: Signer;
  readonly deployment: Deployment;
  /** Connected to a provider, to read. */
  readonly contracts: Contracts;
  readonly store: PieceStore;
  readonly policy: Policy;
  /** Unix seconds by the chain. */
  readonly now: () => Promise<bigint>;
}

/** Decides which terms the provider signs: those of its policy, for a piece that it holds and stake that it has. */
export class DealDesk {
  readonly #o: DealDeskOptions;
  /** What it has published is what it keeps to. */
  readonly #book: OfferBook;

  /** @throws HoldfastError `INVALID_REGION`, `INVALID_POLICY` where no offer can be made of the policy */
  constructor(options: DealDeskOptions) {
    this.#o = options;
    this.#book = new OfferBook(options);
  }

  /** What this provider offers, for `GET /info`: the policy behind the offers, unsigned. */
  info(): ProviderInfo {
    const { provider, deployment, policy } = this.#o;
    const { token, minPieceBytes = 1, maxPieceBytes, minPeriods = 1, maxPeriods, regions = [], tiers } = policy;
    return {
      provider,
      chainId: deployment.chainId,
      market: deployment.market,
      token,
      minPieceBytes,
      maxPieceBytes,
      minPeriods,
      maxPeriods,
      regions,
      tiers: tiers.filter(({ tier }) => deployment.tiers[tier] !== undefined),
    };
  }

  /** The signed offers, for `GET /offers`. @throws what the chain's provider throws where it can't be asked */
  offers(): Promise<OfferPageJson> {
    return this.#book.page();
  }

  /**
   * Signs terms, or says why not. Terms that go beyond the free stake together may all be signed; the market opens
   * those that come first.
   *
   * @throws HoldfastError `DEAL_REFUSED`
   * @throws what the chain's provider throws where it can't be asked
   */
  async accept(terms: DealTerms): Promise<DealAnswer> {
    const offer = this.#checkOffer(terms);
    await this.#checkValidity(terms);
    await this.#checkPiece(terms, offer);
    await this.#checkStake(terms);
    const { contracts, deployment, provider, signer } = this.#o;
    await checkSigner(contracts, provider, signer);
    await promise(this.#o, { root: getBytes(terms.root), leafCount: terms.leafCount }, terms.validUntil);
    const domain = dealDomain(deployment.chainId, deployment.market);
    return {
      dealId: toBeHex(dealIdOf(domain, terms), 32),
      providerSignature: await signTerms(signer, domain, terms),
    };
  }

  /** The offer that terms are made on; what it says of the piece's size comes when the piece is open. */
  #checkOffer(terms: DealTerms): StandingOffer {
    const { provider, deployment, policy } = this.#o;
    if (terms.provider !== provider) throw refusal(`the provider here is ${provider}`);
    if (!isServed(policy, terms.client)) throw refusal(`${terms.client} is no client of this provider`);
    if (terms.token !== policy.token) throw refusal(`the token here is ${policy.token}`);
    const offer = this.#book.offers.find(({ tier }) => tier === terms.tier);
    const tier = deployment.tiers[terms.tier];
    if (!offer || !tier) throw refusal(`tier ${terms.tier} is not offered`);
    if (terms.egressPricePerGiB < offer.egressPricePerGiB) {
      throw refusal(`egress costs ${offer.egressPricePerGiB} a GiB`);
    }
    const most = collateralFor(terms.pricePerPeriod, offer.collateralRatio, tier.maxMisses);
    if (terms.collateral > most) throw refusal(`at most ${most} of collateral is offered for this price`);
    return offer;
  }

  async #checkValidity(terms: DealTerms): Promise<void> {
    const { deployment, now } = this.#o;
    const { vault, registry, market } = deployment;
    const time = await now();
    try {
      checkTerms(terms, deployment.tiers[terms.tier], { now: time, protocol: [vault, registry, market] });
    } catch (error) {
      if (error instanceof HoldfastError) throw refusal(error.message, error);
      throw error;
    }
    if (terms.validUntil > time + MAX_VALIDITY_SECONDS) {
      throw refusal(`terms may be valid for ${MAX_VALIDITY_SECONDS} seconds at most`);
    }
  }

  /** A signature binds the stake to this very root: never for bytes that are not here. */
  async #checkPiece(terms: DealTerms, offer: StandingOffer): Promise<void> {
    const piece = await this.#o.store.open(getBytes(terms.root), terms.leafCount);
    if (!piece) throw refusal("no piece with this root and leafCount is here; upload it first");
    const { payloadSize } = piece.layer.commitment;
    const misfit = offerMisfit(offer, { ...terms, size: payloadSize });
    if (misfit) throw refusal(misfit);
    const least = pricePerPeriodUp(payloadSize, offer.pricePerGiBPerPeriod);
    if (terms.pricePerPeriod < least) throw refusal(`a period of this piece costs ${least}`);
  }

  async #checkStake(terms: DealTerms): Promise<void> {
    const { contracts, deployment, provider } = this.#o;
    const { market, stakeToken, minStake } = deployment;
    const { free } = await contracts.registry.provisionOf(provider, market, terms.token);
    if (terms.collateral > free) throw refusal(`only ${free} of stake is free`);
    const all = await contracts.registry.provisionOf(provider, market, stakeToken);
    if (all.free + all.locked < minStake) throw refusal("this provider has less stake than the market asks for");
  }
}
