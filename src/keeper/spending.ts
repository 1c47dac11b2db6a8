/** What an account has spent on deals, told by the chain, so that a budget outlives whoever keeps it. */
import { type Log, toBeHex, zeroPadValue } from "ethers";
import type { Chain } from "../chain/chain.js";
import type { HeadUpdate } from "../chain/follower.js";

interface Payment {
  readonly block: number;
  readonly cost: bigint;
}

/** Blocks below the head that are read again: the node that answers for logs may be behind the one that named the head. */
const OVERLAP = 32;

/** Sums the `Extended` events of one payer for some deals. */
export class SpendingBook {
  readonly #chain: Chain;
  readonly #topics: (string | string[])[];
  readonly #payments = new Map<string, Payment>();
  /** Every event up to here is known. */
  #readTo: number;

  constructor(chain: Chain, ids: readonly bigint[], payer: string) {
    this.#chain = chain;
    const { topicHash } = chain.contracts.market.interface.getEvent("Extended");
    this.#topics = [topicHash, ids.map((id) => toBeHex(id, 32)), zeroPadValue(payer, 32)];
    this.#readTo = chain.deployment.block - 1;
  }

  /** In base units, ever since the market was deployed. */
  get spent(): bigint {
    return [...this.#payments.values()].reduce((sum, { cost }) => sum + cost, 0n);
  }

  /** Reads the events up to a head. @throws What the node answers; the next call goes on from what was read by then. */
  async sync({ head, ancestor }: HeadUpdate, signal: AbortSignal): Promise<void> {
    if (ancestor !== undefined) {
      this.#readTo = Math.min(this.#readTo, ancestor);
      for (const [key, { block }] of this.#payments) if (block > ancestor) this.#payments.delete(key);
    }
    const filter = { address: this.#chain.deployment.market, topics: this.#topics };
    const settled = head.number - OVERLAP;
    for await (const { logs, to } of this.#chain.follower.logs(filter, this.#readTo + 1, head.number, signal)) {
      for (const log of logs) this.add(log);
      this.#readTo = Math.max(this.#readTo, Math.min(to, settled));
    }
  }

  /** Books an event; one that is known already changes nothing. Gives back its periods and cost. */
  add(log: Log): { readonly periods: number; readonly cost: bigint } {
    const { market } = this.#chain.contracts;
    const [, , periods, cost] = market.interface.decodeEventLog("Extended", log.data, log.topics);
    this.#payments.set(`${log.transactionHash}/${log.index}`, { block: log.blockNumber, cost });
    return { periods: Number(periods), cost };
  }
}
