/**
 * Sending transactions with one key: nonces in order whatever runs side by side, nothing sent that would revert,
 * nothing left stuck, nothing sent that is not written down before.
 */
import type { JsonRpcApiProvider, Signer, TransactionReceipt } from "ethers";
import { keccak256 } from "ethers";
import type { Logger } from "pino";
import { broadcast, isConnectionLost, isNonceTaken, said } from "./broadcast.js";
import type { Call } from "./call.js";
import { type Clock, systemClock } from "./clock.js";
import { ChainError, chainError, type Revert } from "./errors.js";
import { bumpedFees, type Fees, marketFees } from "./fees.js";
import { type Journal, type JournalEntry, MemoryJournal, type SignedAttempt } from "./journal.js";
import { Mutex } from "./mutex.js";

export type { Call } from "./call.js";

/** What became of it. */
export type Sent =
  /** It is in a block and did not revert. `replacements`: how often the fee was raised. */
  | { readonly status: "mined"; readonly receipt: TransactionReceipt; readonly replacements: number }
  /** It was not needed: somebody else has done it, as the error that it would have got says. */
  | { readonly status: "done"; readonly revert: Revert };

export interface SenderOptions {
  readonly provider: JsonRpcApiProvider;
  /** The key. Its address should send through senders of one journal only; others are noticed, and cost time. */
  readonly signer: Signer;
  readonly logger: Logger;
  /** What is signed is kept here before it is sent; in memory by default, where it ends with the process. */
  readonly journal?: Journal;
  readonly clock?: Clock;
  /** Milliseconds between looks for a receipt; 500 by default. */
  readonly pollMs?: number;
  /** Milliseconds after which a transaction that is in no block is sent again with a higher fee; 60,000 by default. */
  readonly replaceAfterMs?: number;
  /** How often the fee is raised before the sender gives up; 6 by default. */
  readonly maxReplacements?: number;
  /** The most to pay for a unit of gas, in wei, priority fee included. No limit by default. */
  readonly maxFeePerGas?: bigint;
  /** Told of every transaction of this sender that is in a block, whether it reverted or not: each has cost its fee. */
  readonly onMined?: (receipt: TransactionReceipt) => void;
}

/** A transaction on its way, as this process knows it. */
interface Flight {
  readonly id: string;
  readonly call: Call;
  readonly doing: string;
  readonly nonce: number;
  readonly gasLimit: bigint;
  readonly guards: readonly string[];
  readonly attempts: SignedAttempt[];
  /** Whether a node has taken the last attempt. */
  sent: boolean;
}

const NONCE_TRIES = 5;
/** Nonces below one that is stuck that are filled at a time. */
const MAX_FILLED = 16;
/** Blocks back from the head in which what is mined is looked for again at the start. */
const RECENT_BLOCKS = 64;
/** Blocks after which what is mined is forgotten: deeper than any reorganisation that keepers live through. */
const KEPT_BLOCKS = 256;

/**
 * Sends the transactions of one key. Any number of `send` calls may run side by side. Each is signed and written into the
 * journal before it is sent; what a process that died has left on its way, {@link TransactionSender.goOn} brings to its
 * end by the same bytes.
 *
 * @example
 * ```ts
 * const sender = new TransactionSender({ provider, signer: new Wallet(key), logger });
 * const data = market.interface.encodeFunctionData("settle", [[dealId], sender.address]);
 * const sent = await sender.send({ to: deployment.market, data }, "settle a deal", signal);
 * ```
 */
export class TransactionSender {
  readonly #provider: JsonRpcApiProvider;
  readonly #signer: Signer;
  readonly #logger: Logger;
  readonly #journal: Journal;
  readonly #clock: Clock;
  readonly #pollMs: number;
  readonly #replaceAfterMs: number;
  readonly #maxReplacements: number;
  readonly #maxFeePerGas: bigint | undefined;
  readonly #onMined: ((receipt: TransactionReceipt) => void) | undefined;
  readonly #launching = new Mutex();
  /** Entries that this process waits for. */
  readonly #watched = new Set<string>();
  /** Guards of what has to hurry, until it is paid more for. */
  readonly #hurried = new Set<string>();

  constructor(options: SenderOptions) {
    this.#provider = options.provider;
    this.#signer = options.signer;
    this.#logger = options.logger;
    this.#journal = options.journal ?? new MemoryJournal();
    this.#clock = options.clock ?? systemClock;
    this.#pollMs = options.pollMs ?? 500;
    this.#replaceAfterMs = options.replaceAfterMs ?? 60_000;
    this.#maxReplacements = options.maxReplacements ?? 6;
    this.#maxFeePerGas = options.maxFeePerGas;
    this.#onMined = options.onMined;
  }

