/** Settlements that wait until they pay: bounties against the gas of a batch, at the present fee. */
import { type Candidate, type SettleEconomics, worthOf } from "./policy.js";

const DEFAULT_MARGIN = 10;
/** More than any chain asks, in wei: no limit. */
const MOST_FEE = 2n ** 96n;

export interface BargainOptions {
  readonly economics: SettleEconomics;
  /** Deals in one transaction at most. */
  readonly batchSize: number;
  /** Gas of settling deals in one transaction, as the chain has it now. */
  readonly gasOf: (deals: readonly Candidate[]) => Promise<bigint>;
  /** What they bring now: somebody else may have settled some. */
  readonly renew: (deals: readonly Candidate[]) => Promise<Candidate[]>;
}

/** Deals to be settled in one transaction. */
export interface Bargain {
  readonly deals: Candidate[];
  /** Wei for a unit of gas up to which it pays. */
  readonly maxFee: bigint;
}

interface Waiting {
  readonly candidate: Candidate;
  /** Wei. */
  readonly worth: bigint;
}

/** Where nothing paid, it is looked again when the fee has fallen by so great a part: another batch may pay by then. */
const FALL = 16n;

/**
 * Candidates by deal, and which of them pay. Where none do, the fee is remembered at which they would, and nothing is asked before it
 * has fallen, or something new waits.
 */
export class Bargains {
  readonly #o: BargainOptions;
  readonly #waiting = new Map<bigint, Waiting>();
  /** The fee at which nothing paid; undefined where something has changed since. */
  #looked: bigint | undefined;
  /** The highest fee at which a batch that was looked at would have paid. */
  #breakEven = 0n;

  constructor(options: BargainOptions) {
    this.#o = options;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** What waits, or waits anew with another bounty. What is worth nothing is left to others. */
  add(candidate: Candidate): void {
    const worth = worthOf(candidate, this.#o.economics);
    if (worth === 0n && this.#margin > 0n) {
      this.remove(candidate.deal.id);
      return;
    }
    this.#waiting.set(candidate.deal.id, { candidate, worth });
    this.#changed();
  }

  remove(id: bigint): void {
    this.#waiting.delete(id);
  }

  clear(): void {
    this.#waiting.clear();
    this.#changed();
  }

  /**
   * Takes batches that pay at a fee, the best first; they wait no longer.
   *
   * @param fee - wei for a unit of gas
   * @throws what `gasOf` and `renew` throw; what was not given waits on
   */
  async *take(fee: bigint): AsyncGenerator<Bargain, void, undefined> {
    if (this.#waiting.size === 0 || !this.#isNews(fee)) return;
    const sorted = [...this.#waiting.values()].sort((a, b) => (a.worth < b.worth ? 1 : a.worth > b.worth ? -1 : 0));
    for (let at = 0; at < sorted.length; at += this.#o.batchSize) {
      const bargain = await this.#paying(sorted.slice(at, at + this.#o.batchSize), fee);
      if (bargain === undefined) {
        // Those that follow bring less.
        if (at === 0) this.#looked = fee;
        return;
      }
      for (const { deal } of bargain.deals) this.#waiting.delete(deal.id);
      yield bargain;
    }
  }

  /** Whether what did not pay when it was looked at last may do so at a fee. */
  #isNews(fee: bigint): boolean {
    if (this.#looked === undefined || fee <= this.#breakEven) return true;
    return fee <= this.#looked - this.#looked / FALL;
  }

  /** Those of a batch that pay together, each of them at least for what it adds; undefined where they don't. */
  async #paying(batch: readonly Waiting[], fee: bigint): Promise<Bargain | undefined> {
    const some = await this.#worthTheirShare(batch, fee);
    const most = await this.#mostFee(some.length > 0 ? some : batch.slice(0, 1), fee);
    if (most === undefined || some.length === 0) return undefined;
    const fresh = await this.#o.renew(some.map(({ candidate }) => candidate));
    for (const { candidate } of some) this.remove(candidate.deal.id);
    for (const one of fresh) this.add(one);
    const now = fresh.flatMap(({ deal }) => this.#waiting.get(deal.id) ?? []);
    const isSame = fresh.length === some.length && now.every(({ worth }, i) => worth === some[i]?.worth);
    const maxFee = isSame ? most : now.length === 0 ? undefined : await this.#mostFee(now, fee);
    return maxFee === undefined ? undefined : { deals: now.map(({ candidate }) => candidate), maxFee };
  }

  /** Up to what fee a batch pays; undefined where it doesn't at this one. */
  async #mostFee(batch: readonly Waiting[], fee: bigint): Promise<bigint | undefined> {
    const gas = (await this.#gas(batch)) * this.#margin;
    const worth = batch.reduce((sum, one) => sum + one.worth, 0n) * 100n;
    // With a margin that leaves nothing to bring, any fee will do.
    const most = gas === 0n ? MOST_FEE : worth / gas;
    if (most >= fee) return most;
    if (most > this.#breakEven) this.#breakEven = most;
    return undefined;
  }

  /** Without those at its end that bring less than the gas that they add. */
  async #worthTheirShare(batch: readonly Waiting[], fee: bigint): Promise<readonly Waiting[]> {
    if (batch.length === 1) return batch;
    const [all, one] = [await this.#gas(batch), await this.#gas(batch.slice(0, 1))];
    const added = ((all - one) / BigInt(batch.length - 1)) * fee * this.#margin;
    return batch.filter(({ worth }) => worth * 100n >= added);
  }

  #changed(): void {
    this.#looked = undefined;
    this.#breakEven = 0n;
  }

  #gas(batch: readonly Waiting[]): Promise<bigint> {
    return this.#o.gasOf(batch.map(({ candidate }) => candidate));
  }

  /** Per cent of the gas that a batch has to bring. */
  get #margin(): bigint {
    return BigInt(Math.max(0, Math.round(100 + (this.#o.economics.marginPercent ?? DEFAULT_MARGIN))));
  }
}
