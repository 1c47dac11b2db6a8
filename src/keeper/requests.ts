/** The requests of the open market: found by their events, read from the chain's own books. */
import type { Log } from "ethers";
import type {
  RequestStateStructOutput,
  SlotStructOutput,
  StorageRequestStructOutput,
} from "../../typechain-types/StorageRequests.js";
import type { Chain } from "../chain/chain.js";
import type { Head, HeadUpdate } from "../chain/follower.js";
import type { StorageRequest } from "../protocol/index.js";
import { OVERLAP } from "./deals.js";

/** A request as TypeChain's calls take it: its list could be written to. */
export type PostedRequest = StorageRequest & { readonly regions: string[] };

/** A replica of a request that was filled. */
export interface Replica {
  readonly dealId: bigint;
  readonly provider: string;
}

/** What the events say of a request. A reorganisation can have undone any of it; the chain's books are what counts. */
export interface KnownRequest {
  readonly id: bigint;
  readonly request: PostedRequest;
  /** By deal. */
  readonly replicas: ReadonlyMap<bigint, Replica>;
  /** Defaulted deals whose replica was posted again. */
  readonly slots: ReadonlySet<bigint>;
}

/** A replica, or several alike, that can be filled. Epochs are block numbers. */
export interface Vacancy {
  readonly id: bigint;
  readonly request: PostedRequest;
  /** 0n: replicas never filled; otherwise the defaulted deal that was posted again. */
  readonly slot: bigint;
  /** Of the request: possession is proven with a seed that is later. */
  readonly requestedEpoch: number;
  /** From when the price rises. */
  readonly postedEpoch: number;
  /** Price of a period at the end of the ramp. */
  readonly maxPrice: bigint;
  readonly periods: number;
  /** Unix seconds, the last one included. */
  readonly expires: bigint;
  /** The last block in which it can be filled, where the client has cancelled. */
  readonly lastEpoch: number | undefined;
}

/** Whether nobody can fill it after a head: it has expired, or the client has cancelled and the notice is over. */
export function isOver({ expires, lastEpoch }: Vacancy, head: Head): boolean {
  return expires < BigInt(head.timestamp) || (lastEpoch !== undefined && lastEpoch <= head.number);
}

/** Calls that are asked for together. */
const READ_BATCH = 50;

/** Asks for many things, some at a time. */
export async function inBatches<T, R>(
  items: readonly T[],
  signal: AbortSignal,
  ask: (item: T) => Promise<R>,
): Promise<R[]> {
  const answers: R[] = [];
  for (let at = 0; at < items.length; at += READ_BATCH) {
    signal.throwIfAborted();
    answers.push(...(await Promise.all(items.slice(at, at + READ_BATCH).map(ask))));
  }
  return answers;
}

interface Entry extends KnownRequest {
  readonly replicas: Map<bigint, Replica>;
  readonly slots: Set<bigint>;
}

/** Follows the events of `StorageRequests`. */
export class RequestBook {
  readonly #chain: Chain;
  readonly #entries = new Map<bigint, Entry>();
  /** Every event up to here is known. */
  #readTo: number;

  constructor(chain: Chain) {
    this.#chain = chain;
    this.#readTo = chain.deployment.block - 1;
  }

  get requests(): Iterable<KnownRequest> {
    return this.#entries.values();
  }

  get(id: bigint): KnownRequest | undefined {
    return this.#entries.get(id);
  }