  /** The account that pays. */
  address(): Promise<string> {
    return this.#signer.getAddress();
  }

  /**
   * Simulates a call, sends it, and waits until it is in a block. Where it gets into none in time, it is sent again with
   * the same nonce and a higher fee.
   *
   * @param doing - What it is for, in messages: `"settle 12 deals"`.
   * @param signal - Stops the wait; a transaction that was broadcast by then may still get into a block.
   * @param guards - What it does, of which no two transactions of the journal may be on their way.
   * @throws {ChainError} With the decoded reason where it is refused (nothing was sent) or reverts; `TX_STUCK`,
   *   `NONCE_TAKEN`, `IN_FLIGHT` where some of it is on its way already, or a code of the way to the node.
   * @throws The reason of `signal`.
   */
  async send(call: Call, doing: string, signal?: AbortSignal, guards: readonly string[] = []): Promise<Sent> {
    signal?.throwIfAborted();
    let gasLimit: bigint;
    try {
      gasLimit = await this.#estimate(call);
    } catch (error) {
      return doneOrThrow(chainError(error, doing));
    }
    const launched = await this.#launching.run(() => this.#launch({ call, doing, gasLimit, guards }, signal));
    if ("guardedBy" in launched) {
      await this.#goOn([launched.guardedBy], signal);
      throw inFlight(doing, launched.guardedBy);
    }
    return this.#land(launched.flight, signal);
  }

  /**
   * Pays more, at once, for what is on its way under one of these guards, or for the next that is sent under one. Call it
   * again for another raise.
   */
  hurry(guards: readonly string[]): void {
    for (const guard of guards) this.#hurried.add(guard);
  }

  /** Whether something has to hurry; what it is raised for, it is raised for once. */
  #takeHurry(guards: readonly string[]): boolean {
    return guards.filter((guard) => this.#hurried.delete(guard)).length > 0;
  }

  /**
   * Looks for what was mined lately, as the journal has it, and makes live again what is in no block any more: the chain may
   * have been reorganised while nobody looked. Call it once, before {@link goOn}.
   *
   * @throws ChainError where the chain can't be asked; what the journal throws
   */
  async recover(): Promise<void> {
    const from = await this.address();
    try {
      const head = await this.#provider.getBlockNumber();
      for (const { block = 0, attempts } of await this.#journal.minedAfter(from, head - RECENT_BLOCKS)) {
        const receipts = await Promise.all(attempts.map(({ hash }) => this.#provider.getTransactionReceipt(hash)));
        if (receipts.every((receipt) => receipt === null)) await this.#journal.reopen(from, block - 1);
      }
    } catch (error) {
      throw chainError(error, "look for sent transactions");
    }
  }

  /**
   * Goes on with what is on its way of this account and that nobody here waits for, left by a process that has ended or
   * given up: the same bytes are sent again, and paid more for where they get into no block. It resolves when all of it has
   * come to an end.
   *
   * @throws The reason of `signal`; what the journal throws. What becomes of the transactions is logged.
   */
  async goOn(signal?: AbortSignal): Promise<void> {
    await this.#goOn(await this.#journal.live(await this.address()), signal);
  }

  /**
   * Makes what was mined in blocks that are gone come to its end once more.
   *
   * @param ancestor - the last block that is still there
   * @throws as {@link goOn}
   */
  async reorganised(ancestor: number, signal?: AbortSignal): Promise<void> {
    await this.#goOn(await this.#journal.reopen(await this.address(), ancestor), signal);
  }

  async #goOn(entries: readonly JournalEntry[], signal: AbortSignal | undefined): Promise<void> {
    const idle = entries.filter(({ id }) => !this.#watched.has(id));
    await Promise.all(
      idle.map(async (entry) => {
        this.#logger.info({ nonce: entry.nonce, doing: entry.doing }, "going on with a transaction");
        try {
          await this.#land(flightOf(entry), signal);
        } catch (error) {
          signal?.throwIfAborted();
          this.#logger.warn({ err: error, nonce: entry.nonce, doing: entry.doing }, "a transaction came to nothing");
        }
      }),
    );
  }

  /** Estimating is simulating. A fifth more, since what a call finds may change until it is in a block. */
  async #estimate(call: Call): Promise<bigint> {
    const gas = await this.#provider.estimateGas({ from: await this.address(), ...call });
    return gas + gas / 5n;
  }

  /**
   * Under the lock of this process, so that nonces are broadcast in their order: writes down, then broadcasts. Where
   * no answer comes the node may have it: it is on its way until the chain says otherwise.
   */
  async #launch(
    intent: Pick<JournalEntry, "call" | "doing" | "gasLimit" | "guards">,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly flight: Flight } | { readonly guardedBy: JournalEntry }> {
    for (let attempt = 1, least = 0; ; attempt++) {
      const recorded = await this.#record(intent, least);
      if ("guardedBy" in recorded) return recorded;
      const flight = flightOf(recorded.entry);
      const { id, nonce } = flight;
      try {
        await this.#broadcast(flight);
        return { flight };
      } catch (error) {
        signal?.throwIfAborted();
        if (isConnectionLost(error)) return { flight };
        await this.#journal.drop(id);
        if (!isNonceTaken(error) || attempt === NONCE_TRIES) throw chainError(error, intent.doing);
        // Another process uses this key, or the node's count lags behind.
        this.#logger.warn({ nonce, reason: said(error) }, "nonce is taken, trying the next one");
        least = nonce + 1;
      }
    }
  }

