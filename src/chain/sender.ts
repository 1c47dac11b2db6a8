/**
 * Sending transactions with one key: nonces in order whatever runs side by side, nothing sent that would revert,
 * nothing left stuck.
 */
import { isError, type JsonRpcApiProvider, keccak256, type Signer, type TransactionReceipt } from "ethers";
import type { Logger } from "pino";
import { type Clock, systemClock } from "./clock.js";
import { ChainError, chainError, type Revert, rpcMessage } from "./errors.js";
import { bumpedFees, type Fees, marketFees } from "./fees.js";
import { Mutex } from "./mutex.js";

/** What to send. */
export interface Call {
  readonly to: string;
  readonly data: string;
  /** Native coin to send along, in wei. */
  readonly value?: bigint;
}

/** What became of it. */
export type Sent =
  /** It is in a block and did not revert. `replacements`: how often the fee was raised. */
  | { readonly status: "mined"; readonly receipt: TransactionReceipt; readonly replacements: number }
  /** It was not needed: somebody else has done it, as the error that it would have got says. */
  | { readonly status: "done"; readonly revert: Revert };

export interface SenderOptions {
  readonly provider: JsonRpcApiProvider;
  /** The key. Its address should send through one sender only; others are noticed, and cost time. */
  readonly signer: Signer;
  readonly logger: Logger;
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

/** A transaction on its way: the same call and nonce under one or more hashes, one for each fee tried. */
interface Flight {
  readonly call: Call;
  readonly doing: string;
  readonly nonce: number;
  readonly gasLimit: bigint;
  readonly hashes: string[];
  fees: Fees;
}

const BROADCAST_TRIES = 3;
const NONCE_TRIES = 5;

/** What nodes say of a transaction that they have already, of a nonce that is used, and of one that is being used. */
const KNOWN = /already known|already imported|known transaction|already in mempool/i;
const NONCE_USED = /nonce too low|nonce has already been used|nonce is too low/i;
const NONCE_IN_USE = /replacement (transaction )?(is )?underpriced|replacement fee too low/i;

/**
 * Sends the transactions of one key. Any number of `send` calls may run side by side.
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
  readonly #clock: Clock;
  readonly #pollMs: number;
  readonly #replaceAfterMs: number;
  readonly #maxReplacements: number;
  readonly #maxFeePerGas: bigint | undefined;
  readonly #onMined: ((receipt: TransactionReceipt) => void) | undefined;
  readonly #launching = new Mutex();
  #inFlight = 0;
  #nextNonce = 0;

  constructor(options: SenderOptions) {
    this.#provider = options.provider;
    this.#signer = options.signer;
    this.#logger = options.logger;
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
   * @throws {ChainError} With the decoded reason where it is refused (nothing was sent) or reverts; `TX_STUCK`,
   *   `NONCE_TAKEN`, or a code of the way to the node.
   * @throws The reason of `signal`.
   */
  async send(call: Call, doing: string, signal?: AbortSignal): Promise<Sent> {
    signal?.throwIfAborted();
    let gasLimit: bigint;
    try {
      gasLimit = await this.#estimate(call);
    } catch (error) {
      return doneOrThrow(chainError(error, doing));
    }
    const flight = await this.#launching.run(() => this.#launch(call, doing, gasLimit, signal));
    try {
      return await this.#land(flight, signal);
    } finally {
      this.#inFlight--;
    }
  }

