/** Deletes what strangers left here and nobody pays for. */
import { EventEmitter } from "node:events";
import type { Logger } from "pino";
import { REORG_SECONDS } from "../../chain/block-time.js";
import type { Chain } from "../../chain/chain.js";
import type { HeadUpdate } from "../../chain/follower.js";
import { type Deal, DealBook, hasEnded, readDeals } from "../../keeper/deals.js";
import { watchHeads } from "../../keeper/heads.js";
import { type PieceStore, treeKey } from "../../store/index.js";
import { areAllDeals } from "./all-deals.js";
import { FirmDeals } from "./firm-deals.js";
import type { UnpaidPiece, UnpaidPieces } from "./pieces.js";

export interface UnpaidKeeperOptions {
  readonly chain: Chain;
  /** The provider whose deals count. */
  readonly provider: string;
  /** What it takes as payment, besides the market's own token. */
  readonly tokens?: readonly string[];
  readonly store: PieceStore;
  readonly unpaid: UnpaidPieces;
  readonly logger: Logger;
  /** Milliseconds that a piece may wait for its deal; an hour by default. */
  readonly graceMs?: number;
  /** Blocks after which a deal is taken to stay whatever is reorganised; the market's challenge finality by default. */
  readonly depth?: number;
  /** Unix milliseconds, by the clock of `unpaid`. */
  readonly now?: () => number;
}

export interface UnpaidEvents {
  /** A piece was deleted. */
  deleted: [{ readonly pieceCid: string }];
  /** A piece has a deal that no reorganisation takes back: it stays from now on, whatever becomes of that. */
  paid: [{ readonly pieceCid: string }];
}

const GRACE_MS = 3_600_000;
/** Milliseconds before deals are looked for again of which an endpoint told nothing. */
const AGAIN_MS = 600_000;

/**
 * Looks at each head which of the unpaid pieces have a deal by now, and deletes those whose time is over: no deal of this
 * provider that is not over has them, nor is about to by an amendment, and nobody holds a signature that could open one. Nothing is
 * deleted while the market has more of its stake locked than the known deals have: then there are others.
 *
 * @example
 * const keeper = new UnpaidKeeper({ chain, provider, store, unpaid, logger });
 * await keeper.run(signal);
 */
export class UnpaidKeeper extends EventEmitter<UnpaidEvents> {
  readonly #o: UnpaidKeeperOptions;
  #book: DealBook;
  readonly #firm: FirmDeals;
  /** Pieces whose time was over, and that a deal had or was about to have. */
  readonly #waiting = new Set<string>();
  readonly #graceMs: number;
  readonly #now: () => number;
  #nextTry = Number.NEGATIVE_INFINITY;

  constructor(options: UnpaidKeeperOptions) {
    super();
    const { chain, provider, depth = chain.deployment.challengeFinality } = options;
    this.#o = options;
    this.#book = new DealBook(chain, provider);
    this.#firm = new FirmDeals(depth);
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
    this.#firm.rewind(update);
    const unsure = [...this.#book.ids].filter((id) => !this.#firm.has(id));
    const deals = await this.#book.read(unsure, signal);
    this.#firm.note(unsure, deals, update.head.number);
    await this.#forgetPaid(deals);
    unpaid.cover(new Set([...this.#covered(deals), ...this.#waiting]));
    const due = unpaid.list().filter((piece) => this.#isDue(piece));
    if (due.length > 0 && this.#now() >= this.#nextTry) await this.#clearAll(due, update.head, signal);
  }

  async #clearAll(due: readonly UnpaidPiece[], head: HeadUpdate["head"], signal: AbortSignal): Promise<void> {
    const { chain, provider, tokens = [], logger } = this.#o;
    // Deals change: this time all of them are read.
    const deals = await readDeals(chain, [...this.#book.ids], signal, head.number);
    if (!(await areAllDeals(chain, provider, tokens, deals, head.number))) {
      logger.warn({ deals: deals.length }, "stake is locked for deals that are not known: no piece is deleted");
      this.#book = new DealBook(chain, provider);
      this.#nextTry = this.#now() + AGAIN_MS;
      return;
    }
    await this.#forgetPaid(deals);
    const covered = this.#covered(deals);
    for (const { pieceCid } of due) {
      // Its deal, or its amendment, may be taken back: it is looked at again when its time is over anew.
      if (covered.has(pieceCid)) {
        this.#waiting.add(pieceCid);
        await this.#o.unpaid.touch(pieceCid);
      } else {
        this.#waiting.delete(pieceCid);
        await this.#clear(pieceCid, head.timestamp);
      }
    }
  }

  #isDue({ since }: UnpaidPiece): boolean {
    return this.#now() - since >= this.#graceMs;
  }

  /** Pieces that a deal has or is about to have by an amendment, as the head says. */
  #covered(deals: readonly Deal[]): ReadonlySet<string> {
    const live = deals.filter((deal) => !hasEnded(deal));
    const trees = new Set(live.flatMap((deal) => [deal, ...(deal.next ? [deal.next] : [])].map(treeKey)));
    const covered = this.#o.unpaid.list().filter(({ commitment }) => trees.has(treeKey(commitment)));
    return new Set(covered.map(({ pieceCid }) => pieceCid));
  }

  /** An amendment can be taken back until its piece is that of the deal. */
  async #forgetPaid(deals: readonly Deal[]): Promise<void> {
    const { unpaid, logger } = this.#o;
    const paid = new Set(deals.filter((deal) => this.#firm.has(deal.id) && !hasEnded(deal)).map(treeKey));
    for (const { pieceCid, commitment } of unpaid.list()) {
      if (!paid.has(treeKey(commitment))) continue;
      await unpaid.forget(pieceCid);
      this.#waiting.delete(pieceCid);
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
