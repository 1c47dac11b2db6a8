import { getBytes, type Signer } from "ethers";
import type { DealViewStructOutput } from "../../typechain-types/MarketLens.js";
import type { Contracts } from "../chain/contracts.js";
import type { Deployment } from "../chain/deployment.js";
import { HoldfastError } from "../errors.js";
import {
  type Amendment,
  type AmendmentAnswer,
  checkAmendment,
  dealDomain,
  pricePerPeriodUp,
  signAmendment,
  startedAt,
} from "../protocol/index.js";
import type { PieceStore } from "../store/index.js";
import { checkSigner, MAX_VALIDITY_SECONDS, openDeal, promise, refusal } from "./checks.js";
import type { Policy } from "./offers.js";

export interface AmendmentDeskOptions {
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
  /** The latest block's number. */
  readonly head: () => Promise<number>;
}

/** Decides which amendments of its deals the provider agrees to. */
export class AmendmentDesk {
  readonly #o: AmendmentDeskOptions;

  constructor(options: AmendmentDeskOptions) {
    this.#o = options;
  }

  /**
   * Signs an amendment of a deal that is here, or says why not. From then on the new piece has to be kept, and the old
   * one until the last window under it has closed: only pieces that nothing was signed for are ever deleted here.
   *
   * @param owner - who asks for it, and would have to sign it
   * @throws HoldfastError `DEAL_REFUSED`
   * @throws what the chain's provider throws where it can't be asked
   */
  async accept(amendment: Amendment, owner: string): Promise<AmendmentAnswer> {
    const { contracts, deployment, provider, signer } = this.#o;
    const deal = await openDeal(contracts, amendment.dealId);
    if (deal.provider !== provider) throw refusal(`that deal is with another provider, ${deal.provider}`);
    if (deal.owner !== owner) throw refusal(`that deal is owned by ${deal.owner}`);
    await this.#checkTerms(amendment, deal);
    await this.#checkTime(deal);
    await this.#checkPrice(amendment, deal);
    await checkSigner(contracts, provider, signer);
    await promise(this.#o, { root: getBytes(amendment.root), leafCount: amendment.leafCount }, amendment.validUntil);
    const domain = dealDomain(deployment.chainId, deployment.market);
    return { providerSignature: await signAmendment(signer, domain, amendment) };
  }

  /** What the market would refuse, before it does. */
  async #checkTerms(amendment: Amendment, deal: DealViewStructOutput): Promise<void> {
    const { now } = this.#o;
    const { nonce, from } = deal.revision;
    if (from !== 0n) throw refusal(`another amendment of that deal waits until window ${from}`);
    const time = await now();
    try {
      checkAmendment(amendment, { maxPeriods: Number(deal.maxPeriods), nonce: Number(nonce), now: time });
    } catch (error) {
      if (error instanceof HoldfastError) throw refusal(error.message, error);
      throw error;
    }
    if (amendment.validUntil > time + MAX_VALIDITY_SECONDS) {
      throw refusal(`amendments may be valid for ${MAX_VALIDITY_SECONDS} seconds at most`);
    }
  }

  /** An amendment changes windows that are still far enough away, and there has to be one. */
  async #checkTime(deal: DealViewStructOutput): Promise<void> {
    const { deployment, head } = this.#o;
    const { period } = deployment.tiers[Number(deal.tier)] as Deployment["tiers"][number];
    const from = startedAt(Number(deal.firstEpoch), period, (await head()) + 1 + deployment.challengeFinality) + 1;
    if (from > Number(deal.periods)) throw refusal("too few periods are left of that deal: extend it first");
  }

  /** A signature binds the stake to this very root: never for bytes that are not here. */
  async #checkPrice({ root, leafCount, pricePerPeriod }: Amendment, deal: DealViewStructOutput): Promise<void> {
    const { policy, store } = this.#o;
    const offer = policy.tiers.find(({ tier }) => tier === Number(deal.tier));
    if (!offer) throw refusal(`tier ${deal.tier} is not offered any more`);
    const piece = await store.open(getBytes(root), leafCount);
    if (!piece) throw refusal("no piece with this root and leafCount is here; upload it first");
    const { payloadSize } = piece.layer.commitment;
    const { minPieceBytes = 1, maxPieceBytes } = policy;
    if (payloadSize < minPieceBytes || payloadSize > maxPieceBytes) {
      throw refusal(`pieces have ${minPieceBytes} to ${maxPieceBytes} bytes`);
    }
    const least = pricePerPeriodUp(payloadSize, BigInt(offer.pricePerGiBPerPeriod));
    if (pricePerPeriod < least) throw refusal(`a period of this piece costs ${least}`);
  }
}
