/** What was mined lately in this process, by what it did: a reorganisation may have taken it back before anybody notices. */
import type { JsonRpcApiProvider, TransactionReceipt } from "ethers";

/** A transaction that was in a block. */
export interface MinedFlight {
  readonly doing: string;
  readonly nonce: number;
  readonly hash: string;
  readonly block: number;
  readonly blockHash: string;
}

export class MinedGuards {
  readonly #keptBlocks: number;
  /** By guard; what was mined first comes first. */
  readonly #mined = new Map<string, MinedFlight>();
  /** Guards of what was mined and nobody has heard of who may have looked at the chain before. */
  readonly #news = new Set<string>();

  /** @param keptBlocks - after which one is forgotten: deeper than any reorganisation that is to be lived through */
  constructor(keptBlocks: number) {
    this.#keptBlocks = keptBlocks;
  }

  note(
    { doing, nonce, guards }: { readonly doing: string; readonly nonce: number; readonly guards: readonly string[] },
    { hash, blockNumber: block, blockHash }: TransactionReceipt,
  ): void {
    const mined = { doing, nonce, hash, block, blockHash };
    for (const guard of guards) {
      this.#mined.delete(guard);
      this.#mined.set(guard, mined);
      this.#news.add(guard);
    }
    for (const [guard, { block: old }] of this.#mined) {
      if (old >= block - this.#keptBlocks) break;
      this.#mined.delete(guard);
      this.#news.delete(guard);
    }
  }

  /** Whoever asked for it knows. */
  heard(guards: readonly string[]): void {
    for (const guard of guards) this.#news.delete(guard);
  }

  /**
   * One that did some of this, of which nobody has heard yet: whoever decided to do it may have looked at the chain before. It is said
   * once.
   */
  takeNews(guards: readonly string[]): MinedFlight | undefined {
    const guard = guards.find((one) => this.#news.has(one));
    this.heard(guards);
    return guard === undefined ? undefined : this.#mined.get(guard);
  }

  /**
   * One that did some of this and is in its block no more: it may be in another by now, or get into one again. Whoever looked at the
   * chain meanwhile saw it without.
   *
   * @throws what the provider throws
   */
  async moved(provider: JsonRpcApiProvider, guards: readonly string[]): Promise<MinedFlight | undefined> {
    const known = [...new Set(guards.flatMap((guard) => this.#mined.get(guard) ?? []))];
    const receipts = await Promise.all(known.map(({ hash }) => provider.getTransactionReceipt(hash)));
    return known.find(({ blockHash }, i) => receipts[i]?.blockHash !== blockHash);
  }

  forget(mined: MinedFlight): void {
    for (const [guard, one] of this.#mined) if (one === mined) this.#mined.delete(guard);
  }
}
