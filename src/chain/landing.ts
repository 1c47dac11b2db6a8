/** Getting into a block what was sent: waiting, paying more, and clearing the way where a nonce before it is missing. */
import { getAddress, type JsonRpcApiProvider, type TransactionReceipt } from "ethers";
import type { Logger } from "pino";
import { said } from "./broadcast.js";
import type { Clock } from "./clock.js";
import { ChainError, chainError } from "./errors.js";
import { type Courier, type Flight, flightOf, lastOf } from "./flight.js";
import { GapFiller } from "./gaps.js";
import type { Journal, JournalEntry } from "./journal.js";
import { MinedGuards } from "./mined-guards.js";

export interface LandingOptions {
  readonly provider: JsonRpcApiProvider;
  readonly courier: Courier;
  readonly journal: Journal;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly pollMs: number;
  readonly replaceAfterMs: number;
  readonly maxReplacements: number;
  readonly onMined: ((receipt: TransactionReceipt) => void) | undefined;
}

/** What became of a transaction that is in a block. */
export interface Landed {
  readonly receipt: TransactionReceipt;
  readonly replacements: number;
  /** Why it reverted; undefined where it did not. */
  readonly reverted: ChainError | undefined;
}

/** Blocks after which what is mined is forgotten: deeper than any reorganisation that keepers live through. */
const KEPT_BLOCKS = 256;
/** Milliseconds after which the same bytes are handed over again: nodes forget what waits, at a restart or when they are full. */
const AGAIN_MS = 10_000;
/** Fees are raised so often for what no node has taken; then its nonce is used for nothing, since all later ones wait behind it. */
const RAISES_UNTAKEN = 2;
/** Looks in a row at which a nonce is used, and none of one's own hashes is in a block: one answer may be wrong, or old. */
const LOOKS_TO_BELIEVE = 5;

/** Sees flights to their end. Any number at a time; each of them once. */
export class Landing {
  readonly #o: LandingOptions;
  /** Entries that this process waits for, or is about to. */
  readonly #watched = new Set<string>();
  /** What is in a block, by its guards. */
  readonly mined = new MinedGuards(KEPT_BLOCKS);
  /** Guards of what has to hurry, until it is paid more for. */
  readonly #hurried = new Set<string>();
  readonly #gaps: GapFiller;

  constructor(options: LandingOptions) {
    this.#o = options;
    this.#gaps = new GapFiller({ ...options, goOn: (entries, signal) => this.goOn(entries, signal) });
  }

  /** Marks what is about to be sent: nobody else here goes on with it. */
  watch(id: string): void {
    this.#watched.add(id);
  }

  unwatch(id: string): void {
    this.#watched.delete(id);
  }

  hurry(guards: readonly string[]): void {
    for (const guard of guards) this.#hurried.add(guard);
  }

