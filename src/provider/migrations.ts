import { getBytes, hexlify } from "ethers";
import type { Contracts } from "../chain/contracts.js";
import type { Deployment } from "../chain/deployment.js";
import { chainError } from "../chain/errors.js";
import { seedAfter } from "../chain/seeds.js";
import { HoldfastError } from "../errors.js";
import { prove } from "../piece/index.js";
import {
  challengeIndices,
  type DealTerms,
  type MigrationAnswer,
  migrationQuestionId,
  possessionEpoch,
} from "../protocol/index.js";
import type { PieceStore } from "../store/index.js";
import { openDeal, refusal } from "./checks.js";
import type { DealDesk } from "./deals.js";

export interface MigrationDeskOptions {
  /** The provider that deals move to. */
  readonly provider: string;
  readonly deployment: Deployment;
  /** Connected to a provider, to read. */
  readonly contracts: Contracts;
  readonly store: PieceStore;
  /** What decides about the terms of a deal that moves here. */
  readonly desk: Pick<DealDesk, "accept">;
  /** The latest block's number. */
  readonly head: () => Promise<number>;
}

/** Takes over deals that are with other providers. */
export class MigrationDesk {
  readonly #o: MigrationDeskOptions;

  constructor(options: MigrationDeskOptions) {
    this.#o = options;
  }

  /**
   * Takes over a deal that is with another provider: signs the terms that follow it, and proves that the piece is here.
   *
   * The proof answers one question only, which names the deal, this provider and a block that the asker can't choose;
   * it is of no use for a deal of anybody else's, nor for a window of one. Nobody gets one but for terms that this
   * provider signs, for a deal that is live.
   *
   * @throws HoldfastError `DEAL_REFUSED`, `SEED_UNAVAILABLE` where nobody has checkpointed the seed yet
   * @throws what the chain's provider throws where it can't be asked
   */
  async accept(dealId: bigint, terms: DealTerms): Promise<MigrationAnswer> {
    const deal = await openDeal(this.#o.contracts, dealId);
    if (deal.provider === this.#o.provider) throw refusal("that deal is with this provider already");
    if (deal.owner !== terms.client) throw refusal(`that deal is owned by ${deal.owner}`);
    if (deal.root !== hexlify(terms.root) || deal.leafCount !== terms.leafCount) {
      throw refusal("the terms are for another piece than that deal is");
    }
    const { providerSignature } = await this.#o.desk.accept(terms);
    return { providerSignature, ...(await this.#possession(dealId, terms)) };
  }

  async #possession(dealId: bigint, terms: DealTerms): Promise<Pick<MigrationAnswer, "epoch" | "proof">> {
    const { provider, deployment, contracts, store, head } = this.#o;
    const { chainId, market } = deployment;
    const { leafCount, tier } = terms;
    const piece = await store.open(getBytes(terms.root), leafCount);
    if (!piece) throw refusal("no piece with this root and leafCount is here any more");
    // One after the latest block is the first that the migration can be in.
    const latest = await head();
    const epoch = possessionEpoch(latest + 1);
    const seed = await seedOf(contracts, epoch, latest);
    const { challenges: count } = deployment.tiers[tier] as Deployment["tiers"][number];
    const question = { chainId, market, dealId: migrationQuestionId(dealId, provider), window: 0 };
    const leaves = challengeIndices({ ...question, seed, count, leafCount });
    return { epoch, proof: hexlify(await prove(piece.layer, piece.read, leaves)) };
  }
}

async function seedOf(contracts: Contracts, epoch: number, latest: number): Promise<bigint> {
  try {
    return await seedAfter(contracts, epoch, latest);
  } catch (error) {
    const failed = chainError(error, `read the seed of epoch ${epoch}`);
    if (failed.revert?.name !== "SeedUnavailable") throw failed;
    const hint = "checkpoint it, then ask again";
    throw new HoldfastError("SEED_UNAVAILABLE", `the seed of block ${epoch} is not there yet`, hint, { cause: error });
  }
}