  /**
   * Reads the events up to a head: from the deployment on at first, later what is new, recent, or was reorganised.
   *
   * @returns the requests that something was heard of; with a reorganisation, all
   * @throws What the node answers. What was read by then is kept; the next call goes on from there, and says it again.
   */
  async sync({ head, ancestor }: HeadUpdate, signal: AbortSignal): Promise<ReadonlySet<bigint>> {
    if (ancestor !== undefined) this.#readTo = Math.min(this.#readTo, ancestor);
    const touched = new Set(ancestor === undefined ? [] : this.#entries.keys());
    const filter = { address: this.#chain.deployment.requests };
    const settled = head.number - OVERLAP;
    for await (const { logs, to } of this.#chain.follower.logs(filter, this.#readTo + 1, head.number, signal)) {
      for (const log of logs) {
        const id = this.#take(log);
        if (id !== undefined) touched.add(id);
      }
      this.#readTo = Math.max(this.#readTo, Math.min(to, settled));
    }
    return touched;
  }

  /** What is unfilled of these requests, by the chain's books now, whether it is expired or not. */
  async vacancies(ids: readonly bigint[], signal: AbortSignal): Promise<Vacancy[]> {
    return (await inBatches(ids, signal, (id) => this.#vacanciesOf(id))).flat();
  }

  async #vacanciesOf(id: bigint): Promise<Vacancy[]> {
    const entry = this.#entries.get(id);
    if (entry === undefined) return [];
    const { requests } = this.#chain.contracts;
    const slots = [...entry.slots];
    const [state, ...read] = await Promise.all([
      requests.stateOf(id),
      ...slots.map((slot) => requests.slotOf(id, slot)),
    ]);
    // The posting may be in a block that is gone.
    if (state.postedEpoch === 0n) return [];
    const open = read.map((slot, i) => slotVacancy(entry, state, slots[i]!, slot));
    return [originals(entry, state), ...open].filter((vacancy) => vacancy !== undefined);
  }

  /** Notes an event; gives the request that it is about. */
  #take(log: Log): bigint | undefined {
    const event = this.#chain.contracts.requests.interface.parseLog(log);
    if (event === null) return undefined;
    const id = event.args[0] as bigint;
    if (event.name === "Posted" && !this.#entries.has(id)) {
      const request = requestFrom(event.args.request);
      if (request !== undefined) this.#entries.set(id, { id, request, replicas: new Map(), slots: new Set() });
    }
    const entry = this.#entries.get(id);
    if (event.name === "Filled") {
      const { dealId, provider } = event.args;
      entry?.replicas.set(dealId, { dealId, provider });
    }
    if (event.name === "Reposted") entry?.slots.add(event.args.slot);
    return id;
  }
}

function originals({ id, request }: Entry, state: RequestStateStructOutput): Vacancy | undefined {
  if (state.unfilled === 0n) return undefined;
  const { maxPrice, periods, expires } = request;
  return {
    id,
    request,
    slot: 0n,
    ...postingOf(state),
    postedEpoch: Number(state.postedEpoch),
    maxPrice,
    periods,
    expires,
  };
}

function slotVacancy(
  { id, request }: Entry,
  state: RequestStateStructOutput,
  slot: bigint,
  { postedEpoch, expires, periods, maxPrice }: SlotStructOutput,
): Vacancy | undefined {
  if (postedEpoch === 0n) return undefined;
  const ramp = { postedEpoch: Number(postedEpoch), maxPrice, periods: Number(periods), expires };
  return { id, request, slot, ...postingOf(state), ...ramp };
}

function postingOf({ postedEpoch, lastEpoch }: RequestStateStructOutput) {
  return { requestedEpoch: Number(postedEpoch), lastEpoch: lastEpoch === 0n ? undefined : Number(lastEpoch) };
}

/**
 * Undefined where the `dataUri` is no UTF-8: anybody can post that, nobody here can say it back to the contract, and one
 * such event must not keep the others from being read.
 */
function requestFrom(posted: StorageRequestStructOutput): PostedRequest | undefined {
  const { client, root, leafCount, token, startPrice, maxPrice, collateral, maxEgressPricePerGiB } = posted;
  const { minStake, expires, repair, regions, salt } = posted;
  let dataUri: string;
  try {
    dataUri = posted.dataUri;
  } catch {
    return undefined;
  }
  return {
    ...{ client, root, leafCount, token, startPrice, maxPrice, collateral, maxEgressPricePerGiB },
    ...{ minStake, expires, repair, regions: [...regions], dataUri, salt },
    tier: Number(posted.tier),
    periods: Number(posted.periods),
    maxPeriods: Number(posted.maxPeriods),
    rampEpochs: Number(posted.rampEpochs),
    replicas: Number(posted.replicas),
  };
}
