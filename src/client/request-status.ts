/**
 * Requests of the open market, read from the chain: what was asked for, and what has become of it.
 *
 * @packageDocumentation
 */
import { type Log, toBeHex, zeroPadValue } from "ethers";
import type { StorageRequestStruct, StorageRequestStructOutput } from "../../typechain-types/StorageRequests.js";
import { logsBetween } from "../chain/logs.js";
import { HoldfastError } from "../errors.js";
import { pieceIdOf, postingCost, priceAt, Status, type StorageRequest } from "../protocol/index.js";
import { type DealInfo, type DealReader, findByPrefix, readDeals } from "./deals.js";
import { ask } from "./funds.js";

/** A request as it was posted, with what its events say of it since. */
export interface KnownRequest {
  readonly id: bigint;
  readonly request: StorageRequest;
  /** Every deal that filled a replica, oldest first. */
  readonly fills: readonly Fill[];
  /** Defaulted deals whose replica was posted again, at whatever time. */
  readonly slots: readonly bigint[];
}

export interface Fill {
  readonly dealId: bigint;
  readonly provider: string;
  /** The defaulted deal whose place it took; 0n for an original replica. */
  readonly slot: bigint;
  /** Base units a period. */
  readonly price: bigint;
}

/** A replica of a request as it stands. */
export interface ReplicaStatus {
  /** Of the deal that holds it now, or held it last. */
  readonly deal: DealInfo;
  /** Whether that deal is live and its last closed window was proven. */
  readonly proven: boolean;
  /** How often it was repaired: by a new deal, after a default. */
  readonly repairs: number;
  /** Whether it is posted again, and waits for a provider. */
  readonly waiting: boolean;
}

/** How a request stands at the latest block. Amounts in base units of its token. */
export interface RequestStatus {
  readonly id: bigint;
  readonly request: StorageRequest;
  /** Block of the posting. */
  readonly postedEpoch: number;
  /** Original replicas that nobody has filled; their money is locked. */
  readonly unfilled: number;
  /** The last block in which anything can be filled, where the client has cancelled. */
  readonly lastEpoch: number | undefined;
  /** Whether original replicas can still be filled. */
  readonly open: boolean;
  /** The most that a fill in the next block may cost for a period; undefined where none is open. */
  readonly priceNow: bigint | undefined;
  /** What the contract still holds for replicas that nobody has filled. */
  readonly locked: bigint;
  readonly replicas: readonly ReplicaStatus[];
  readonly replicasFilled: number;
  readonly replicasProven: number;
  /** Replicas that a new provider has taken over after a default. */
  readonly repaired: number;
}

/** A request as the contract takes it. */
export function requestCall(request: StorageRequest): StorageRequestStruct {
  return { ...request, regions: [...request.regions] };
}

/**
 * Ids of the requests that were posted, oldest first.
 *
 * @param client - who posted them; anybody by default
 * @throws ChainError where the chain can't be asked
 */
export async function findRequests(reader: DealReader, client?: string): Promise<bigint[]> {
  const { topicHash } = reader.contracts.requests.interface.getEvent("Posted");
  const logs = await logsOf(reader, [topicHash, null, client === undefined ? null : zeroPadValue(client, 32)]);
  return [...new Set(logs.map(({ topics }) => BigInt(topics[1] as string)))];
}

/**
 * The request that a text names: 0x and 64 hexadecimal digits, or the first digits of exactly one.
 *
 * @throws HoldfastError `INVALID_REQUEST_ID`, `UNKNOWN_REQUEST`, `AMBIGUOUS_REQUEST`
 * @throws ChainError where the chain can't be asked
 */
export function requestIdFrom(reader: DealReader, text: string): Promise<bigint> {
  return findByPrefix(text, "request", () => findRequests(reader));
}

/**
 * A request as it was posted, and what filled it.
 *
 * @throws HoldfastError `UNKNOWN_REQUEST`
 * @throws ChainError where the chain can't be asked
 */
export async function readRequest(reader: DealReader, id: bigint): Promise<KnownRequest> {
  let request: StorageRequest | undefined;
  const fills: Fill[] = [];
  const slots: bigint[] = [];
  for (const log of await logsOf(reader, [null, toBeHex(id, 32)])) {
    const event = reader.contracts.requests.interface.parseLog(log);
    if (event?.name === "Posted") request = requestFrom(event.args.request);
    else if (event?.name === "Reposted") slots.push(event.args.slot);
    else if (event?.name === "Filled") {
      const { dealId, provider, slot, price } = event.args;
      fills.push({ dealId, provider, slot, price });
    }
  }
  if (request !== undefined) return { id, request, fills, slots };
  throw new HoldfastError("UNKNOWN_REQUEST", `there is no request ${toBeHex(id, 32)}`, "check the id and the chain");
}

