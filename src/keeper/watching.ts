/** The keeper that anybody can run: it settles and slashes, for the bounty. */
import { EventEmitter } from "node:events";
import { getAddress } from "ethers";
import type { Logger } from "pino";
import type { Chain } from "../chain/chain.js";
import { chainError } from "../chain/errors.js";
import { presentFee } from "../chain/fees.js";
import type { HeadUpdate } from "../chain/follower.js";
import type { Call, TransactionSender } from "../chain/sender.js";
import { HoldfastError } from "../errors.js";
import { type Due, Stage, type Status, Status as Statuses, type Tier, windowOf } from "../protocol/index.js";
import { Bargains } from "./bargains.js";
import { sendSplitting, sideBySide } from "./batches.js";
import { type Deal, DealBook, dueFrom, hasEnded } from "./deals.js";
import type { SettledEvent, WatchingEvents } from "./events.js";
import { watchHeads } from "./heads.js";
import { type Candidate, type SettleEconomics, type SettlePolicy, settleAlways } from "./policy.js";
import { settleGuard } from "./settle-guard.js";

export interface WatchingKeeperOptions {
  readonly chain: Chain;
  /** Pays for the settlements. */
  readonly sender: TransactionSender;
  readonly logger: Logger;
  /** Which deals to settle; all where something is due, by default. */
  readonly policy?: SettlePolicy;
  /**
   * What bounties are worth, by the operator: then deals wait until theirs pay for the gas of their batch. Without it, whatever the
   * policy wants is settled at any fee.
   */
  readonly economics?: SettleEconomics;
  /** Whose account in the vault gets the bounties; the sender's by default. */
  readonly bountyTo?: string;
  /**
   * A provider whose earnings are settled whatever the policy says, once in so many blocks. A deal of it that has ended is
   * settled at once.
   */
  readonly own?: { readonly provider: string; readonly everyBlocks: number };
  /**
   * Blocks on top of a window's last one before what it brings is settled, so that no slash follows from a block that a
   * reorganisation takes away; `finalized`: as many as the chain itself waits. A settlement takes all windows at once, so a deal whose period is shorter than
   * that is settled at its end. The deployment's challenge finality by default.
   */
  readonly depth?: number | "finalized";
  /** Deals in one transaction at most; 50 by default. */
  readonly batchSize?: number;
}

/** Deals in one transaction at most. */
const BATCH = 50;
/** Transactions on their way at a time: some ten million units of gas, less than half of a block of Ethereum. */
const IN_FLIGHT = 8;
/** Calls of `dueOf` that are asked for together. */
const READ_BATCH = 50;

/**
 * Follows all deals of a market and brings those up to date that are worth it.
 *
 * What is due changes when a window closes and at no other time, so a deal is looked at once for each of its windows.
 *
 * @example
 * ```ts
 * const keeper = new WatchingKeeper({ chain, sender, logger, policy: bountyAtLeast(new Map([[token, 10n ** 16n]])) });
 * keeper.on("settled", ({ id, moved }) => console.log(`deal ${id}: bounty ${moved.bounty}`));
 * await keeper.run(signal);
 * ```
 */
export class WatchingKeeper extends EventEmitter<WatchingEvents> {
  readonly #options: WatchingKeeperOptions;
  readonly #logger: Logger;
  readonly #policy: SettlePolicy;
  readonly #book: DealBook;
  readonly #bargains: Bargains | undefined;
  /** The head at which a deal has to be looked at again; Infinity where nothing will ever be due. */
  readonly #lookAt = new Map<bigint, number>();
  /** Deals of the operator's own provider. */
  readonly #own = new Set<bigint>();
  #ownSettledAt = 0;
  /** Those of them whose turn came when they were not deep enough. */
  readonly #ownWaiting = new Set<bigint>();
  #head = 0;
  /** The block up to which windows count as closed. */
  #final = 0;

  constructor(options: WatchingKeeperOptions) {
    super();
    const { own } = options;
    this.#options = own === undefined ? options : { ...options, own: { ...own, provider: getAddress(own.provider) } };
    this.#logger = options.logger.child({ keeper: "watching" });
    this.#policy = options.policy ?? settleAlways;
    this.#book = new DealBook(options.chain);
    const { economics, batchSize = BATCH } = options;
    const gasOf = (deals: readonly Candidate[]) => this.#gasOf(deals);
    const renew = (deals: readonly Candidate[]) => this.#due(deals.map(({ deal }) => deal));
    this.#bargains = economics && new Bargains({ economics, batchSize, gasOf, renew });
  }

