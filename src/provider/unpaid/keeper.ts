/** Deletes what strangers left here and nobody pays for. */
import { EventEmitter } from "node:events";
import type { Logger } from "pino";
import { REORG_SECONDS } from "../../chain/block-time.js";
import type { Chain } from "../../chain/chain.js";
import type { HeadUpdate } from "../../chain/follower.js";
import { type Deal, DealBook, hasEnded } from "../../keeper/deals.js";
import { watchHeads } from "../../keeper/heads.js";
import { type PieceStore, treeKey } from "../../store/index.js";
import type { UnpaidPiece, UnpaidPieces } from "./pieces.js";

export interface UnpaidKeeperOptions {
  readonly chain: Chain;
  /** The provider whose deals count. */
  readonly provider: string;
  readonly store: PieceStore;
  readonly unpaid: UnpaidPieces;
  readonly logger: Logger;
  /** Milliseconds that a piece may wait for its deal; an hour by default. */
  readonly graceMs?: number;
  /** Unix milliseconds, by the clock of `unpaid`. */
  readonly now?: () => number;
}

export interface UnpaidEvents {
  /** A piece was deleted. */
  deleted: [{ readonly pieceCid: string }];
  /** A piece has a deal: it stays from now on, whatever becomes of that. */
  paid: [{ readonly pieceCid: string }];
}

const GRACE_MS = 3_600_000;

/**
 * Looks at each head which of the unpaid pieces have a deal by now, and deletes those whose time is over: no deal of this
 * provider that is not over has them, nor is about to by an amendment, and nobody holds a signature that could open one.
 *
 * @example
 * const keeper = new UnpaidKeeper({ chain, provider, store, unpaid, logger });
 * await keeper.run(signal);
 */
export class UnpaidKeeper extends EventEmitter<UnpaidEvents> {
  readonly #o: UnpaidKeeperOptions;
  readonly #book: DealBook;
  /** Deals whose pieces are known to be paid for. */
  readonly #read = new Set<bigint>();
  readonly #graceMs: number;
  readonly #now: () => number;

  constructor(options: UnpaidKeeperOptions) {
    super();
    this.#o = options;
    this.#book = new DealBook(options.chain, options.provider);
    this.#graceMs = options.graceMs ?? GRACE_MS;
    this.#now = options.now ?? Date.now;
  }

  /** Works until the signal is aborted. Only listeners can make it fail. */
  async run(signal: AbortSignal): Promise<void> {
    const { chain, logger } = this.#o;
    await watchHeads(chain.follower, logger.child({ keeper: "unpaid" }), signal, (update) =>
      this.#look(update, signal),
    );
  }

  async #look(update: HeadUpdate, signal: AbortSignal): Promise<void> {
    const { store, unpaid } = this.#o;
    await store.expireUploads();
    await unpaid.refresh();
    if (unpaid.list().length === 0) return;
    await this.#book.sync(update, signal);
    const fresh = [...this.#book.ids].filter((id) => !this.#read.has(id));
    await this.#markPaid(await this.#book.read(fresh, signal));
    const due = unpaid.list().filter((piece) => this.#isDue(piece));
    if (due.length === 0) return;
    // Deals change: this time all of them are read.
    await this.#markPaid(await this.#book.read([...this.#book.ids], signal));
    for (const { pieceCid } of due) await this.#clear(pieceCid, update.head.timestamp);
  }

  #isDue({ since }: UnpaidPiece): boolean {
    return this.#now() - since >= this.#graceMs;
  }

  async #markPaid(deals: readonly Deal[]): Promise<void> {
    const { unpaid, logger } = this.#o;
    const paid = new Set<string>();
    for (const deal of deals) {
      this.#read.add(deal.id);
      if (hasEnded(deal)) continue;
      paid.add(treeKey(deal));
      if (deal.next) paid.add(treeKey(deal.next));
    }
    for (const { pieceCid, commitment } of unpaid.list()) {
      if (!paid.has(treeKey(commitment))) continue;
      await unpaid.forget(pieceCid);
      logger.debug({ pieceCid }, "piece has a deal");
      this.emit("paid", { pieceCid });
    }
  }

  async #clear(pieceCid: string, time: number): Promise<void> {
    const { store, unpaid, logger } = this.#o;
    // Since it was found to be due, it may have got its deal, or somebody may have asked for it, here or at another node.
    const piece = await unpaid.look(pieceCid);
    if (!piece || !this.#isDue(piece) || !(await store.remove(pieceCid, time - REORG_SECONDS))) return;
    // Whoever has begun to bring it again since needs the note.
    await unpaid.forget(pieceCid, piece.since);
    logger.info({ pieceCid, bytes: piece.commitment.payloadSize.toString() }, "piece without a deal deleted");
    this.emit("deleted", { pieceCid });
  }
}
