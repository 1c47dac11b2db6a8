/** Using nonces that were skipped, because a node counted wrong or took one back: they keep all later ones waiting for ever. */
import type { JsonRpcApiProvider } from "ethers";
import type { Logger } from "pino";
import { said } from "./broadcast.js";
import type { Courier } from "./flight.js";
import type { Journal, JournalEntry } from "./journal.js";
import { REACH } from "./nonces.js";

export interface GapFillerOptions {
  readonly provider: JsonRpcApiProvider;
  readonly courier: Courier;
  readonly journal: Journal;
  readonly logger: Logger;
  /** Brings entries to their end. */
  readonly goOn: (entries: readonly JournalEntry[], signal: AbortSignal | undefined) => Promise<void>;
}

/** Nonces that are used at a time: nodes keep few of one account. */
const MAX_FILLED = 16;

/**
 * Uses each skipped nonce for a payment of nothing to oneself, some at a time, the next as soon as those are in blocks. Whoever waits asks
 * again: what is missing below those that are on their way, where the chain was counted wrong before, is used at once.
 */
export class GapFiller {
  readonly #o: GapFillerOptions;
  /** Nonces that something waits at. */
  readonly #waiting = new Set<number>();
  /** Nonces that were used and are in no block yet. */
  readonly #onTheirWay = new Set<number>();
  #isWanted = false;
  #isRunning = false;

  constructor(options: GapFillerOptions) {
    this.#o = options;
  }

  /** Fills what is missing below a nonce, by itself: whoever waits at it waits no longer than needed. */
  fillBelow(nonce: number, signal: AbortSignal | undefined): void {
    this.#waiting.add(nonce);
    this.#look(signal);
  }

  #look(signal: AbortSignal | undefined): void {
    this.#isWanted = true;
    if (!this.#isRunning) void this.#run(signal);
  }

  async #run(signal: AbortSignal | undefined): Promise<void> {
    this.#isRunning = true;
    try {
      while (this.#isWanted && !signal?.aborted) {
        this.#isWanted = false;
        const filled = await this.#fillSome();
        if (filled.length > 0) void this.#land(filled, signal);
      }
    } catch (error) {
      if (!signal?.aborted) this.#o.logger.warn({ reason: said(error) }, "a gap before a nonce could not be filled");
    } finally {
      if (this.#onTheirWay.size === 0) this.#waiting.clear();
      this.#isRunning = false;
    }
  }

  /** Sees some to their end, then looks for the next. */
  async #land(filled: readonly JournalEntry[], signal: AbortSignal | undefined): Promise<void> {
    for (const { nonce } of filled) this.#onTheirWay.add(nonce);
    try {
      await this.#o.goOn(filled, signal);
    } catch (error) {
      if (!signal?.aborted) this.#o.logger.warn({ reason: said(error) }, "a gap before a nonce could not be filled");
    } finally {
      for (const { nonce } of filled) this.#onTheirWay.delete(nonce);
      this.#look(signal);
    }
  }

  async #fillSome(): Promise<JournalEntry[]> {
    const from = await this.#o.courier.address();
    const filled: JournalEntry[] = [];
    for (const nonce of await this.#missing(from)) {
      const entry = await this.#fill(from, nonce);
      if (entry !== undefined) filled.push(entry);
    }
    return filled;
  }

  async #missing(from: string): Promise<number[]> {
    const { provider, journal, logger } = this.#o;
    const next = await provider.getTransactionCount(from, "latest");
    const own = await journal.nonces(from, next);
    const below = this.#highest(next, own);
    if (below === undefined) {
      logger.error(
        { nonces: [...this.#waiting], next },
        "a nonce is too far above what the chain counts to fill the gap",
      );
      return [];
    }
    const known = new Set(own);
    const missing: number[] = [];
    // Those wait for what is missing below them, and the rest waits for those.
    const end = Math.min(below, ...this.#onTheirWay);
    for (let nonce = next; nonce < end && missing.length < MAX_FILLED; nonce++) {
      if (!known.has(nonce)) missing.push(nonce);
    }
    return missing;
  }

  /** The highest that something waits at, and that is not too far off. */
  #highest(next: number, own: readonly number[]): number | undefined {
    const missingBelow = (nonce: number) => nonce - next - own.filter((each) => each < nonce).length;
    const near = [...this.#waiting].filter((nonce) => missingBelow(nonce) <= REACH);
    return near.length === 0 ? undefined : Math.max(...near);
  }

  async #fill(from: string, nonce: number): Promise<JournalEntry | undefined> {
    const { courier, journal, logger } = this.#o;
    const { call, gasLimit } = await courier.nothing();
    const fees = await courier.fees({ call, gasLimit });
    const filler = await journal.record(
      { from, call, doing: `use nonce ${nonce}`, gasLimit, guards: [] },
      () => nonce,
      () => courier.sign({ call, nonce, gasLimit }, fees),
    );
    if ("guardedBy" in filler) return undefined;
    logger.warn({ nonce }, "a nonce was skipped: using it for nothing");
    return filler.entry;
  }
}