  /** Estimating is simulating. A fifth more, since what a call finds may change until it is in a block. */
  async #estimate(call: Call): Promise<bigint> {
    const gas = await this.#provider.estimateGas({ from: await this.address(), ...call });
    return gas + gas / 5n;
  }

  /** Under the lock: picks the nonce, signs, broadcasts. A nonce counts as used once a node has the transaction. */
  async #launch(call: Call, doing: string, gasLimit: bigint, signal: AbortSignal | undefined): Promise<Flight> {
    let nonce = 0;
    for (let attempt = 1; ; attempt++) {
      nonce = Math.max(nonce, await this.#freeNonce(doing));
      try {
        const fees = await marketFees(this.#provider, this.#maxFeePerGas);
        const flight: Flight = { call, doing, nonce, gasLimit, fees, hashes: [] };
        await this.#broadcast(flight, signal);
        this.#nextNonce = nonce + 1;
        this.#inFlight++;
        return flight;
      } catch (error) {
        signal?.throwIfAborted();
        const taken = NONCE_USED.test(said(error)) || NONCE_IN_USE.test(said(error));
        if (!taken || attempt === NONCE_TRIES) throw chainError(error, doing);
        // Another process uses this key, or the node's count lags behind.
        this.#logger.warn({ nonce, reason: said(error) }, "nonce is taken, trying the next one");
        nonce++;
      }
    }
  }

  /**
   * With nothing of ours in flight the chain's count is right, also where it dropped one of ours; otherwise it may not
   * count the latest ones yet.
   */
  async #freeNonce(doing: string): Promise<number> {
    try {
      const pending = await this.#provider.getTransactionCount(await this.address(), "pending");
      return this.#inFlight === 0 ? pending : Math.max(pending, this.#nextNonce);
    } catch (error) {
      throw chainError(error, doing);
    }
  }

  /** Signs with the flight's fees and hands it to the node. The same bytes again where no answer came: it may have them. */
  async #broadcast(flight: Flight, signal: AbortSignal | undefined): Promise<void> {
    const { chainId } = await this.#provider.getNetwork();
    const { call, nonce, gasLimit, fees } = flight;
    const raw = await this.#signer.signTransaction({ type: 2, chainId, nonce, gasLimit, ...call, ...fees });
    const hash = keccak256(raw);
    if (!flight.hashes.includes(hash)) flight.hashes.push(hash);
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#provider.send("eth_sendRawTransaction", [raw]);
        break;
      } catch (error) {
        if (KNOWN.test(said(error))) break;
        // The nonce may be used by these very bytes: an answer before this one was lost, not the transaction.
        if (attempt > 1 && (await this.#provider.getTransaction(hash)) !== null) break;
        if (!isConnectionLost(error) || attempt === BROADCAST_TRIES) throw error;
        await this.#clock.sleep(this.#pollMs, signal);
      }
    }
    this.#logger.debug({ hash, nonce, doing: flight.doing, ...fees }, "transaction sent");
  }

  async #land(flight: Flight, signal: AbortSignal | undefined): Promise<Sent> {
    for (let replacements = 0; ; replacements++) {
      const receipt = await this.#awaitReceipt(flight, signal);
      if (receipt !== undefined) this.#onMined?.(receipt);
      if (receipt?.status === 1) return { status: "mined", receipt, replacements };
      if (receipt !== undefined) return doneOrThrow(await this.#whyReverted(flight, receipt));
      if (replacements === this.#maxReplacements) throw stuck(flight);
      await this.#replace(flight, signal);
    }
  }

  /** The receipt of whichever of the flight's transactions got into a block; undefined when it takes too long. */
  async #awaitReceipt(flight: Flight, signal: AbortSignal | undefined): Promise<TransactionReceipt | undefined> {
    const until = this.#clock.now() + this.#replaceAfterMs;
    let used = false;
    while (this.#clock.now() < until) {
      try {
        for (const hash of flight.hashes) {
          const receipt = await this.#provider.getTransactionReceipt(hash);
          if (receipt !== null) return receipt;
        }
        // The count and the receipt may come from two states of the node: believe it when it says so twice.
        const mined = await this.#provider.getTransactionCount(await this.address(), "latest");
        if (mined > flight.nonce && used) throw nonceTaken(flight);
        used = mined > flight.nonce;
      } catch (error) {
        if (error instanceof ChainError) throw error;
        this.#logger.warn({ err: error, hash: flight.hashes.at(-1) }, "looking for a receipt failed");
      }
      await this.#clock.sleep(this.#pollMs, signal);
    }
    return undefined;
  }

  /** The same call and nonce at a higher fee. Failing is no harm: what was sent before is still on its way. */
  async #replace(flight: Flight, signal: AbortSignal | undefined): Promise<void> {
    const { nonce, doing } = flight;
    try {
      const market = await marketFees(this.#provider, this.#maxFeePerGas);
      flight.fees = bumpedFees(flight.fees, market, this.#maxFeePerGas);
      await this.#broadcast(flight, signal);
      this.#logger.warn({ nonce, doing, ...flight.fees }, "transaction was stuck, sent again with a higher fee");
    } catch (error) {
      signal?.throwIfAborted();
      this.#logger.warn({ nonce, doing, reason: said(error) }, "transaction is stuck and could not be replaced");
    }
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

function doneOrThrow(failed: ChainError): Sent {
  if (failed.failure === "done" && failed.revert !== undefined) return { status: "done", revert: failed.revert };
  throw failed;
}

function stuck({ doing, nonce, hashes }: Flight): ChainError {
  const message = `Failed to ${doing}: nonce ${nonce} is in no block after ${hashes.length} tries`;
  const hint = "Raise maxFeePerGas, or check that the node passes transactions on.";
  return new ChainError("TX_STUCK", message, hint, "retry", undefined);
}

function nonceTaken({ doing, nonce }: Flight): ChainError {
  const message = `Failed to ${doing}: another transaction took nonce ${nonce}`;
  return new ChainError("NONCE_TAKEN", message, "Let one process only send with this key.", "retry", undefined);
}

/** Everything that was said in an error: ethers' own words and the node's. */
function said(error: unknown): string {
  const { message } = error as { message?: unknown };
  return [message, rpcMessage(error)].filter((part) => typeof part === "string").join("; ");
}

/** Whether there was no answer. Node reports a broken connection by a code of the system, which ethers passes on. */
function isConnectionLost(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  if (isError(error, "NETWORK_ERROR") || isError(error, "TIMEOUT") || isError(error, "SERVER_ERROR")) return true;
  return typeof code === "string" && /^(ECONN|EPIPE|ETIMEDOUT|EAI_|ENOTFOUND|UND_ERR)/.test(code);
}
