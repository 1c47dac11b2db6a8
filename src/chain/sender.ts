/**
 * Sending transactions with one key: nonces in order whatever runs side by side, nothing sent that would revert,
 * nothing left stuck, nothing sent that is not written down before.
 */
import type { JsonRpcApiProvider, Signer, TransactionReceipt } from "ethers";
import type { Logger } from "pino";
import { isNonceTaken, isRefused, said } from "./broadcast.js";
import type { Call } from "./call.js";
import { type Clock, steadyClock } from "./clock.js";
import { ChainError, chainError, type Revert } from "./errors.js";
import { Courier, type Flight, flightOf } from "./flight.js";
import { type Journal, type JournalEntry, MemoryJournal } from "./journal.js";
import { Landing } from "./landing.js";
import type { MinedFlight } from "./mined-guards.js";
import { Mutex } from "./mutex.js";
import { countsOf, nonceAfter, nonceBeyond } from "./nonces.js";

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
  /** The most to pay for a unit of gas, in wei, priority fee included. No limit but that of `maxCost` by default. */
  readonly maxFeePerGas?: bigint;
  /** The most that the gas of one transaction may cost, in wei; a whole coin by default, as with geth (`rpc.txfeecap`). */
  readonly maxCost?: bigint;
  /** Told of every transaction of this sender that is in a block, whether it reverted or not: each has cost its fee. */
  readonly onMined?: (receipt: TransactionReceipt) => void;
}

