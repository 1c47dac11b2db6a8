/**
 * Requests of the open market: posting what is wanted, and what their client may do with them.
 *
 * @packageDocumentation
 */
import { type ContractTransaction, getAddress, hexlify, type Log, randomBytes, toUtf8Bytes } from "ethers";
import { chainTime } from "../chain/time.js";
import { HoldfastError } from "../errors.js";
import { type Commitment, commit, encodePieceCid, type Payload } from "../piece/index.js";
import {
  collateralFor,
  MAX_DATA_URI,
  MAX_REGIONS,
  MAX_REPLICAS,
  postingCost,
  regionBytes,
  requestIdOf,
  type StorageRequest,
} from "../protocol/index.js";
import { ask, type ChainAccess, fund } from "./funds.js";
import { readRequest, requestCall } from "./request-status.js";

/** What a client asks the open market for. Amounts in base units of `token`. */
export interface RequestWishes {
  /** Row of the market's table. */
  readonly tier: number;
  /** Periods that each replica is paid for. */
  readonly periods: number;
  /** Up to where a replica's deal may be extended; `periods` by default. */
  readonly maxPeriods?: number;
  /** How many providers are wanted, at most 32; 1 by default. */
  readonly replicas?: number;
  /** What a period of a replica may cost at the posting; 0 by default. */
  readonly startPrice?: bigint;
  /** What a period may cost at the end of the ramp. All of it is locked, for every replica and period. */
  readonly maxPrice: bigint;
  /** Blocks over which the price rises; a period of the tier by default. */
  readonly rampEpochs?: number;
  /** What to pay with, zero for the native coin; the deployment's stake token by default. */
  readonly token?: string;
  /** What a provider stakes behind its replica; a period's highest price, or the tier's least, by default. */
  readonly collateral?: bigint;
  /** The most that reading a GiB may cost by the terms; no limit by default. */
  readonly maxEgressPricePerGiB?: bigint;
  /** What a provider has locked besides, never slashed, while its replica lives; 0 by default. */
  readonly minStake?: bigint;
  /** Where replicas may lie: `DE`, `US-CA`, at most 16; anywhere by default. */
  readonly regions?: readonly string[];
  /** Where providers fetch the bytes: a URL, or `piece:` and the URL of a provider that has them. */
  readonly dataUri: string;
  /** Unix seconds until when replicas can be filled; a day from now by default. */
  readonly expires?: bigint;
  /** Whether a replica that defaults is posted again, without the client's doing; false by default. */
  readonly repair?: boolean;
}

export interface PostedRequest {
  readonly id: bigint;
  readonly request: StorageRequest;
  readonly pieceCid: string;
}

const DAY = 86_400n;
const MAX_UINT128 = (1n << 128n) - 1n;

/**
 * Posts a request: locks the most that it can cost, and leaves it to the price to find providers. What is missing in the
 * vault is deposited.
 *
 * @param what - the payload, or its commitment where that is known
 * @throws HoldfastError `UNKNOWN_TIER`, `INVALID_REQUEST`, `INVALID_REGION`, `EMPTY_PIECE`
 * @throws ChainError where money is missing, or the contract refuses
 * @example
 * const wishes = { tier: 0, periods: 30, replicas: 3, maxPrice: 1_000n, dataUri: "https://example.org/video.mp4" };
 * const { id } = await postRequest(access, payload, { ...wishes, repair: true });
 */
export async function postRequest(
  access: ChainAccess,
  what: Payload | Commitment,
  wishes: RequestWishes,
): Promise<PostedRequest> {
  const commitment = "stream" in what ? await commit(what.stream()) : what;
  const provider = access.contracts.market.runner?.provider;
  if (!provider) throw new HoldfastError("NO_PROVIDER", "the contracts have no provider", "connect them to one");
  const request = requestFor(access, commitment, wishes, await ask("read the time", chainTime(provider)));
  const { requests, chainId } = access.deployment;
  await fund(access, request.token, postingCost(request), requests);
  await access.sender.send(
    await access.contracts.requests.post.populateTransaction(requestCall(request)),
    `post a request for ${request.replicas} replicas`,
  );
  return { id: requestIdOf(chainId, requests, request), request, pieceCid: encodePieceCid(commitment).toString() };
}

/**
 * Takes a request off the market. Whoever is about to fill it still may, for challengeFinality blocks; then
 * {@link refundRequest} gives the money back.
 *
 * @returns the last block in which it can be filled
 * @throws HoldfastError `UNKNOWN_REQUEST`
 * @throws ChainError with `revert.name` `NotClient`
 */
export async function cancelRequest(access: ChainAccess, id: bigint): Promise<number> {
  const { requests } = access.contracts;
  const { request } = await readRequest(access, id);
  // Where it was cancelled before, this is "done", and the notice runs since then.
  await access.sender.send(await requests.cancel.populateTransaction(requestCall(request)), "cancel a request");
  return Number((await ask("read a request", requests.stateOf(id))).lastEpoch);
}

/**
 * Gets back what is locked for replicas that nobody filled, those that were posted again included, once the request has
 * expired or was cancelled. Anybody may do this; the money goes to the client.
 *
 * @returns what came back, in base units; 0 where there was nothing
 * @throws HoldfastError `UNKNOWN_REQUEST`
 * @throws ChainError with `revert.name` `NotOverYet`
 */