  /** Whether something has to hurry; what it is raised for, it is raised for once. */
  takeHurry(guards: readonly string[]): boolean {
    return guards.filter((guard) => this.#hurried.delete(guard)).length > 0;
  }

  /** Goes on with entries that nobody here waits for; resolves when all have come to an end, which is logged. */
  async goOn(entries: readonly JournalEntry[], signal: AbortSignal | undefined): Promise<void> {
    const { logger } = this.#o;
    const idle = entries.filter(({ id }) => !this.#watched.has(id));
    await Promise.all(
      idle.map(async (entry) => {
        const { nonce, doing } = entry;
        logger.info({ nonce, doing }, "going on with a transaction");
        try {
          const { reverted } = await this.land(flightOf(entry), signal);
          if (reverted !== undefined) throw reverted;
        } catch (error) {
          signal?.throwIfAborted();
          logger.warn({ err: error, nonce, doing }, "a transaction came to nothing");
        }
      }),
    );
  }

  /**
   * Waits until a flight is in a block. Where that takes too long, it is sent again with a higher fee, or its nonce is used for
   * nothing.
   *
   * @throws {ChainError} `TX_STUCK`, `NONCE_TAKEN`, `NOT_DONE` where its nonce was used for nothing
   * @throws The reason of `signal`.
   */
  async land(flight: Flight, signal: AbortSignal | undefined): Promise<Landed> {
    this.watch(flight.id);
    try {
      for (let replacements = 0, hurries = 0; ; replacements++) {
        const receipt = await this.#awaitReceipt(flight, signal);
        if (receipt !== undefined) return await this.#landed(flight, receipt, replacements);
        // To hurry is no sign of being stuck.
        if (this.takeHurry(flight.guards)) hurries++;
        if (replacements - hurries === this.#o.maxReplacements) throw stuck(flight);
        await this.#clearWay(flight, signal);
        await this.#replace(flight, replacements < RAISES_UNTAKEN || flight.sent, signal);
      }
    } finally {
      this.unwatch(flight.id);
    }
  }

  async #landed(flight: Flight, receipt: TransactionReceipt, replacements: number): Promise<Landed> {
    const { journal, courier, onMined } = this.#o;
    this.mined.note(flight, receipt);
    await journal.mined(flight.id, receipt.blockNumber);
    await journal.forget(await courier.address(), receipt.blockNumber - KEPT_BLOCKS);
    onMined?.(receipt);
    if (receipt.to === receipt.from && getAddress(flight.call.to) !== receipt.from) throw notDone(flight);
    const reverted = receipt.status === 1 ? undefined : await this.#whyReverted(flight, receipt);
    return { receipt, replacements, reverted };
  }

  /**
   * The receipt of whichever of the flight's transactions got into a block; undefined when it takes too long, or has to hurry. The
   * same bytes are handed over again meanwhile.
   */
  async #awaitReceipt(flight: Flight, signal: AbortSignal | undefined): Promise<TransactionReceipt | undefined> {
    const { provider, courier, journal, logger, clock, pollMs, replaceAfterMs } = this.#o;
    const until = clock.now() + replaceAfterMs;
    let again = clock.now() + AGAIN_MS;
    let used = 0;
    while (clock.now() < until) {
      try {
        const receipt = await this.#receiptOf(flight);
        if (receipt !== undefined) return receipt;
        // Only now: whatever used the nonce by the look before has a receipt by this one, if it was ours.
        if (used >= LOOKS_TO_BELIEVE) {
          if (!(await this.#learn(flight)) && !(await this.#isKnown(flight))) {
            await journal.drop(flight.id);
            throw nonceTaken(flight);
          }
          used = 0;
          continue;
        }
        const mined = await provider.getTransactionCount(await courier.address(), "latest");
        used = mined > flight.nonce ? used + 1 : 0;
        if (used === 0 && (!flight.sent || clock.now() >= again)) {
          await courier.handOver(flight);
          again = clock.now() + AGAIN_MS;
        }
        if (flight.guards.some((guard) => this.#hurried.has(guard))) return undefined;
      } catch (error) {
        if (error instanceof ChainError) throw error;
        logger.warn({ err: error, hash: lastOf(flight).hash }, "looking for a receipt failed");
      }
      await clock.sleep(pollMs, signal);
    }
    return undefined;
  }

  /** Makes those of mined entries live again that are in no block any more. @throws what the provider and the journal throw */
  async revive(mined: readonly JournalEntry[]): Promise<void> {
    const { provider, courier, journal } = this.#o;
    for (const { block = 0, attempts } of mined) {
      const receipts = await Promise.all(attempts.map(({ hash }) => provider.getTransactionReceipt(hash)));
      if (receipts.every((receipt) => receipt === null)) await journal.reopen(await courier.address(), block - 1);
    }
  }

  /** Whether another process has signed more for this nonce, which are looked for from now on. */
  async #learn(flight: Flight): Promise<boolean> {
    const known = new Set(flight.attempts.map(({ hash }) => hash));
    const now = await this.#o.journal.find(flight.id);
    const more = (now?.attempts ?? []).filter(({ hash }) => !known.has(hash));
    flight.attempts.push(...more);
    return more.length > 0;
  }

  /** Whether the node still has any of it: then its nonce is not another's, however it counts. */
  async #isKnown({ attempts }: Flight): Promise<boolean> {
    for (const { hash } of attempts) if ((await this.#o.provider.getTransaction(hash)) !== null) return true;
    return false;
  }

  async #receiptOf({ attempts }: Flight): Promise<TransactionReceipt | undefined> {
    for (const { hash } of attempts) {
      const receipt = await this.#o.provider.getTransactionReceipt(hash);
      if (receipt !== null) return receipt;
    }
    return undefined;
  }

  /**
   * The same nonce at a higher fee: for the same call, or, where no node takes that, or it is not worth so much, for nothing.
   * Failing is no harm: what was sent before is still on its way.
   */
  async #replace(flight: Flight, isTaken: boolean, signal: AbortSignal | undefined): Promise<void> {
    const { courier, journal, logger } = this.#o;
    const { nonce, doing, attempts, call } = flight;
    try {
      const fees = await courier.raised(lastOf(flight).fees, flight.gasLimit);
      if (fees === undefined) return await this.#sendAgain(flight);
      const pays = isTaken && (call.maxFeePerGas === undefined || fees.maxFeePerGas <= call.maxFeePerGas);
      const attempt = await courier.sign(pays ? flight : { nonce, ...(await courier.nothing()) }, fees);
      if (attempts.every(({ hash }) => hash !== attempt.hash)) {
        await journal.add(flight.id, attempt);
        attempts.push(attempt);
      }
      await courier.handOver(flight);
      const why = isTaken ? "is worth no higher fee" : "was taken by no node";
      const what = pays ? "sent again with a higher fee" : `and ${why}: its nonce is used for nothing`;
      logger.warn({ nonce, doing, ...fees }, `transaction was stuck, ${what}`);
    } catch (error) {
      signal?.throwIfAborted();
      logger.warn({ nonce, doing, reason: said(error) }, "transaction is stuck and could not be replaced");
    }
  }

  /** What may cost no more is handed over as it is: the node may have forgotten it. */
  async #sendAgain(flight: Flight): Promise<void> {
    const { nonce, doing } = flight;
    const message =
      "transaction is stuck, and may cost no more: its limit is reached, or many times what the chain asks";
    this.#o.logger.warn({ nonce, doing, ...lastOf(flight).fees }, message);
    await this.#o.courier.handOver(flight);
  }

  /**
   * What lies before a nonce keeps it waiting: entries that nobody goes on with any more, those that a reorganisation took back while
   * nobody looked, and nonces that were skipped.
   */
  async #clearWay({ nonce }: Flight, signal: AbortSignal | undefined): Promise<void> {
    const { provider, courier, journal, logger } = this.#o;
    try {
      const from = await courier.address();
      const next = await provider.getTransactionCount(from, "latest");
      const mined = await journal.minedAfter(from, -1);
      await this.revive(mined.filter((entry) => entry.nonce >= next && entry.nonce < nonce));
      const entries = await journal.live(from);
      const before = entries.filter((entry) => entry.nonce < nonce);
      // By itself: whoever waits for them to be out of the way waits no longer than needed.
      void this.goOn(before, signal).catch(() => undefined);
      this.#gaps.fillBelow(nonce, signal);
    } catch (error) {
      signal?.throwIfAborted();
      logger.warn({ nonce, reason: said(error) }, "the way before a nonce could not be cleared");
    }
  }

