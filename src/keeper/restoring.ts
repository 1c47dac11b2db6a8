/** The keeper that bonds stake anew after a miss, so that one bad day does not end a deal. */
import { EventEmitter } from "node:events";
import type { Logger } from "pino";
import type { Chain } from "../chain/chain.js";
import { chainError } from "../chain/errors.js";
import type { HeadUpdate } from "../chain/follower.js";
import type { TransactionSender } from "../chain/sender.js";
import { HoldfastError } from "../errors.js";
import type { PieceSource } from "../store/types.js";
import { Bonds, isOver } from "./bonds.js";
import { type Deal, DealBook, idText, nextChange, readDeals } from "./deals.js";
import type { RestoringEvents } from "./events.js";
import { watchHeads } from "./heads.js";

export interface RestoringKeeperOptions {
  readonly chain: Chain;
  /** Sends from the provider's own account: nobody else may bond its stake. */
  readonly sender: TransactionSender;
  readonly provider: string;
  /** Nothing is bonded to a deal whose bytes are not here: the next window would be missed as well. */
  readonly pieces: PieceSource;
  readonly limits: RestoreLimits;
  readonly logger: Logger;
}

/** How far an operator goes. */
export interface RestoreLimits {
  /** Misses that are made good in one deal, in all its time. */
  readonly missesPerDeal: number;
  /** Stake that is bonded anew to all deals that live, by token, in base units; none in tokens that are not here. */
  readonly stake: ReadonlyMap<string, bigint>;
}

/**
 * Restores what deals of one provider may miss. What to do follows from the chain's books at each head: what was missed,
 * what was bonded anew. So one that is stopped, or runs twice, goes on where the chain stands, within the same limits. At each head it
 * restores one deal: what the next may take is read after it.
 *
 * @example
 * ```ts
 * const limits = { missesPerDeal: 2, stake: new Map([[token, 10n ** 9n]]) };
 * const keeper = new RestoringKeeper({ chain, sender, provider, pieces: store, limits, logger });
 * keeper.on("alarm", ({ id, missed, left }) => page(`deal ${id}: ${missed} missed, ${left} before it defaults`));
 * await keeper.run(signal);
 * ```
 */
export class RestoringKeeper extends EventEmitter<RestoringEvents> {
  readonly #options: RestoringKeeperOptions;
  readonly #logger: Logger;
  readonly #book: DealBook;
  readonly #bonds: Bonds;
  /** The head at which a deal has to be read again. */
  readonly #lookAt = new Map<bigint, number>();
  /** Misses of a deal that somebody was told of. */
  readonly #told = new Map<bigint, number>();
  readonly #held = new Map<bigint, string>();

  constructor(options: RestoringKeeperOptions) {
    super();
    this.#options = options;
    this.#logger = options.logger.child({ keeper: "restoring", provider: options.provider });
    this.#book = new DealBook(options.chain, options.provider);
    this.#bonds = new Bonds(options.chain.deployment.tiers);
  }

  /** Deals with misses that are not made good, and why: the code of the last `trouble`. */
  get held(): ReadonlyMap<bigint, string> {
    return this.#held;
  }