  /** @param least - the nonce is no lower */
  async #record(intent: Pick<JournalEntry, "call" | "doing" | "gasLimit" | "guards">, least: number) {
    const from = await this.address();
    try {
      // With nothing live the chain's count is right, also where it dropped one of ours; otherwise it may lag behind.
      const counted = await this.#provider.getTransactionCount(from, "pending");
      const market = await marketFees(this.#provider, this.#maxFeePerGas);
      const hurries = this.#takeHurry(intent.guards);
      const fees = hurries ? bumpedFees(market, market, this.#maxFeePerGas) : market;
      return await this.#journal.record(
        { from, ...intent },
        (next = 0) => Math.max(least, counted, next),
        (nonce) => this.#sign({ ...intent, nonce }, fees),
      );
    } catch (error) {
      throw chainError(error, intent.doing);
    }
  }

  async #sign(
    { call, nonce, gasLimit }: Pick<Flight, "call" | "nonce" | "gasLimit">,
    fees: Fees,
  ): Promise<SignedAttempt> {
    const { chainId } = await this.#provider.getNetwork();
    const raw = await this.#signer.signTransaction({ type: 2, chainId, nonce, gasLimit, ...call, ...fees });
    return { hash: keccak256(raw), raw, fees };
  }

  async #broadcast(flight: Flight): Promise<void> {
    const attempt = flight.attempts.at(-1) as SignedAttempt;
    await broadcast(this.#provider, attempt);
    flight.sent = true;
    const { nonce, doing } = flight;
    this.#logger.debug({ hash: attempt.hash, nonce, doing, ...attempt.fees }, "transaction sent");
  }

  async #land(flight: Flight, signal: AbortSignal | undefined): Promise<Sent> {
    this.#watched.add(flight.id);
    try {
      for (let replacements = 0, hurries = 0; ; replacements++) {
        const receipt = await this.#awaitReceipt(flight, signal);
        if (receipt !== undefined) {
          await this.#keepMined(flight, receipt);
          this.#onMined?.(receipt);
          if (receipt.status === 1) return { status: "mined", receipt, replacements };
          return doneOrThrow(await this.#whyReverted(flight, receipt));
        }
        // To hurry is no sign of being stuck.
        if (this.#takeHurry(flight.guards)) hurries++;
        if (replacements - hurries === this.#maxReplacements) throw stuck(flight);
        await this.#fillGap(flight, signal);
        await this.#replace(flight, signal);
      }
    } finally {
      this.#watched.delete(flight.id);
    }
  }

  async #keepMined({ id }: Flight, { blockNumber }: TransactionReceipt): Promise<void> {
    await this.#journal.mined(id, blockNumber);
    await this.#journal.forget(await this.address(), blockNumber - KEPT_BLOCKS);
  }

  /** The receipt of whichever of the flight's transactions got into a block; undefined when it takes too long, or has to hurry. */
  async #awaitReceipt(flight: Flight, signal: AbortSignal | undefined): Promise<TransactionReceipt | undefined> {
    const until = this.#clock.now() + this.#replaceAfterMs;
    let used = false;
    while (this.#clock.now() < until) {
      try {
        for (const { hash } of flight.attempts) {
          const receipt = await this.#provider.getTransactionReceipt(hash);
          if (receipt !== null) return receipt;
        }
        // The count and the receipt may come from two states of the node: believe it when it says so twice.
        const mined = await this.#provider.getTransactionCount(await this.address(), "latest");
        if (mined > flight.nonce && used) {
          await this.#journal.drop(flight.id);
          throw nonceTaken(flight);
        }
        used = mined > flight.nonce;
        if (!flight.sent && !used) await this.#broadcast(flight);
        if (flight.guards.some((guard) => this.#hurried.has(guard))) return undefined;
      } catch (error) {
        if (error instanceof ChainError) throw error;
        this.#logger.warn({ err: error, hash: flight.attempts.at(-1)?.hash }, "looking for a receipt failed");
      }
      await this.#clock.sleep(this.#pollMs, signal);
    }
    return undefined;
  }

  /** The same call and nonce at a higher fee. Failing is no harm: what was sent before is still on its way. */
  async #replace(flight: Flight, signal: AbortSignal | undefined): Promise<void> {
    const { nonce, doing, attempts } = flight;
    try {
      const market = await marketFees(this.#provider, this.#maxFeePerGas);
      const fees = bumpedFees((attempts.at(-1) as SignedAttempt).fees, market, this.#maxFeePerGas);
      const attempt = await this.#sign(flight, fees);
      if (attempts.every(({ hash }) => hash !== attempt.hash)) {
        await this.#journal.add(flight.id, attempt);
        attempts.push(attempt);
      }
      await this.#broadcast(flight);
      this.#logger.warn({ nonce, doing, ...fees }, "transaction was stuck, sent again with a higher fee");
    } catch (error) {
      signal?.throwIfAborted();
      this.#logger.warn({ nonce, doing, reason: said(error) }, "transaction is stuck and could not be replaced");
    }
  }

  /**
   * A nonce that was skipped, because a node counted wrong or took one back, keeps all later ones waiting for ever: each
   * is used by a payment of nothing to oneself.
   */
  async #fillGap({ nonce }: Flight, signal: AbortSignal | undefined): Promise<void> {
    try {
      const from = await this.address();
      const next = await this.#provider.getTransactionCount(from, "latest");
      const entries = await this.#journal.live(from);
      // Those before it that nobody goes on with any more hold it up as well. By themselves, as below.
      void this.#goOn(
        entries.filter((entry) => entry.nonce < nonce),
        signal,
      ).catch(() => undefined);
      const live = new Set(entries.map((entry) => entry.nonce));
      const gap = Array.from({ length: Math.max(0, nonce - next) }, (_, i) => next + i).filter((n) => !live.has(n));
      for (const missing of gap.slice(0, MAX_FILLED)) await this.#fill(from, missing, signal);
    } catch (error) {
      signal?.throwIfAborted();
      this.#logger.warn({ nonce, reason: said(error) }, "a gap before a nonce could not be filled");
    }
  }

  async #fill(from: string, nonce: number, signal: AbortSignal | undefined): Promise<void> {
    const call: Call = { to: from, data: "0x" };
    const intent = { from, call, doing: `use nonce ${nonce}`, gasLimit: await this.#estimate(call), guards: [] };
    const fees = await marketFees(this.#provider, this.#maxFeePerGas);
    const filler = await this.#journal.record(
      intent,
      () => nonce,
      () => this.#sign({ ...intent, nonce }, fees),
    );
    if ("guardedBy" in filler) return;
    this.#logger.warn({ nonce }, "a nonce was skipped: using it for nothing");
    // By itself: whoever has waited for the gap waits no longer than needed.
    void this.#goOn([filler.entry], signal).catch(() => undefined);
  }

  /** The same call on the state that its block left, for the reason; the receipt has none. */
  async #whyReverted(flight: Flight, receipt: TransactionReceipt): Promise<ChainError> {
    const { call, doing } = flight;
    try {
      await this.#provider.call({ from: await this.address(), ...call, blockTag: receipt.blockNumber });
    } catch (error) {
      return chainError(error, doing);
    }
    const message = `Failed to ${doing}: ${receipt.hash} reverted, but would not do so after its block`;
    return new ChainError(
      "REVERTED",
      message,
      "Try again; if it reverts again, look at its trace.",
      "retry",
      undefined,
    );
  }
}

