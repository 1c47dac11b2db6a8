/** The deals that a keeper looks after: found by their events, read from the chain's own books. */
import { getBytes, toBeHex, zeroPadValue } from "ethers";
import type { DealViewStructOutput, DueStructOutput } from "../../typechain-types/MarketLens.js";
import type { Chain } from "../chain/chain.js";
import type { HeadUpdate } from "../chain/follower.js";
import { decodeStatic, staticWords } from "../chain/static-abi.js";
import { HoldfastError } from "../errors.js";
import {
  bonded,
  type Due,
  type Stage,
  Stage as Stages,
  type Standing,
  Status,
  slashedFor,
  type Tier,
  windowOf,
} from "../protocol/index.js";

/** What keepers need of a deal. Epochs and counts of windows are numbers, amounts base units of `token`. */
export interface Deal {
  readonly id: bigint;
  readonly owner: string;
  readonly provider: string;
  readonly root: Uint8Array;
  readonly leafCount: bigint;
  /** The piece of an amendment that waits, where there is one. */
  readonly next?: { readonly root: Uint8Array; readonly leafCount: bigint };
  readonly tier: number;
  readonly token: string;
  readonly price: bigint;
  /** What one more period costs: the price of an amendment that waits, where there is one. */
  readonly extensionPrice: bigint;
  readonly collateral: bigint;
  readonly firstEpoch: number;
  readonly periods: number;
  readonly maxPeriods: number;
  readonly lastProven: number;
  /** Misses for demands that nobody answered. */
  readonly demandMisses: number;
  /** The last window of the commitments before this one, 0 where it was never amended. */
  readonly since: number;
  readonly paidWindows: number;
  readonly slashedMisses: number;
  readonly stage: Stage;
  /** The deal that this one was moved to; 0n where it was not. */
  readonly successor: bigint;
  /** At the block that it was read at. */
  readonly standing: Standing;
}

/** Deals in one call of the lens: some 30,000 gas each, far below what nodes grant a call. */
const READ_BATCH = 100;
/** Such calls at a time. */
const READERS = 4;

/** Hexadecimal digits before the first item of a list that is an answer: where it is, and how long. */
const LIST_HEAD = 128;

/**
 * Blocks below the head that are asked for again each time. Behind an endpoint of several nodes, the one that answers for
 * logs may be behind the one that named the head, and leaves out what it has not seen without a word.
 */
export const OVERLAP = 32;

/** Whether nothing can be proven any more, whatever happens. */
export function hasEnded({ standing: { status } }: Deal): boolean {
  return status === Status.Completed || status === Status.Defaulted || status === Status.Migrated;
}

/** The first block by which one more window of a deal than now has closed: nothing of its standing changes before. */
export function nextChange({ firstEpoch, standing }: Deal, tier: Tier): number {
  return windowOf(firstEpoch, tier, standing.closed + 1).lastBlock + 1;
}

/** What a deal still has locked of its provider's stake, in base units, as far as it is settled. */
export function stakeOf(deal: Deal, tier: Tier): bigint {
  if (deal.stage === Stages.Closed) return 0n;
  const course = { restored: deal.standing.allowance - tier.maxMisses };
  return bonded(course, deal, tier) - slashedFor(course, deal, tier, deal.slashedMisses).slashed;
}

/** A deal's id as logs and people read it. */
export function idText(id: bigint): string {
  return toBeHex(id, 32);
}

/** Follows the `Opened` events of a market, of one provider or of all. */
export class DealBook {
  readonly #chain: Chain;
  readonly #topics: (string | null)[];
  readonly #ids = new Set<bigint>();
  #found: bigint[] = [];
  /** Every event up to here is known. */
  #readTo: number;

  /** @param provider - The provider whose deals they are; without it, all deals. */
  constructor(chain: Chain, provider?: string) {
    this.#chain = chain;
    const { topicHash } = chain.contracts.market.interface.getEvent("Opened");
    this.#topics = [topicHash, null, null, ...(provider === undefined ? [] : [zeroPadValue(provider, 32)])];
    this.#readTo = chain.deployment.block - 1;
  }

  /** Every deal found so far. One whose block is gone stays: it may come again, and reading it says that it isn't there. */
  get ids(): ReadonlySet<bigint> {
    return this.#ids;
  }