  /** Works until the signal is aborted. Only listeners can make it fail. */
  run(signal: AbortSignal): Promise<void> {
    return watchHeads(this.#options.chain.follower, this.#logger, signal, (update) => this.#look(update, signal));
  }

  async #look(update: HeadUpdate, signal: AbortSignal): Promise<void> {
    const { head, ancestor } = update;
    this.#head = head.number;
    this.#final = await this.#finalBlock(head.number);
    if (ancestor !== undefined) {
      this.#lookAt.clear();
      this.#bargains?.clear();
    }
    await this.#book.sync(update, signal);
    const ownIsDue = this.#ownIsDue();
    const ids = [...this.#book.ids].filter((id) => {
      const at = this.#lookAt.get(id) ?? 0;
      return at <= head.number || (ownIsDue && at !== Infinity && this.#own.has(id));
    });
    const candidates = await this.#candidates(await this.#book.read(ids, signal), ownIsDue, signal);
    const worth: Candidate[] = [];
    for (const one of candidates) {
      if (this.#isOwn(one, ownIsDue)) worth.push(one);
      else if (!this.#policy(one)) this.#bargains?.remove(one.deal.id);
      else if (this.#bargains === undefined) worth.push(one);
      else this.#bargains.add(one);
    }
    const allSettled = await this.#settle(worth, signal);
    // The gains of a deal that wasn't worth it wait for its next window.
    const settled = new Set(worth);
    for (const one of candidates) if (!settled.has(one)) this.#schedule(one.deal);
    if (ownIsDue && allSettled) this.#ownSettledAt = head.number;
    await this.#strike(signal);
    this.emit("head", { number: head.number });
  }

  /** Settles what pays at the present fee. */
  async #strike(signal: AbortSignal): Promise<void> {
    if (this.#bargains === undefined || this.#bargains.size === 0) return;
    const fee = await presentFee(this.#options.chain.provider);
    await sideBySide(this.#bargains.take(fee), IN_FLIGHT, async ({ deals, maxFee }) => {
      signal.throwIfAborted();
      await this.#settle(deals, signal, maxFee);
      // Read again at the next head, which finds them settled.
      for (const { deal } of deals) this.#lookAt.delete(deal.id);
    });
  }

  /** Deals for which settling would move something; the others are put off. */
  async #candidates(deals: readonly Deal[], ownIsDue: boolean, signal: AbortSignal): Promise<Candidate[]> {
    const due = deals.filter((deal) => {
      if (deal.provider === this.#options.own?.provider) this.#own.add(deal.id);
      if (!hasSomethingDue(deal)) {
        this.#bargains?.remove(deal.id);
        this.#schedule(deal);
        return false;
      }
      const settleAt = this.#closedAt(deal) + 1;
      if (settleAt <= this.#final) return true;
      // Where the chain says what is final, that may come at any head.
      const wait = this.#options.depth === "finalized" ? 1 : settleAt - this.#final;
      this.#lookAt.set(deal.id, this.#head + wait);
      if (ownIsDue && this.#own.has(deal.id)) this.#ownWaiting.add(deal.id);
      return false;
    });
    const candidates: Candidate[] = [];
    for (const one of await this.#due(due, signal)) {
      if (moves(one.due)) candidates.push(one);
      else this.#schedule(one.deal);
    }
    return candidates;
  }

  async #due(deals: readonly Deal[], signal?: AbortSignal): Promise<Candidate[]> {
    const candidates: Candidate[] = [];
    for (let at = 0; at < deals.length; at += READ_BATCH) {
      signal?.throwIfAborted();
      const asked = deals.slice(at, at + READ_BATCH).map(async (deal) => {
        const due = await this.#options.chain.contracts.lens.dueOf(deal.id);
        return { deal, due: dueFrom(due) };
      });
      candidates.push(...(await Promise.all(asked)));
    }
    return candidates;
  }

  /** What settling deals together takes, as the chain would have it now. */
  async #gasOf(deals: readonly Candidate[]): Promise<bigint> {
    const { chain, sender } = this.#options;
    try {
      return await chain.provider.estimateGas({ from: await sender.address(), ...(await this.#call(deals)) });
    } catch (error) {
      throw chainError(error, "estimate a settlement");
    }
  }

  async #call(deals: readonly Candidate[]): Promise<Call> {
    const { chain, sender, bountyTo = await sender.address() } = this.#options;
    const ids = deals.map(({ deal }) => deal.id);
    const data = chain.contracts.market.interface.encodeFunctionData("settle", [ids, bountyTo]);
    return { to: chain.deployment.market, data };
  }

  /** The last block of the deal's last closed window. */
  #closedAt(deal: Deal): number {
    const { firstEpoch, standing } = deal;
    return windowOf(firstEpoch, this.#tier(deal), Math.max(1, standing.closed)).lastBlock;
  }

  async #finalBlock(head: number): Promise<number> {
    const { chain, depth = chain.deployment.challengeFinality } = this.#options;
    if (depth !== "finalized") return head - depth;
    const block = await chain.provider.getBlock("finalized");
    return block?.number ?? 0;
  }

  /** Puts a deal off until its next window has closed. */
  #schedule(deal: Deal): void {
    const { id, standing, firstEpoch, stage } = deal;
    if (stage === Stage.Closed) {
      this.#lookAt.set(id, Infinity);
      return;
    }
    // Ended, but not worth settling: a price or a policy may change, a window won't.
    const next = hasEnded(deal) ? standing.closed : standing.closed + 1;
    const { lastBlock } = windowOf(firstEpoch, this.#tier(deal), Math.max(1, next));
    const again = lastBlock + 1;
    this.#lookAt.set(id, again > this.#head ? again : this.#head + this.#tier(deal).period);
  }

  #ownIsDue(): boolean {
    const { own } = this.#options;
    return own !== undefined && this.#head - this.#ownSettledAt >= own.everyBlocks;
  }

  #isOwn({ deal, due }: Candidate, isDue: boolean): boolean {
    const waited = this.#ownWaiting.delete(deal.id);
    return deal.provider === this.#options.own?.provider && (isDue || waited || due.closes);
  }

  /** False where some could not be settled. @param maxFee - wei for a unit of gas that they may cost, raises included */
  async #settle(worth: readonly Candidate[], signal: AbortSignal, maxFee?: bigint): Promise<boolean> {
    const { batchSize = BATCH } = this.#options;
    let allSettled = true;
    const refused = (items: readonly Candidate[], error: unknown) => {
      allSettled = false;
      this.#report(items, error, signal);
    };
    const batches: (readonly Candidate[])[] = [];
    for (let at = 0; at < worth.length; at += batchSize) batches.push(worth.slice(at, at + batchSize));
    await sideBySide(batches.values(), IN_FLIGHT, (batch) =>
      sendSplitting(batch, (items) => this.#send(items, signal, maxFee), refused),
    );
    return allSettled;
  }

  async #send(items: readonly Candidate[], signal: AbortSignal, maxFee: bigint | undefined): Promise<void> {
    const { chain, sender } = this.#options;
    const { market } = chain.contracts;
    const ids = items.map(({ deal }) => deal.id);
    // Of several keepers with one journal, one settles a deal.
    const guards = ids.map((id) => settleGuard(chain.deployment.market, id));
    const call = { ...(await this.#call(items)), ...(maxFee !== undefined && { maxFeePerGas: maxFee }) };
    const sent = await sender.send(call, `settle ${ids.length} deals`, signal, guards);
    // Each is read again at the next head, which finds it settled, by us or by somebody faster.
    if (sent.status === "done") return;
    const { hash, blockNumber: block, gasUsed, logs } = sent.receipt;
    const deals = new Map(items.map(({ deal }) => [deal.id, deal]));
    let settled = 0;
    for (const log of logs) {
      if (log.address !== chain.deployment.market) continue;
      const event = market.interface.parseLog(log);
      const deal = event?.name === "Settled" ? deals.get(event.args[0]) : undefined;
      if (event === null || deal === undefined) continue;
      settled++;
      const { provider, owner, token, id } = deal;
      const [, , , moved, receiver, status] = event.args;
      const outcome = { bountyTo: receiver, status: Number(status) as Status, moved: dueFrom(moved) };
      this.emit("settled", { id, provider, owner, token, hash, block, ...outcome } satisfies SettledEvent);
    }
    this.#logger.info({ hash, block, deals: ids.length, settled, gasUsed: gasUsed.toString() }, "deals settled");
  }

  #report(items: readonly Candidate[], error: unknown, signal: AbortSignal): void {
    if (signal.aborted) return;
    const { code, message } = error instanceof HoldfastError ? error : chainError(error, "settle");
    const ids = items.map(({ deal }) => deal.id);
    for (const id of ids) {
      this.#lookAt.delete(id);
      if (this.#own.has(id)) this.#ownWaiting.add(id);
    }
    // Another keeper's settlement is on its way, or this one was not worth its fee any more: the next head tells.
    if (code === "IN_FLIGHT" || code === "NOT_DONE") return;
    this.#logger.error({ err: error, deals: ids.length }, "settling failed");
    this.emit("trouble", { ids, code, message });
  }

  #tier(deal: Deal): Tier {
    return this.#options.chain.deployment.tiers[deal.tier]!;
  }
}

/** What {@link Due} may not be zero for, told from the counters alone. */
function hasSomethingDue({ stage, standing, since, paidWindows, slashedMisses }: Deal): boolean {
  if (stage === Stage.Closed) return false;
  const ends = standing.status >= Statuses.Completed;
  // What the commitment before owed is due with the close of its last window, and the counters have it as booked.
  const turned = since > 0 && standing.closed === since;
  return ends || turned || standing.provenClosed > paidWindows || standing.missed > slashedMisses;
}

function moves({ windows, misses, refund, returned, closes }: Due): boolean {
  return closes || windows > 0 || misses > 0 || refund > 0n || returned > 0n;
}
