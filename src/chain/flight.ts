/** A transaction on its way: what is known of it here, and how it is signed and handed over. */
import { type JsonRpcApiProvider, keccak256, type Signer } from "ethers";
import type { Logger } from "pino";
import { broadcast } from "./broadcast.js";
import type { Call } from "./call.js";
import { bumpedFees, type Fees, marketFees } from "./fees.js";
import type { JournalEntry, SignedAttempt } from "./journal.js";

/** A transaction on its way, as this process knows it. */
export interface Flight {
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

export function flightOf({ id, call, doing, nonce, gasLimit, guards, attempts }: JournalEntry): Flight {
  return { id, call, doing, nonce, gasLimit, guards, attempts: [...attempts], sent: false };
}

export interface CourierOptions {
  readonly provider: JsonRpcApiProvider;
  readonly signer: Signer;
  readonly logger: Logger;
  /** The most to pay for a unit of gas, in wei. */
  readonly maxFeePerGas: bigint | undefined;
  /** The most that the gas of one transaction may cost, in wei. */
  readonly maxCost: bigint;
}

/** Simulates, signs and hands over the transactions of one account, at the chain's price. */
export class Courier {
  readonly #o: CourierOptions;

  constructor(options: CourierOptions) {
    this.#o = options;
  }

  address(): Promise<string> {
    return this.#o.signer.getAddress();
  }

  /** Estimating is simulating. A fifth more, since what a call finds may change until it is in a block. */
  async estimate({ to, data, value }: Call): Promise<bigint> {
    const gas = await this.#o.provider.estimateGas({ from: await this.address(), to, data, value: value ?? 0n });
    return gas + gas / 5n;
  }

  /** What the chain asks now, as far as a call may cost that. */
  fees({ call, gasLimit }: Pick<Flight, "call" | "gasLimit">): Promise<Fees> {
    const [own, cap] = [call.maxFeePerGas, this.#capOf(gasLimit)];
    return marketFees(this.#o.provider, own === undefined || cap < own ? cap : own);
  }

  /** More than `fees`, enough for a node to let it replace them, whatever a call is worth; undefined where that may not be paid. */
  async raised(fees: Fees, gasLimit: bigint): Promise<Fees | undefined> {
    const cap = this.#capOf(gasLimit);
    return bumpedFees(fees, await marketFees(this.#o.provider, cap), cap);
  }

  #capOf(gasLimit: bigint): bigint {
    const { maxFeePerGas, maxCost } = this.#o;
    const affordable = maxCost / gasLimit;
    return maxFeePerGas !== undefined && maxFeePerGas < affordable ? maxFeePerGas : affordable;
  }

  /** What uses a nonce and does nothing: a payment of nothing to oneself. */
  async nothing(): Promise<Pick<Flight, "call" | "gasLimit">> {
    const call: Call = { to: await this.address(), data: "0x" };
    return { call, gasLimit: await this.estimate(call) };
  }

  async sign(
    { call, nonce, gasLimit }: Pick<Flight, "call" | "nonce" | "gasLimit">,
    fees: Fees,
  ): Promise<SignedAttempt> {
    const { chainId } = await this.#o.provider.getNetwork();
    const raw = await this.#o.signer.signTransaction({ type: 2, chainId, nonce, gasLimit, ...call, ...fees });
    return { hash: keccak256(raw), raw, fees };
  }

  /** Hands over what was signed last. @throws what `broadcast` throws */
  async handOver(flight: Flight): Promise<void> {
    const attempt = lastOf(flight);
    await broadcast(this.#o.provider, attempt);
    flight.sent = true;
    const { nonce, doing } = flight;
    this.#o.logger.debug({ hash: attempt.hash, nonce, doing, ...attempt.fees }, "transaction sent");
  }
}

export function lastOf({ attempts }: Pick<Flight, "attempts">): SignedAttempt {
  return attempts.at(-1) as SignedAttempt;
}