  /** Works until the signal is aborted. Only listeners can make it fail. */
  run(signal: AbortSignal): Promise<void> {
    return watchHeads(this.#options.chain.follower, this.#logger, signal, (update) => this.#look(update, signal));
  }

  async #look(update: HeadUpdate, signal: AbortSignal): Promise<void> {
    const { head, ancestor } = update;
    if (ancestor !== undefined) {
      this.#lookAt.clear();
      this.#bonds.forgetAfter(ancestor);
    }
    await this.#book.sync(update, signal);
    const ids = [...this.#book.ids].filter((id) => (this.#lookAt.get(id) ?? 0) <= head.number);
    const read = await readDeals(this.#options.chain, ids, signal, head.number);
    const deals = read.filter((deal) => this.#bonds.take(deal, head.number));
    for (const deal of deals) this.#alarm(deal);
    for (const deal of deals) if (!(await this.#tend(deal, head.number, signal))) break;
    this.emit("head", { number: head.number });
  }

  /** Once for each miss. */
  #alarm(deal: Deal): void {
    const { id } = deal;
    const { missed, allowance } = deal.standing;
    if (isOver(deal)) return;
    if (missed > (this.#told.get(id) ?? 0)) {
      const left = allowance - missed;
      this.#logger.error({ deal: idText(id), missed, left }, "a window was missed");
      this.emit("alarm", { id, missed, left });
    }
    // What a reorganisation takes back may come again.
    this.#told.set(id, missed);
  }

  /**
   * Makes the misses of one deal good. What fails is told of, keeps no other deal from it, and is tried again at the next head.
   *
   * @returns false where the rest has to wait for the next head: what may be bonded is not known before it
   */
  async #tend(deal: Deal, head: number, signal: AbortSignal): Promise<boolean> {
    const { id } = deal;
    try {
      const misses = await this.#missesToRestore(deal, head, signal);
      if (misses === undefined || signal.aborted) return false;
      // As it was read right before.
      if (misses > 0) return !(await this.#restore(this.#bonds.get(id)!, misses, signal));
      this.#lookAt.set(id, isOver(deal) ? Infinity : nextChange(deal, this.#bonds.tier(deal)));
    } catch (error) {
      if (signal.aborted) return false;
      const { code, message } =
        error instanceof HoldfastError ? error : chainError(error, `restore deal ${idText(id)}`);
      // What it came to is seen at the next head.
      if (code === "IN_FLIGHT") return false;
      this.#tell(id, code, message);
    }
    return true;
  }

  /**
   * How many misses are to be made good; 0 where there are none, or something stands in the way, which is told. Undefined where another
   * restore is on its way, or what is read is too old to say.
   */
  async #missesToRestore(deal: Deal, head: number, signal: AbortSignal): Promise<number | undefined> {
    const { id, token } = deal;
    if (this.#bonds.owed(deal) <= 0) {
      this.#held.delete(id);
      return 0;
    }
    if (this.#allowed(deal) <= 0) return this.#tell(id, "RESTORE_LIMIT", "the operator's limit is reached");
    if (!(await this.#hasPiece(deal)))
      return this.#tell(id, "MISSING_PIECE", "its bytes are not here, so it would be missed again");
    const { registry, market } = this.#options.chain.contracts;
    const [{ free }, fresh] = await Promise.all([
      registry.provisionOf(this.#options.provider, market, token),
      this.#renewed(deal, head, signal),
    ]);
    if (fresh === undefined) return undefined;
    const [owed, allowed, each] = [this.#bonds.owed(fresh), this.#allowed(fresh), this.#bonds.each(fresh)];
    if (owed <= 0) return undefined;
    if (allowed <= 0) return this.#tell(id, "RESTORE_LIMIT", "the operator's limit is reached");
    const affordable = Math.min(owed, allowed, Number(free / each));
    return affordable > 0 ? affordable : this.#tell(id, "NO_STAKE", `${free} of stake is free, a miss takes ${each}`);
  }

  /** Misses that the operator's limits let be made good in a deal, beyond what was. */
  #allowed(deal: Deal): number {
    const { missesPerDeal, stake } = this.#options.limits;
    const left = (stake.get(deal.token) ?? 0n) - this.#bonds.bonded(deal.token);
    return Math.min(missesPerDeal - this.#bonds.restored(deal), Number(left / this.#bonds.each(deal)));
  }

  async #hasPiece({ id, root, leafCount }: Deal): Promise<boolean> {
    try {
      return (await this.#options.pieces.open(root, leafCount)) !== undefined;
    } catch (cause) {
      if (cause instanceof HoldfastError) throw cause;
      const message = `The piece of deal ${idText(id)} can't be opened: ${cause instanceof Error ? cause.message : cause}`;
      throw new HoldfastError("PIECE_UNREADABLE", message, "Look at the disk, or the bucket.", { cause });
    }
  }

  /**
   * The deal as it stands right before it is restored, and with it all that share its limit: others act with the same account.
   *
   * @returns undefined where another restore waits for a block, or the answer is older than a restore that is known
   */
  async #renewed(deal: Deal, head: number, signal: AbortSignal): Promise<Deal | undefined> {
    const { chain } = this.#options;
    const at = Math.max(head, await chain.provider.getBlockNumber());
    const ids = this.#bonds.sharing(deal, at);
    const pending = await readDeals(chain, ids, signal, "pending");
    const now = await readDeals(chain, ids, signal, at);
    // Each is taken, whatever the others are.
    const isOld = now.map((one) => this.#bonds.take(one, at)).includes(false);
    const allowances = new Map(now.map(({ id, standing }) => [id, standing.allowance]));
    const isOnItsWay = pending.some(({ id, standing }) => standing.allowance > (allowances.get(id) ?? 0));
    return isOld || isOnItsWay ? undefined : now.find(({ id }) => id === deal.id);
  }

  /** @returns whether a transaction of ours is in a block @throws what the sender throws */
  async #restore(deal: Deal, misses: number, signal: AbortSignal): Promise<boolean> {
    const { chain, sender, provider } = this.#options;
    const { id } = deal;
    const { market } = chain.deployment;
    const data = chain.contracts.market.interface.encodeFunctionData("restore", [id, misses]);
    // Of all that share a journal one restores at a time, and none what was decided by the same books before.
    const guards = [`restore ${id} ${this.#bonds.restored(deal)}`, `restore of ${provider} in ${market}`];
    const sent = await sender.send(
      { to: market, data },
      `restore ${misses} misses of deal ${idText(id)}`,
      signal,
      guards,
    );
    if (sent.status === "done") return false;
    const { hash, blockNumber: block } = sent.receipt;
    this.#bonds.landed(deal, misses, block);
    this.#held.delete(id);
    const bonded = BigInt(misses) * this.#bonds.each(deal);
    this.#logger.warn({ deal: idText(id), misses, bonded: bonded.toString(), hash }, "stake was bonded anew");
    this.emit("restored", { id, misses, bonded, hash, block });
    return true;
  }

  /** Tells why nothing is done, once for each reason. */
  #tell(id: bigint, code: string, message: string): 0 {
    if (this.#held.get(id) !== code) {
      this.#logger.error({ deal: idText(id), code, message }, "a miss is not made good");
      this.#held.set(id, code);
      this.emit("trouble", { id, code, message });
    }
    return 0;
  }
}
