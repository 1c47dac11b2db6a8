/** Which windows were missed, told once for each: also those that passed while nobody looked. */
import { toBeHex } from "ethers";
import type { Chain } from "../chain/chain.js";
import { closedAt, Status } from "../protocol/index.js";
import type { Duties, DutyRef } from "../store/duties.js";
import type { Deal } from "./deals.js";

/** Deals in one question for their events. */
const ASKED = 100;

/** Compares what the chain says of deals with what was told before. */
export class MissTeller {
  readonly #chain: Chain;
  readonly #duties: Duties;
  /** Misses that are told of each deal; undefined before the first head. */
  #told: Map<bigint, number> | undefined;

  constructor(chain: Chain, duties: Duties) {
    this.#chain = chain;
    this.#duties = duties;
  }

  /**
   * The misses that nobody was told of yet. What duties that end with the process do not know is taken for told: the first
   * deals that it ever sees.
   *
   * @param deals - as they stand at `head`
   * @throws what the node or the duties throw; nothing is told by then
   */
  async untold(deals: readonly Deal[], head: number, signal: AbortSignal): Promise<DutyRef[]> {
    const isFirst = this.#told === undefined;
    this.#told ??= await this.#duties.missesTold();
    const told = this.#told;
    const now = new Map(deals.map((deal) => [deal.id, this.#missing(deal, head)]));
    if (isFirst && !this.#duties.lasting) for (const [id, count] of now) told.set(id, count);
    const missed: DutyRef[] = [];
    const unclear: Deal[] = [];
    for (const deal of deals) {
      const [before, count] = [told.get(deal.id) ?? 0, now.get(deal.id)!];
      if (count <= before) continue;
      const last = this.#closed(deal, head);
      // One more than before, and the last window was not proven: it is that one.
      if (count === before + 1 && deal.lastProven < last) missed.push({ id: deal.id, window: last });
      else unclear.push(deal);
    }
    for (let at = 0; at < unclear.length; at += ASKED) {
      missed.push(...(await this.#lookUp(unclear.slice(at, at + ASKED), head, signal)));
    }
    const fresh = missed.length === 0 ? [] : await this.#duties.tellMisses(missed);
    // A reorganisation may take some back: what is counted is what there is now, what was told stays told.
    for (const [id, count] of now) if (count !== (told.get(id) ?? 0)) told.set(id, count);
    return fresh;
  }

  /** Windows that are over when the block after `head` comes. */
  #closed({ firstEpoch, periods, tier }: Deal, head: number): number {
    return closedAt(firstEpoch, this.#chain.deployment.tiers[tier]!, periods, head + 1);
  }

  /** How many of them nobody proved, as long as anybody could. */
  #missing(deal: Deal, head: number): number {
    const { standing, lastProven } = deal;
    const closed = this.#closed(deal, head);
    const provenLast = closed > standing.closed && lastProven === closed ? 1 : 0;
    const missing = closed - standing.provenClosed - provenLast;
    return standing.status === Status.Defaulted ? Math.min(missing, standing.missed) : missing;
  }

  /** The windows that deals missed, by the events of the others. */
  async #lookUp(deals: readonly Deal[], head: number, signal: AbortSignal): Promise<DutyRef[]> {
    const { contracts, deployment, follower } = this.#chain;
    const { topicHash } = contracts.market.interface.getEvent("Proven");
    const filter = { address: deployment.market, topics: [topicHash, deals.map(({ id }) => toBeHex(id, 32))] };
    const first = Math.min(...deals.map(({ firstEpoch }) => firstEpoch));
    const proven = new Map(deals.map(({ id }) => [id, new Set<number>()]));
    for await (const { logs } of follower.logs(filter, first, head, signal)) {
      for (const { topics, data } of logs) proven.get(BigInt(topics[1]!))?.add(Number(BigInt(data)));
    }
    return deals.flatMap((deal) => {
      const windows = Array.from({ length: this.#closed(deal, head) }, (_, i) => i + 1);
      const missing = windows.filter((window) => !proven.get(deal.id)?.has(window));
      return missing.slice(0, this.#missing(deal, head)).map((window) => ({ id: deal.id, window }));
    });
  }
}