  /** The same call on the state that its block left, for the reason; the receipt has none. */
  async #whyReverted({ call, doing }: Flight, { hash, blockNumber }: TransactionReceipt): Promise<ChainError> {
    try {
      await this.#o.provider.call({ from: await this.#o.courier.address(), ...call, blockTag: blockNumber });
    } catch (error) {
      return chainError(error, doing);
    }
    const message = `Failed to ${doing}: ${hash} reverted, but would not do so after its block`;
    const hint = "Try again; if it reverts again, look at its trace.";
    return new ChainError("REVERTED", message, hint, "retry", undefined);
  }
}

function stuck({ doing, nonce, attempts }: Flight): ChainError {
  const message = `Failed to ${doing}: nonce ${nonce} is in no block after ${attempts.length} tries`;
  const hint =
    "Raise maxFeePerGas or maxCost (gas.maxFee, gas.maxCost), or check that the node passes transactions on.";
  return new ChainError("TX_STUCK", message, hint, "retry", undefined);
}

function notDone({ doing, nonce }: Flight): ChainError {
  const message = `Failed to ${doing}: nonce ${nonce} was used for nothing`;
  const hint = "No node took it, or it was worth no higher fee (see the log); try again.";
  return new ChainError("NOT_DONE", message, hint, "retry", undefined);
}

function nonceTaken({ doing, nonce }: Flight): ChainError {
  const message = `Failed to ${doing}: another transaction took nonce ${nonce}`;
  return new ChainError("NONCE_TAKEN", message, "Let one process only send with this key.", "retry", undefined);
}