export async function refundRequest(access: ChainAccess, id: bigint): Promise<bigint> {
  const { requests } = access.contracts;
  const { request, slots } = await readRequest(access, id);
  const { unfilled } = await ask("read a request", requests.stateOf(id));
  const calls: ContractTransaction[] = [];
  if (unfilled > 0n) calls.push(await requests.refund.populateTransaction(requestCall(request)));
  for (const slot of slots) {
    const { postedEpoch } = await ask("read a request", requests.slotOf(id, slot));
    if (postedEpoch > 0n) calls.push(await requests.refundSlot.populateTransaction(requestCall(request), slot));
  }
  let refunded = 0n;
  for (const call of calls) {
    for (const { args } of await eventsOf(access, call, "refund a request", "Refunded")) refunded += args.amount;
  }
  return refunded;
}

/** What can be done with a replica whose deal `StorageRequests` owns: a request with `repair`. */
export type ReplicaAction = "terminate" | "release" | "collect" | "repair";

const DOING: Readonly<Record<ReplicaAction, string>> = {
  terminate: "end a replica's deal",
  release: "take over a replica's deal",
  collect: "collect what a replica gave back",
  repair: "post a replica again",
};

/**
 * Acts on the replica that a provider has of a request with `repair`. Its client may `terminate` it, or `release` its
 * deal to itself, which ends the repairing; anybody may `collect` what it gave back for the client, and `repair` it once
 * its deal has defaulted, for the bounty.
 *
 * @returns what went to the client by this, in base units; 0 where the repairing was over already
 * @throws HoldfastError `UNKNOWN_REQUEST`
 * @throws ChainError with `revert.name` `NotClient`, `UnknownReplica`, `NotRepairable`, `WrongReplicaStatus`,
 *   `WrongStatus`
 */
export async function actOnReplica(
  access: ChainAccess,
  action: ReplicaAction,
  id: bigint,
  provider: string,
): Promise<bigint> {
  const { requests } = access.contracts;
  const { request } = await readRequest(access, id);
  const call = await requests[action].populateTransaction(requestCall(request), getAddress(provider));
  let collected = 0n;
  for (const { args } of await eventsOf(access, call, DOING[action], "Collected")) collected += args.amount;
  return collected;
}

/** @param now - unix seconds by the chain */
function requestFor(
  { address, deployment }: ChainAccess,
  { root, leafCount }: Pick<Commitment, "root" | "leafCount">,
  wishes: RequestWishes,
  now: bigint,
): StorageRequest {
  const tier = deployment.tiers[wishes.tier];
  if (!tier) {
    const hint = "choose a row of the market's table";
    throw new HoldfastError("UNKNOWN_TIER", `the market has no tier ${wishes.tier}`, hint);
  }
  const { periods, maxPrice, startPrice = 0n, replicas = 1, regions = [], dataUri } = wishes;
  const request: StorageRequest = {
    client: address,
    root: hexlify(root),
    leafCount,
    tier: wishes.tier,
    periods,
    maxPeriods: wishes.maxPeriods ?? periods,
    token: getAddress(wishes.token ?? deployment.stakeToken),
    startPrice,
    maxPrice,
    rampEpochs: wishes.rampEpochs ?? tier.period,
    collateral: wishes.collateral ?? collateralFor(maxPrice, 1, tier.maxMisses),
    maxEgressPricePerGiB: wishes.maxEgressPricePerGiB ?? MAX_UINT128,
    replicas,
    minStake: wishes.minStake ?? 0n,
    expires: wishes.expires ?? now + DAY,
    repair: wishes.repair ?? false,
    regions: regions.map(regionBytes),
    dataUri,
    salt: hexlify(randomBytes(32)),
  };
  checkRequest(request, tier.maxMisses, now);
  return request;
}

/** What the contract would refuse, before money is deposited for it. */
function checkRequest(request: StorageRequest, maxMisses: number, now: bigint): void {
  const { replicas, startPrice, maxPrice, rampEpochs, expires, regions, dataUri, periods, maxPeriods } = request;
  const whole = [replicas, rampEpochs, periods, maxPeriods].every((count) => Number.isInteger(count));
  const faults: [boolean, string][] = [
    [!whole, "replicas, periods and blocks are whole numbers"],
    [replicas < 1 || replicas > MAX_REPLICAS, `a request is for 1 to ${MAX_REPLICAS} replicas`],
    [periods < maxMisses || maxPeriods < periods, `keep ${maxMisses} ≤ periods ≤ maxPeriods`],
    [startPrice < 0n || startPrice > maxPrice, "the price rises: startPrice is at most maxPrice"],
    [rampEpochs < 1, "the price rises over at least one block"],
    [expires <= now, `it would have expired: the chain's time is ${now}`],
    [regions.length > MAX_REGIONS, `at most ${MAX_REGIONS} regions can be named`],
    [dataUri === "", "providers have to be told where the bytes are"],
    [toUtf8Bytes(dataUri).length > MAX_DATA_URI, `dataUri has at most ${MAX_DATA_URI} bytes`],
  ];
  const fault = faults.find(([wrong]) => wrong)?.[1];
  if (fault !== undefined) throw new HoldfastError("INVALID_REQUEST", fault, "mend the request; nothing was sent");
}

interface RequestEvent {
  readonly args: { readonly amount: bigint };
}

/** Sends a call, and gives the events of one name that it made. */
async function eventsOf(
  { contracts, sender, deployment }: ChainAccess,
  call: ContractTransaction,
  doing: string,
  name: "Refunded" | "Collected",
): Promise<RequestEvent[]> {
  const sent = await sender.send(call, doing);
  if (sent.status === "done") return [];
  const own = sent.receipt.logs.filter((log: Log) => log.address === deployment.requests);
  const events = own.map((log) => contracts.requests.interface.parseLog(log));
  return events.flatMap((event) => (event?.name === name ? [event as unknown as RequestEvent] : []));
}