/**
 * How a request stands: which replicas are filled, which are proven, which were repaired.
 *
 * @throws HoldfastError `UNKNOWN_REQUEST`
 * @throws ChainError where the chain can't be asked
 */
export async function requestStatus(reader: DealReader, id: bigint): Promise<RequestStatus> {
  const { requests, market } = reader.contracts;
  // Before the events: a replica that is filled meanwhile is counted twice, and none is missing where all are filled.
  const state = await ask("read a request", requests.stateOf(id));
  const { request, fills } = await readRequest(reader, id);
  const [postedEpoch, unfilled] = [Number(state.postedEpoch), Number(state.unfilled)];
  const lastEpoch = state.lastEpoch === 0n ? undefined : Number(state.lastEpoch);
  const head = await ask("read the head", market.runner?.provider?.getBlock("latest") ?? Promise.resolve(null));
  const next = (head?.number ?? 0) + 1;
  const open =
    unfilled > 0 && request.expires >= BigInt(head?.timestamp ?? 0) && (lastEpoch === undefined || next <= lastEpoch);
  const { replicas, lockedAgain } = await replicasOf(reader, id, request, fills);
  return {
    id,
    request,
    postedEpoch,
    unfilled,
    lastEpoch,
    open,
    priceNow: open ? priceAt(request, postedEpoch, next) : undefined,
    locked: postingCost({ ...request, replicas: unfilled }) + lockedAgain,
    replicas,
    replicasFilled: replicas.filter(({ deal }) => isLive(deal)).length,
    replicasProven: replicas.filter(({ proven }) => proven).length,
    repaired: fills.filter(({ slot }) => slot !== 0n).length,
  };
}

/** Follows each original replica to the deal that holds it now. */
async function replicasOf(
  reader: DealReader,
  id: bigint,
  { root, leafCount }: StorageRequest,
  fills: readonly Fill[],
): Promise<{ replicas: ReplicaStatus[]; lockedAgain: bigint }> {
  const { requests, market } = reader.contracts;
  const successors = new Map(fills.filter(({ slot }) => slot !== 0n).map(({ slot, dealId }) => [slot, dealId]));
  const originals = fills.filter(({ slot }) => slot === 0n);
  const chains = originals.map(({ dealId }) => {
    const chain = [dealId];
    for (let next = successors.get(dealId); next !== undefined; next = successors.get(next)) chain.push(next);
    return chain;
  });
  const deals = new Map(
    (
      await readDeals(
        reader,
        chains.map((chain) => chain.at(-1) as bigint),
      )
    ).map((deal) => [deal.id, deal]),
  );
  const pieceId = pieceIdOf({ root, leafCount });
  let lockedAgain = 0n;
  const replicas: ReplicaStatus[] = [];
  for (const chain of chains) {
    // An opening that a reorganisation took back is no replica.
    const deal = deals.get(chain.at(-1) as bigint);
    if (deal === undefined) continue;
    const slot = await ask("read a request", requests.slotOf(id, deal.id));
    lockedAgain += slot.maxPrice * slot.periods;
    const proven = await ask("read a deal", market.isProven(deal.id, pieceId));
    replicas.push({ deal, proven, repairs: chain.length - 1, waiting: slot.postedEpoch > 0n });
  }
  return { replicas, lockedAgain };
}

function isLive({ status }: DealInfo): boolean {
  return status === Status.Open || status === Status.Ending;
}

async function logsOf({ contracts, deployment }: DealReader, topics: (string | null)[]): Promise<Log[]> {
  const provider = contracts.market.runner?.provider;
  if (!provider) throw new HoldfastError("NO_PROVIDER", "the contracts have no provider", "connect them to one");
  const logs: Log[] = [];
  const read = async () => {
    const head = await provider.getBlockNumber();
    const filter = { address: deployment.requests, topics };
    for await (const range of logsBetween(provider, filter, deployment.block, head)) logs.push(...range.logs);
  };
  await ask("read the events of requests", read());
  return logs;
}

function requestFrom(posted: StorageRequestStructOutput): StorageRequest {
  const { client, root, leafCount, token, startPrice, maxPrice, collateral, maxEgressPricePerGiB, minStake } = posted;
  const { expires, repair, dataUri, salt } = posted;
  return {
    client,
    root,
    leafCount,
    tier: Number(posted.tier),
    periods: Number(posted.periods),
    maxPeriods: Number(posted.maxPeriods),
    token,
    startPrice,
    maxPrice,
    rampEpochs: Number(posted.rampEpochs),
    collateral,
    maxEgressPricePerGiB,
    replicas: Number(posted.replicas),
    minStake,
    expires,
    repair,
    regions: [...posted.regions],
    dataUri,
    salt,
  };
}