const NONCE_TRIES = 5;
const DEFAULT_MAX_COST = 10n ** 18n;
/** Nonces that are looked through at once. */
const MAX_NONCES = 1_024;
/** Blocks before the last that something was mined in, in which all of it is looked for again at the start. */
const RECENT_BLOCKS = 64;
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
  readonly #logger: Logger;
  readonly #journal: Journal;
  readonly #courier: Courier;
  readonly #landing: Landing;
  readonly #launching = new Mutex();

  constructor(options: SenderOptions) {
    const { provider, logger, journal = new MemoryJournal(), clock = steadyClock, onMined } = options;
    const { pollMs = 500, replaceAfterMs = 60_000, maxReplacements = 6 } = options;
    const { maxFeePerGas, maxCost = DEFAULT_MAX_COST } = options;
    this.#provider = provider;
    this.#logger = logger;
    this.#journal = journal;
    this.#courier = new Courier({ provider, signer: options.signer, logger, maxFeePerGas, maxCost });
    const patience = { clock, pollMs, replaceAfterMs, maxReplacements };
    this.#landing = new Landing({ provider, courier: this.#courier, journal, logger, onMined, ...patience });
  }

  /** The account that pays. */
  address(): Promise<string> {
    return this.#courier.address();
  }

  /**
   * Simulates a call, sends it, and waits until it is in a block. Where it gets into none in time, it is sent again with
   * the same nonce and a higher fee.
   *
   * @param doing - What it is for, in messages: `"settle 12 deals"`.
   * @param signal - Stops the wait; a transaction that was broadcast by then may still get into a block.
   * @param guards - What it does, of which no two transactions of the journal may be on their way.
   * @throws {ChainError} With the decoded reason where it is refused (nothing was sent) or reverts; `TX_STUCK`,
   *   `NONCE_TAKEN`, `NOT_DONE` where its nonce was used for nothing, `IN_FLIGHT` where some of it is on its way already, or got into a block while this was being decided, or a code of the way to the node.
   * @throws The reason of `signal`.
   */
  async send(call: Call, doing: string, signal?: AbortSignal, guards: readonly string[] = []): Promise<Sent> {
    signal?.throwIfAborted();
    let gasLimit: bigint;
    try {
      gasLimit = await this.#courier.estimate(call);
    } catch (error) {
      return doneOrThrow(chainError(error, doing));
    }
    await this.#lookForMoved(doing, guards, signal);
    const launched = await this.#launching.run(() => this.#launch({ call, doing, gasLimit, guards }, signal));
    try {
      if ("guardedBy" in launched) {
        const { guardedBy } = launched;
        const isOwn = guardedBy.from === (await this.address());
        if (isOwn) await this.#landing.goOn([guardedBy], signal);
        throw isOwn ? inFlight(doing, guardedBy) : inFlightElsewhere(doing, guardedBy);
      }
      const { reverted, ...landed } = await this.#landing.land(launched.flight, signal);
      return reverted === undefined ? { status: "mined", ...landed } : doneOrThrow(reverted);
    } finally {
      // From here on, whoever asked looks at the chain with it.
      this.#landing.mined.heard(guards);
    }
  }

  /**
   * Pays more, at once, for what is on its way under one of these guards, or for the next that is sent under one. Call it
   * again for another raise.
   */
  hurry(guards: readonly string[]): void {
    this.#landing.hurry(guards);
  }

  /**
   * Looks for what was mined last, as the journal has it, however long that is ago, and makes live again what is in no block any more:
   * the chain may have been reorganised while nobody looked. Call it once, before {@link goOn}.
   *
   * @throws ChainError where the chain can't be asked; what the journal throws
   */
  async recover(): Promise<void> {
    const from = await this.address();
    try {
      const mined = await this.#journal.minedAfter(from, -1);
      const last = Math.max(...mined.map(({ block = 0 }) => block));
      await this.#landing.revive(mined.filter(({ block = 0 }) => block > last - RECENT_BLOCKS));
    } catch (error) {
      throw chainError(error, "look for sent transactions");
    }
  }

  /**
   * Goes on with what is on its way of this account and that nobody here waits for, left by a process that has ended or
   * given up: the same bytes are sent again, and paid more for where they get into no block. It resolves when all of it has
   * come to an end.
   *
   * @param isLeft - false for what another process may be waiting for; all of it is left by default
   * @throws The reason of `signal`; what the journal throws. What becomes of the transactions is logged.
   */
  async goOn(signal?: AbortSignal, isLeft: (entry: JournalEntry) => boolean = () => true): Promise<void> {
    const live = await this.#journal.live(await this.address());
    await this.#landing.goOn(live.filter(isLeft), signal);
  }

  /**
   * Nonces that this account has used and that are not in the journal: somebody else has the key. Those that wait for a block
   * count.
   *
   * @param from - the first nonce that is asked about; by default the one after the last that the journal has, or what the chain
   *   counts now where it has none: what was before is history
   * @returns those nonces, and the first that is used by nobody
   * @throws ChainError where the chain can't be asked; what the journal throws
   */
  async foreignNonces(from?: number): Promise<{ readonly foreign: number[]; readonly next: number }> {
    const account = await this.address();
    const count = (tag: "latest" | "pending") => this.#provider.getTransactionCount(account, tag);
    try {
      // First what the chain has: what is sent is in the journal before.
      const [mined, next] = [await count("latest"), await count("pending")];
      const own = await this.#journal.nonces(account, from ?? 0);
      const last = own.at(-1) ?? Infinity;
      const first = from ?? Math.min(mined, last + 1);
      const known = new Set(own);
      const nonces = Array.from({ length: Math.min(Math.max(0, next - first), MAX_NONCES) }, (_, i) => first + i);
      return { foreign: nonces.filter((nonce) => !known.has(nonce)), next };
    } catch (error) {
      throw chainError(error, "look for transactions of others");
    }
  }

  /**
   * Makes what was mined in blocks that are gone come to its end once more.
   *
   * @param ancestor - the last block that is still there
   * @throws as {@link goOn}
   */
  async reorganised(ancestor: number, signal?: AbortSignal): Promise<void> {
    await this.#landing.goOn(await this.#journal.reopen(await this.address(), ancestor), signal);
  }

  /** What a reorganisation took back is sent again as it was: done anew beside that, it would be done twice. */
  async #lookForMoved(doing: string, guards: readonly string[], signal: AbortSignal | undefined): Promise<void> {
    const { mined } = this.#landing;
    let moved: MinedFlight | undefined;
    try {
      moved = await mined.moved(this.#provider, guards);
    } catch (error) {
      throw chainError(error, doing);
    }
    if (moved === undefined) return;
    await this.reorganised(moved.block - 1, signal);
    mined.forget(moved);
    mined.heard(guards);
    throw inFlight(doing, moved);
  }

  /**
   * What was on its way when somebody decided to do it, and is in a block by now, guards nothing any more, and is in none of what that
   * was decided by. Asked where the guard is known to be free.
   */
  #requireNoNews({ doing, guards }: Pick<JournalEntry, "doing" | "guards">): void {
    const news = this.#landing.mined.takeNews(guards);
    if (news !== undefined) throw inFlight(doing, news);
  }

  /**
   * Under the lock of this process, so that nonces are broadcast in their order: writes down, then broadcasts. Where
   * nobody refuses it for sure a node may have it: it is on its way until the chain says otherwise.
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
      this.#landing.watch(id);
      try {
        await this.#courier.handOver(flight);
        return { flight };
      } catch (error) {
        if (!signal?.aborted && !isRefused(error)) {
          this.#logger.warn({ nonce, reason: said(error) }, "a node may have it or not: it counts as on its way");
          return { flight };
        }
        this.#landing.unwatch(id);
        signal?.throwIfAborted();
        await this.#journal.drop(id);
        if (!isNonceTaken(error) || attempt === NONCE_TRIES) throw chainError(error, intent.doing);
        // Another process uses this key, or the node's count lags behind.
        this.#logger.warn({ nonce, reason: said(error) }, "nonce is taken, trying the next one");
        least = await this.#beyond(nonce, intent.doing);
      }
    }
  }

  /** The nonce to try after one that is another's. */
  async #beyond(nonce: number, doing: string): Promise<number> {
    const from = await this.address();
    try {
      return nonceBeyond(nonce, await this.#journal.nonces(from, nonce), await countsOf(this.#provider, from));
    } catch (error) {
      throw chainError(error, doing);
    }
  }

  /** @param least - the nonce is no lower */
  async #record(intent: Pick<JournalEntry, "call" | "doing" | "gasLimit" | "guards">, least: number) {
    const from = await this.address();
    try {
      const counts = (["latest", "pending"] as const).map((tag) => this.#provider.getTransactionCount(from, tag));
      const [latest, pending] = (await Promise.all(counts)) as [number, number];
      const own = await this.#journal.nonces(from, latest);
      const market = await this.#courier.fees(intent);
      const raised = this.#landing.takeHurry(intent.guards) && (await this.#courier.raised(market, intent.gasLimit));
      const fees = raised || market;
      return await this.#journal.record(
        { from, ...intent },
        (next) => nonceAfter({ least, latest, pending, own }, next),
        (nonce) => {
          this.#requireNoNews(intent);
          return this.#courier.sign({ ...intent, nonce }, fees);
        },
      );
    } catch (error) {
      throw chainError(error, intent.doing);
    }
  }
}

function doneOrThrow(failed: ChainError): Sent {
  if (failed.failure === "done" && failed.revert !== undefined) return { status: "done", revert: failed.revert };
  throw failed;
}

function inFlight(doing: string, other: Pick<JournalEntry, "doing" | "nonce">): ChainError {
  const message = `Failed to ${doing}: some of it was on its way already, in “${other.doing}” at nonce ${other.nonce}`;
  return new ChainError("IN_FLIGHT", message, "Look at what that came to, and try again.", "retry", undefined);
}

/** That of another account is its own to bring to an end: nobody here can sign for it, and what it guards has no hope here. */
function inFlightElsewhere(doing: string, { from, nonce, ...other }: JournalEntry): ChainError {
  const message = `Failed to ${doing}: some of it is on its way already, in “${other.doing}” of ${from} at nonce ${nonce}`;
  const hint = `Only a process with its key brings that to its end. Where it is used no more: holdfast keeper abandon ${from}`;
  return new ChainError("IN_FLIGHT", message, hint, "hopeless", undefined);
}