  /**
   * Reads the events up to a head: from the deployment on at first, later what is new, recent, or was reorganised.
   *
   * @throws What the node answers. What was read by then is kept; the next call goes on from there.
   */
  async sync({ head, ancestor }: HeadUpdate, signal: AbortSignal): Promise<void> {
    if (ancestor !== undefined) this.#readTo = Math.min(this.#readTo, ancestor);
    const filter = { address: this.#chain.deployment.market, topics: this.#topics };
    const settled = head.number - OVERLAP;
    for await (const { logs, to } of this.#chain.follower.logs(filter, this.#readTo + 1, head.number, signal)) {
      for (const { topics } of logs) this.#add(BigInt(topics[1]!));
      this.#readTo = Math.max(this.#readTo, Math.min(to, settled));
    }
  }

  #add(id: bigint): void {
    if (this.#ids.has(id)) return;
    this.#ids.add(id);
    this.#found.push(id);
  }

  /** Deals that were found since this was asked last. */
  takeFound(): bigint[] {
    const found = this.#found;
    this.#found = [];
    return found;
  }

  /** Reads deals as they stand now, in batches; those that do not exist are left out. */
  read(ids: readonly bigint[], signal: AbortSignal): Promise<Deal[]> {
    return readDeals(this.#chain, ids, signal);
  }
}

/**
 * Reads deals in batches; those that do not exist are left out.
 *
 * @param at - a block; `pending`: as they would stand with the transactions that wait for one, where the node tells
 */
export async function readDeals(
  { contracts }: Chain,
  ids: readonly bigint[],
  signal: AbortSignal,
  at: number | "latest" | "pending" = "latest",
): Promise<Deal[]> {
  const deals: Deal[] = [];
  const read = async (from: number) => {
    const batch = ids.slice(from, from + READ_BATCH);
    const views = await viewsOf(contracts, batch, at);
    return views.flatMap((view, i) => (Number(view.stage) >= Stages.Open ? [dealOf(batch[i]!, view)] : []));
  };
  for (let from = 0; from < ids.length; from += READ_BATCH * READERS) {
    signal.throwIfAborted();
    const last = Math.min(ids.length, from + READ_BATCH * READERS);
    const asked = [];
    for (let each = from; each < last; each += READ_BATCH) asked.push(read(each));
    for (const some of await Promise.all(asked)) deals.push(...some);
  }
  return deals;
}

/** What `lens.dealsOf` answers. A view has no member whose length varies. */
async function viewsOf(
  { lens }: Chain["contracts"],
  ids: readonly bigint[],
  at: number | "latest" | "pending",
): Promise<DealViewStructOutput[]> {
  const view = lens.interface.getFunction("dealsOf").outputs[0]!.arrayChildren!;
  const call = await lens.dealsOf.populateTransaction([...ids], { blockTag: at });
  const answer = (await lens.runner!.call!(call)).slice(2);
  const count = answer.length < LIST_HEAD ? 0n : BigInt(`0x${answer.slice(LIST_HEAD / 2, LIST_HEAD)}`);
  const words = staticWords(view);
  const isWhole = answer.length === LIST_HEAD + Number(count) * words * 64;
  if (count !== BigInt(ids.length) || !isWhole) throw badAnswer(count, ids.length);
  const views = answer.slice(LIST_HEAD);
  return ids.map((_, i) => decodeStatic(view, views, i * words) as DealViewStructOutput);
}

function badAnswer(count: bigint, asked: number): HoldfastError {
  return new HoldfastError(
    "BAD_ANSWER",
    `The lens was asked for ${asked} deals and answers with ${count}`,
    "Check the endpoint, and the lens in the deployment file.",
  );
}

function dealOf(id: bigint, view: DealViewStructOutput): Deal {
  const { standing, revision, successor } = view;
  return {
    id,
    owner: view.owner,
    provider: view.provider,
    root: getBytes(view.root),
    leafCount: view.leafCount,
    ...(revision.from > 0n ? { next: { root: getBytes(revision.root), leafCount: revision.leafCount } } : {}),
    tier: Number(view.tier),
    token: view.token,
    price: view.price,
    extensionPrice: revision.from > 0n ? revision.price : view.price,
    collateral: view.collateral,
    firstEpoch: Number(view.firstEpoch),
    periods: Number(view.periods),
    maxPeriods: Number(view.maxPeriods),
    lastProven: Number(view.lastProven),
    demandMisses: Number(view.demandMisses),
    since: Number(view.revision.since),
    paidWindows: Number(view.paidWindows),
    slashedMisses: Number(view.slashedMisses),
    stage: Number(view.stage) as Stage,
    successor,
    standing: {
      closed: Number(standing.closed),
      open: Number(standing.open),
      provenClosed: Number(standing.provenClosed),
      missed: Number(standing.missed),
      allowance: Number(standing.allowance),
      status: Number(standing.status) as Status,
    },
  };
}

/** What the lens says that a settlement moves. */
export function dueFrom(due: DueStructOutput): Due {
  const { payment, fee, refund, bounty, compensation, returned, closes } = due;
  const [windows, misses] = [Number(due.windows), Number(due.misses)];
  return { windows, misses, payment, fee, refund, bounty, compensation, returned, closes };
}