function flightOf({ id, call, doing, nonce, gasLimit, guards, attempts }: JournalEntry): Flight {
  return { id, call, doing, nonce, gasLimit, guards, attempts: [...attempts], sent: false };
}

function doneOrThrow(failed: ChainError): Sent {
  if (failed.failure === "done" && failed.revert !== undefined) return { status: "done", revert: failed.revert };
  throw failed;
}

function stuck({ doing, nonce, attempts }: Flight): ChainError {
  const message = `Failed to ${doing}: nonce ${nonce} is in no block after ${attempts.length} tries`;
  const hint = "Raise maxFeePerGas, or check that the node passes transactions on.";
  return new ChainError("TX_STUCK", message, hint, "retry", undefined);
}

function nonceTaken({ doing, nonce }: Flight): ChainError {
  const message = `Failed to ${doing}: another transaction took nonce ${nonce}`;
  return new ChainError("NONCE_TAKEN", message, "Let one process only send with this key.", "retry", undefined);
}

function inFlight(doing: string, other: JournalEntry): ChainError {
  const message = `Failed to ${doing}: some of it was on its way already, in “${other.doing}” at nonce ${other.nonce}`;
  return new ChainError("IN_FLIGHT", message, "Look at what that came to, and try again.", "retry", undefined);
}
