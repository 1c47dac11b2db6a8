/** One fill: terms, signature, proof of possession, transaction. */
import { getBytes, hexlify, randomBytes, type Signer, type TransactionReceipt, toBeHex } from "ethers";
import type { Chain } from "../../chain/chain.js";
import { ChainError } from "../../chain/errors.js";
import type { Head } from "../../chain/follower.js";
import type { TransactionSender } from "../../chain/sender.js";
import { HoldfastError } from "../../errors.js";
import type { Vacancy } from "../../keeper/requests.js";
import type { SeedReader } from "../../keeper/seeds.js";
import { prove } from "../../piece/index.js";
import {
  challengeIndices,
  type DealTerms,
  dealDomain,
  fillQuestionId,
  firstFillBlock,
  possessionEpoch,
  priceAt,
  signTerms,
  slotRamp,
} from "../../protocol/index.js";
import type { PieceStore } from "../../store/index.js";
import type { Policy } from "../offers.js";
import type { FilledEvent } from "./events.js";

export interface FillerOptions {
  readonly chain: Chain;
  readonly sender: TransactionSender;
  /** Signs the terms: the provider's own key, or its registered signer's. */
  readonly signer: Signer;
  readonly provider: string;
  readonly pieces: Pick<PieceStore, "open" | "promise">;
  readonly policy: Policy;
  readonly seeds: SeedReader;
}

/** Seconds for which terms can be opened: long enough for a slow block, too short to be an option on the stake. */
const VALIDITY_SECONDS = 600;

/** Blocks that a transaction may wait for without its proof becoming one of another seed. */
const SLACK_BLOCKS = 2;

/** The price of a period that a fill may have in the block after `head`, whichever of the two a node simulates in. */
export function priceNow({ request, slot, maxPrice, postedEpoch }: Vacancy, head: number): bigint {
  return priceAt(slot === 0n ? request : slotRamp(request, maxPrice), postedEpoch, Math.max(head, postedEpoch));
}

/**
 * Whether a fill sent now can be right: seeds that are old enough exist, and the one that counts stays the same while the
 * transaction waits.
 */
export function isFillable({ requestedEpoch, lastEpoch }: Vacancy, head: number, challengeFinality: number): boolean {
  const inTime = lastEpoch === undefined || head < lastEpoch;
  const steady = possessionEpoch(head) === possessionEpoch(head + SLACK_BLOCKS);
  return inTime && steady && head >= firstFillBlock(requestedEpoch, challengeFinality);
}

/** Fills vacancies for one provider. */
export class Filler {
  readonly #options: FillerOptions;

  constructor(options: FillerOptions) {
    this.#options = options;
  }

  /**
   * Fills a vacancy at the price of `head`.
   *
   * @throws ChainError where the chain refuses it; nothing was sent, or it cost its gas
   * @throws HoldfastError `MISSING_PIECE`, and what stands in the way of seed or proof
   */
  async fill(vacancy: Vacancy, head: Head, signal: AbortSignal): Promise<FilledEvent> {
    const { chain, sender, signer, pieces } = this.#options;
    const { id, slot, request } = vacancy;
    const { chainId, market, requests } = chain.deployment;
    const proof = await this.#prove(vacancy, head, signal);
    const terms = this.#terms(vacancy, head);
    // From here on others may come by the signature, and open a deal with it.
    if (!(await pieces.promise(getBytes(terms.root), terms.leafCount, terms.validUntil))) throw missing();
    const signature = await signTerms(signer, dealDomain(chainId, market), terms);
    const args = [request, slot, terms, signature, proof] as const;
    const data = chain.contracts.requests.interface.encodeFunctionData("fill", [...args]);
    const sent = await sender.send({ to: requests, data }, `fill request ${toBeHex(id, 32)}`, signal);
    if (sent.status === "mined") return this.#outcome(vacancy, terms, sent.receipt);
    const { revert } = sent;
    throw new ChainError("REVERTED", `Failed to fill: ${revert.text}`, "Nothing to do.", "done", revert);
  }

  #terms({ request, slot, periods, ...vacancy }: Vacancy, head: Head): DealTerms {
    const { chain, provider, policy } = this.#options;
    const { root, leafCount, tier, maxPeriods, token, collateral } = request;
    const offer = policy.tiers.find((one) => one.tier === tier);
    return {
      client: request.repair ? chain.deployment.requests : request.client,
      ...{ provider, root, leafCount, tier, periods, maxPeriods, token, collateral },
      pricePerPeriod: priceNow({ request, slot, periods, ...vacancy }, head.number),
      egressPricePerGiB: BigInt(offer?.egressPricePerGiB ?? 0),
      validUntil: BigInt(head.timestamp + VALIDITY_SECONDS),
      salt: hexlify(randomBytes(32)),
    };
  }

  async #prove({ id, slot, request }: Vacancy, head: Head, signal: AbortSignal): Promise<Uint8Array> {
    const { chain, provider, pieces, seeds } = this.#options;
    const { chainId, requests, tiers } = chain.deployment;
    const { root, leafCount, tier } = request;
    const piece = await pieces.open(getBytes(root), leafCount);
    if (piece === undefined) throw missing();
    const seed = await seeds.seed(possessionEpoch(head.number + 1), signal);
    const dealId = fillQuestionId(id, slot, provider);
    const count = tiers[tier]!.challenges;
    const leaves = challengeIndices({ chainId, market: requests, dealId, window: 0, seed, count, leafCount });
    return prove(piece.layer, piece.read, leaves);
  }

  #outcome({ id, slot }: Vacancy, terms: DealTerms, receipt: TransactionReceipt): FilledEvent {
    const { contracts, deployment } = this.#options.chain;
    const { hash, blockNumber: block, gasUsed, logs } = receipt;
    for (const log of logs) {
      if (log.address !== deployment.requests) continue;
      const event = contracts.requests.interface.parseLog(log);
      if (event?.name !== "Filled") continue;
      return { id, slot, dealId: event.args.dealId, price: terms.pricePerPeriod, hash, block, gasUsed };
    }
    throw new HoldfastError("NO_EVENT", `${hash} filled nothing`, "check that the deployment is this chain's");
  }
}

function missing(): HoldfastError {
  return new HoldfastError("MISSING_PIECE", "the store does not hold the piece any more", "it is fetched again");
}
