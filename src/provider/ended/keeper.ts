/** Finds pieces that no deal needs any more, and lets them go when their time is over. */
import { EventEmitter } from "node:events";
import type { Logger } from "pino";
import type { Chain } from "../../chain/chain.js";
import type { HeadUpdate } from "../../chain/follower.js";
import { type Deal, DealBook, hasEnded, readDeals } from "../../keeper/deals.js";
import { watchHeads } from "../../keeper/heads.js";
import { decodePieceCid } from "../../piece/index.js";
import { type PaidNote, type PaidNotes, type PieceStore, treeKey } from "../../store/index.js";
import { NOBODY, type UnpaidPieces } from "../unpaid/index.js";

export interface EndedKeeperOptions {
  readonly chain: Chain;
  /** The provider whose deals count. */
  readonly provider: string;
  readonly store: Pick<PieceStore, "list">;
  readonly notes: PaidNotes;
  /** Where pieces go whose time is over. */
  readonly unpaid: UnpaidPieces;
  readonly logger: Logger;
  /** Milliseconds that a piece stays after its last deal; seven days by default. */
  readonly keepMs?: number;
  /** Blocks after which an end is taken to stay whatever is reorganised; the market's challenge finality by default. */
  readonly depth?: number;
  /** Unix milliseconds; by this machine's clock by default. */
  readonly now?: () => number;
}

export interface EndedEvents {
  /** No deal has needed a piece for long enough: from here on it is one that nobody pays for. */
  over: [{ readonly pieceCid: string }];
}

const DAY_MS = 86_400_000;
/** Milliseconds between two looks, at most. */
const LOOK_MS = 600_000;
/** Looks while a piece stays, at least. */
const LOOKS = 4;

/** What a look has found. */
interface Findings {
  /** Pieces that a deal needs, and that were not known for it. */
  readonly paid: string[];
  /** Pieces that no deal needs any more, and that were not known for it. */
  readonly ended: string[];
  /** Pieces whose time is over. */
  readonly over: string[];
  /** Notes of pieces that are gone. */
  readonly gone: string[];
}

/**
 * Looks now and then which pieces no deal of this provider needs any more, and hands them, after their time, to those that nobody
 * pays for: they are deleted as carefully as those. A piece that never had a deal, as far as is known, is left alone.
 *
 * @example
 * const keeper = new EndedKeeper({ chain, provider, store, notes, unpaid, logger });
 * await keeper.run(signal);
 */
export class EndedKeeper extends EventEmitter<EndedEvents> {
  readonly #o: EndedKeeperOptions;
  readonly #book: DealBook;
  readonly #keepMs: number;
  readonly #depth: number;
  readonly #now: () => number;
  #nextLook = Number.NEGATIVE_INFINITY;

  constructor(options: EndedKeeperOptions) {
    super();
    const { chain, provider, keepMs = 7 * DAY_MS, depth = chain.deployment.challengeFinality } = options;
    this.#o = options;
    this.#book = new DealBook(chain, provider);
    this.#keepMs = keepMs;
    this.#depth = depth;
    this.#now = options.now ?? Date.now;
  }

  /** Works until the signal is aborted. Only listeners can make it fail. */
  async run(signal: AbortSignal): Promise<void> {
    const { chain, logger } = this.#o;
    await watchHeads(chain.follower, logger.child({ keeper: "ended" }), signal, async (update) => {
      // Every time: what was reorganised is said once.
      await this.#book.sync(update, signal);
      if (this.#now() < this.#nextLook) return;
      await this.#look(update, signal);
      this.#nextLook = this.#now() + Math.min(LOOK_MS, this.#keepMs / LOOKS);
    });
  }

  async #look({ head }: HeadUpdate, signal: AbortSignal): Promise<void> {
    const { chain, notes, unpaid, logger } = this.#o;
    const deals = await readDeals(chain, [...this.#book.ids], signal, head.number);
    await unpaid.refresh();
    const { paid, ended, over, gone } = await this.#find(deals, head.number);
    await notes.note(paid);
    await notes.note(ended, { at: this.#now(), block: head.number });
    for (const pieceCid of ended) logger.info({ pieceCid, keepMs: this.#keepMs }, "no deal needs a piece any more");
    for (const pieceCid of over) {
      // Its note is forgotten when it is gone: until then it may get another deal.
      await unpaid.add(pieceCid, NOBODY);
      this.emit("over", { pieceCid });
    }
    await notes.forget(gone);
  }

  async #find(deals: readonly Deal[], head: number): Promise<Findings> {
    const { store, notes, unpaid } = this.#o;
    const live = deals.filter((deal) => !hasEnded(deal));
    const needed = new Set(live.flatMap((deal) => [deal, ...(deal.next ? [deal.next] : [])].map(treeKey)));
    const had = new Set(deals.map(treeKey));
    const noted = new Map((await notes.list()).map((note) => [note.pieceCid, note]));
    const waiting = new Set(unpaid.list().map(({ pieceCid }) => pieceCid));
    const found: Findings = { paid: [], ended: [], over: [], gone: [] };
    for (const pieceCid of await store.list()) {
      const note = noted.get(pieceCid);
      noted.delete(pieceCid);
      // Whoever looks after those decides: their deals may be taken back.
      if (waiting.has(pieceCid)) continue;
      const key = treeKey(decodePieceCid(pieceCid));
      if (needed.has(key)) {
        if (note === undefined || note.end !== undefined) found.paid.push(pieceCid);
      } else if (note?.end !== undefined) {
        if (this.#isOver(note.end, head)) found.over.push(pieceCid);
      } else if (note !== undefined || had.has(key)) found.ended.push(pieceCid);
    }
    found.gone.push(...noted.keys());
    return found;
  }

  #isOver({ at, block }: NonNullable<PaidNote["end"]>, head: number): boolean {
    return this.#now() - at >= this.#keepMs && head - block >= this.#depth;
  }
}
