/** The keeper that bonds stake anew after a miss, so that one bad day does not end a deal. */
import { EventEmitter } from "node:events";
import type { Logger } from "pino";
import type { Chain } from "../chain/chain.js";
import { chainError } from "../chain/errors.js";
import type { HeadUpdate } from "../chain/follower.js";
import type { TransactionSender } from "../chain/sender.js";
import { HoldfastError } from "../errors.js";
import { Stage, Status, share, type Tier } from "../protocol/index.js";
import type { PieceSource } from "../store/types.js";
import { type Deal, DealBook, hasEnded, idText, nextChange } from "./deals.js";
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
 * what was bonded anew. So one that is stopped, or runs twice, goes on where the chain stands, within the same limits.
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
  /** Deals as last read. */
  readonly #deals = new Map<bigint, Deal>();
  /** The head at which a deal has to be read again. */
  readonly #lookAt = new Map<bigint, number>();
  /** Misses of a deal that somebody was told of, and the reason that was told last. */
  readonly #told = new Map<bigint, { missed: number; code: string | undefined }>();

  constructor(options: RestoringKeeperOptions) {
    super();
    this.#options = options;
    this.#logger = options.logger.child({ keeper: "restoring", provider: options.provider });
    this.#book = new DealBook(options.chain, options.provider);
  }

  /** Works until the signal is aborted. Only listeners can make it fail. */
  run(signal: AbortSignal): Promise<void> {
    return watchHeads(this.#options.chain.follower, this.#logger, signal, (update) => this.#look(update, signal));
  }

  async #look(update: HeadUpdate, signal: AbortSignal): Promise<void> {
    const { head, ancestor } = update;
    if (ancestor !== undefined) this.#lookAt.clear();
    await this.#book.sync(update, signal);
    const ids = [...this.#book.ids].filter((id) => (this.#lookAt.get(id) ?? 0) <= head.number);
    for (const deal of await this.#book.read(ids, signal)) {
      this.#deals.set(deal.id, deal);
      this.#lookAt.set(deal.id, isOver(deal) ? Infinity : nextChange(deal, this.#tier(deal)));
    }
    for (const id of ids) {
      const deal = this.#deals.get(id);
      if (deal === undefined || isOver(deal)) continue;
      this.#alarm(deal);
      const misses = await this.#missesToRestore(deal);
      if (misses > 0) await this.#restore(deal, misses, signal);
    }
    this.emit("head", { number: head.number });
  }

  /** Once for each miss. */
  #alarm({ id, standing: { missed, allowance } }: Deal): void {
    const known = this.#told.get(id) ?? { missed: 0, code: undefined };
    if (missed > known.missed) {
      const left = allowance - missed;
      this.#logger.error({ deal: idText(id), missed, left }, "a window was missed");
      this.emit("alarm", { id, missed, left });
    }
    // What a reorganisation takes back may come again.
    this.#told.set(id, { ...known, missed });
  }

  /** How many misses are to be made good; 0 where there are none, or something stands in the way, which is told. */
  async #missesToRestore(deal: Deal): Promise<number> {
    const { id, root, leafCount, token, standing } = deal;
    const owed = standing.missed - this.#restored(deal);
    if (owed <= 0) return 0;
    const each = share(deal, this.#tier(deal));
    const allowed = Math.min(
      this.#options.limits.missesPerDeal - this.#restored(deal),
      Number(this.#left(token) / each),
    );
    if (allowed <= 0) return this.#tell(id, "RESTORE_LIMIT", "the operator's limit is reached");
    if ((await this.#options.pieces.open(root, leafCount)) === undefined) {
      return this.#tell(id, "MISSING_PIECE", "its bytes are not here, so it would be missed again");
    }
    const { registry, market } = this.#options.chain.contracts;
    const { free } = await registry.provisionOf(this.#options.provider, market, token);
    const affordable = Math.min(owed, allowed, Number(free / each));
    return affordable > 0 ? affordable : this.#tell(id, "NO_STAKE", `${free} of stake is free, a miss takes ${each}`);
  }

  /** What may still be bonded in a token, in base units. */
  #left(token: string): bigint {
    const live = [...this.#deals.values()].filter((deal) => deal.token === token && !isOver(deal));
    const bonded = live.reduce((sum, deal) => sum + BigInt(this.#restored(deal)) * share(deal, this.#tier(deal)), 0n);
    const left = (this.#options.limits.stake.get(token) ?? 0n) - bonded;
    return left > 0n ? left : 0n;
  }

  async #restore(deal: Deal, misses: number, signal: AbortSignal): Promise<void> {
    const { chain, sender } = this.#options;
    const { id } = deal;
    const data = chain.contracts.market.interface.encodeFunctionData("restore", [id, misses]);
    const doing = `restore ${misses} misses of deal ${idText(id)}`;
    try {
      const sent = await sender.send({ to: chain.deployment.market, data }, doing, signal, [`restore ${id}`]);
      if (sent.status === "done") return;
      const { hash, blockNumber: block } = sent.receipt;
      // What the next one may take depends on it, before it is read again.
      const standing = { ...deal.standing, allowance: deal.standing.allowance + misses };
      this.#deals.set(id, { ...deal, standing });
      const bonded = BigInt(misses) * share(deal, this.#tier(deal));
      this.#logger.warn({ deal: idText(id), misses, bonded: bonded.toString(), hash }, "stake was bonded anew");
      this.emit("restored", { id, misses, bonded, hash, block });
    } catch (error) {
      if (signal.aborted) return;
      const { code, message } = error instanceof HoldfastError ? error : chainError(error, doing);
      this.#tell(id, code, message);
    }
    // Read again at the next head, with what it has now.
    this.#lookAt.delete(id);
  }

  /** Tells why nothing is done, once for each reason; it is tried again when the deal changes. */
  #tell(id: bigint, code: string, message: string): 0 {
    const known = this.#told.get(id) ?? { missed: 0, code: undefined };
    if (known.code !== code) {
      this.#logger.error({ deal: idText(id), code, message }, "a miss is not made good");
      this.emit("trouble", { id, code, message });
    }
    this.#told.set(id, { ...known, code });
    return 0;
  }

  #restored(deal: Deal): number {
    return deal.standing.allowance - this.#tier(deal).maxMisses;
  }

  #tier(deal: Deal): Tier {
    return this.#options.chain.deployment.tiers[deal.tier]!;
  }
}

function isOver(deal: Deal): boolean {
  return hasEnded(deal) || deal.standing.status === Status.Ending || deal.stage === Stage.Closed;
}
