/**
 * A reference model of StorageRequests, written from PROTOCOL section 7 and docs/StorageRequests.md and not from the
 * contract. Deals are those of the market's own model: what one gives back is the sum of what happened to its windows.
 * What the contract holds is no counter here: it is added up, period by period, from what nobody has filled.
 */
import type { DealTerms, StorageRequest } from "../../../src/protocol/index.js";
import { type Action, type At, apply } from "../actions.js";
import {
  addClaim,
  advance,
  book,
  type Config,
  claimOf,
  type Deal,
  Refused,
  refuse,
  type Stake,
  statusOf,
  sumOf,
} from "../model.js";
import type {
  Asked,
  Books,
  Deed,
  DeedOf,
  Filling,
  Posting,
  Replica,
  ReplicaDeed,
  RequestsConfig,
  Slot,
} from "./books.js";
import { faultsOfRequest } from "./posting.js";

export * from "./books.js";

/** What came of a deed; a refused one leaves only the time that has passed. */
export interface Done {
  readonly books: Books;
  readonly refused: readonly string[] | undefined;
}

export function perform(before: Books, config: RequestsConfig, deed: Deed, at: At): Done {
  advance(before.state, config, at.number);
  const books = structuredClone(before);
  try {
    run(books, config, deed, at);
    return { books, refused: undefined };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { books: before, refused: error.names };
  }
}

function run(books: Books, config: RequestsConfig, deed: Deed, at: At): undefined {
  switch (deed.kind) {
    case "market":
      return onMarket(books, config, deed.action, at);
    case "unprovision":
      return unprovision(books, deed);
    case "post":
      return post(books, config, deed, at);
    case "fill":
      return fill(books, config, deed, at);
    case "cancel":
      return cancel(books, config, deed, at);
    case "refund":
      return refund(books, deed, at);
    case "refundSlot":
      return refundSlot(books, deed, at);
    case "unlock":
      return unlock(books, deed);
    default:
      return onReplica(books, config, deed, at);
  }
}

/** What the market makes of an action; its refusal is one of the whole deed. */
function onMarket(books: Books, config: RequestsConfig, action: Action, at: At): undefined {
  const { state, refused } = apply(books.state, config, action, at);
  if (refused) throw new Refused(refused);
  books.state = state;
}

export function stakeAt(books: Books, token: string, provider: string): Stake {
  const key = `${token}|${provider}`;
  const stake = books.stakes.get(key) ?? { free: 0n, locked: 0n };
  books.stakes.set(key, stake);
  return stake;
}

function unprovision(books: Books, { by, token, amount }: DeedOf<"unprovision">): undefined {
  const stake = stakeAt(books, token, by);
  refuse(amount === 0n && "ZeroAmount", stake.free < amount && "InsufficientStake");
  stake.free -= amount;
  addClaim(books.state, token, by, amount);
}

/** What waits for providers: the highest price of every period that nobody has taken. */
export function waiting({ postings }: Books, token: string): bigint {
  let sum = 0n;
  for (const { request, unfilled, slots } of postings.values()) {
    if (request.token !== token) continue;
    for (let i = 0; i < unfilled * request.periods; i++) sum += request.maxPrice;
    for (const { periods, maxPrice } of slots.values()) for (let i = 0; i < periods; i++) sum += maxPrice;
  }
  return sum;
}

function find(books: Books, id: bigint): Posting {
  const posting = books.postings.get(id);
  if (!posting) throw new Refused(["UnknownRequest"]);
  return posting;
}

// Posting and filling

function post(books: Books, config: RequestsConfig, { by, id, request }: Asked, at: At): undefined {
  const { client, token, maxPrice, periods, replicas } = request;
  refuse(
    by !== client && "NotClient",
    books.postings.has(id) && "RequestExists",
    ...faultsOfRequest(request, config, at),
  );
  const cost = maxPrice * BigInt(periods * replicas);
  refuse(
    cost > 0n && !config.approved.has(client) && "ERC6909InsufficientAllowance",
    claimOf(books.state, token, client) < cost && "ERC6909InsufficientBalance",
  );
  addClaim(books.state, token, client, -cost);
  books.postings.set(id, {
    request,
    posted: at.number,
    time: at.timestamp,
    unfilled: replicas,
    lastBlock: undefined,
    replicas: new Map(),
    slots: new Map(),
  });
}

/** What can be had of `slot`, if anything. */
export function wanted(posting: Posting, slot: bigint): Slot | undefined {
  const { request, posted, unfilled, slots } = posting;
  if (slot !== 0n) return slots.get(slot);
  return unfilled > 0 ? { ...request, posted } : undefined;
}

/** The most that a period may cost in this block. */
export function priceIn(block: number, { startPrice, rampEpochs }: StorageRequest, { posted, maxPrice }: Slot): bigint {
  if (block >= posted + rampEpochs || startPrice >= maxPrice) return maxPrice;
  return startPrice + ((maxPrice - startPrice) * BigInt(block - posted)) / BigInt(rampEpochs);
}

/** The block whose seed a fill in this block is proven with: the last multiple of 64 before. */
export function seedBlock(block: number): number {
  let epoch = block - 1;
  while (epoch % 64 !== 0) epoch--;
  return epoch;
}

/** Each line is one of the page's steps, in its order. */
function fill(books: Books, config: RequestsConfig, deed: Filling, at: At): undefined {
  const { id, slot, terms, valid } = deed;
  const posting = find(books, id);
  const { request, lastBlock, replicas } = posting;
  const replica = wanted(posting, slot);
  if (!replica) throw new Refused(["NothingToFill"]);
  refuse(at.timestamp > replica.expires && "RequestExpired");
  refuse(lastBlock !== undefined && at.number > lastBlock && "RequestOver");
  refuse(terms.pricePerPeriod > priceIn(at.number, request, replica) && "PriceTooHigh");
  refuse(terms.egressPricePerGiB > request.maxEgressPricePerGiB && "EgressPriceTooHigh");
  refuse(!agrees(terms, request, replica, config) && "TermsMismatch");
  refuse(terms.provider === config.requests && "TermsMismatch");
  refuse(replicas.has(terms.provider) && "AlreadyFilled");
  refuse(!isNear(request.regions, config.regions.get(terms.provider) ?? "") && "RegionNotEligible");
  refuse(seedBlock(at.number) < posting.posted + config.finality && "TooEarly");
  refuse(!valid && "InvalidPossession");
  const stake = stakeAt(books, request.token, terms.provider);
  refuse(stake.free < request.minStake && "InsufficientStake");
  stake.free -= request.minStake;
  stake.locked += request.minStake;
  take(books, config, posting, replica, deed, at);
}

/** The contract pays with what waited; what it did not cost goes home. */
function take(books: Books, config: RequestsConfig, posting: Posting, replica: Slot, deed: Filling, at: At): undefined {
  const { slot, terms, dealId, phase, signedBy } = deed;
  const { request, replicas, slots } = posting;
  const by = config.requests;
  const periods = BigInt(replica.periods);
  addClaim(books.state, request.token, by, terms.pricePerPeriod * periods);
  addClaim(books.state, request.token, request.client, (replica.maxPrice - terms.pricePerPeriod) * periods);
  const opening = {
    kind: "open",
    by,
    id: dealId,
    terms,
    phase,
    clientSigned: undefined,
    providerSigned: signedBy,
  } as const;
  onMarket(books, config, opening, at);
  const failed = [...replicas.values()].find((other) => other.dealId === slot);
  if (failed) slots.delete(slot);
  else posting.unfilled--;
  replicas.set(terms.provider, {
    dealId,
    generation: failed ? failed.generation + 1 : 0,
    locked: request.minStake,
    collected: 0n,
    ended: false,
    closed: false,
  });
}

function agrees(terms: DealTerms, request: StorageRequest, { periods }: Slot, { requests }: RequestsConfig): boolean {
  const same = ["root", "leafCount", "tier", "maxPeriods", "token", "collateral"] as const;
  const client = request.repair ? requests : request.client;
  return (
    terms.client === client && terms.periods === periods && same.every((member) => terms[member] === request[member])
  );
}

/** "US" takes "US-CA". */
function isNear(regions: readonly string[], actual: string): boolean {
  const text = (region: string): string => Buffer.from(region.slice(2), "hex").toString().replaceAll("\0", "");
  return regions.length === 0 || regions.map(text).some((one) => one === actual || actual.startsWith(`${one}-`));
}

// Taking back

function cancel(books: Books, config: Config, { by, id, request }: Asked, at: At): undefined {
  refuse(by !== request.client && "NotClient");
  const posting = find(books, id);
  refuse(posting.lastBlock !== undefined && "AlreadyCancelled");
  posting.lastBlock = at.number + config.finality;
}

const isOver = ({ lastBlock }: Posting, expires: bigint, at: At): boolean =>
  at.timestamp > expires || (lastBlock !== undefined && at.number > lastBlock);

function refund(books: Books, { id }: Asked, at: At): undefined {
  const posting = find(books, id);
  const { request, unfilled } = posting;
  refuse(unfilled === 0 && "NothingToRefund", !isOver(posting, request.expires, at) && "NotOverYet");
  addClaim(books.state, request.token, request.client, request.maxPrice * BigInt(request.periods * unfilled));
  posting.unfilled = 0;
}

function refundSlot(books: Books, { id, slot }: DeedOf<"refundSlot">, at: At): undefined {
  const posting = find(books, id);
  const { request, slots } = posting;
  const again = slots.get(slot);
  if (!again) throw new Refused(["NothingToRefund"]);
  refuse(!isOver(posting, again.expires, at) && "NotOverYet");
  addClaim(books.state, request.token, request.client, again.maxPrice * BigInt(again.periods));
  slots.delete(slot);
}

// Deals

const isLive = (deal: Deal): boolean => ["Open", "Ending"].includes(statusOf(deal));

function unlock(books: Books, { id, provider }: DeedOf<ReplicaDeed>): undefined {
  const { request, replicas } = find(books, id);
  const replica = replicas.get(provider);
  if (!replica) throw new Refused(["UnknownReplica"]);
  refuse(replica.locked === 0n && "NothingLocked");
  refuse(isLive(books.state.deals.get(replica.dealId) as Deal) && "WrongReplicaStatus");
  const stake = stakeAt(books, request.token, provider);
  stake.locked -= replica.locked;
  stake.free += replica.locked;
  replica.locked = 0n;
}

function onReplica(books: Books, config: RequestsConfig, deed: DeedOf<ReplicaDeed>, at: At): undefined {
  const { id, by, kind, provider, request } = deed;
  const clients = kind === "terminate" || kind === "release";
  refuse(clients && by !== request.client && "NotClient");
  const posting = find(books, id);
  const replica = posting.replicas.get(provider);
  if (!replica) throw new Refused(["UnknownReplica"]);
  refuse(!request.repair && "NotRepairable");
  refuse(replica.closed && "ReplicaClosed");
  const settled = books.state.deals.get(replica.dealId) as Deal;
  book(books.state, config, settled, by);
  if (kind === "terminate") {
    onMarket(books, config, { kind, by: config.requests, id: replica.dealId }, at);
    replica.ended = true;
  }
  const deal = books.state.deals.get(replica.dealId) as Deal;
  if (kind === "repair") {
    repair(books, config, posting, replica, deal, at);
    return;
  }
  const status = statusOf(deal);
  refuse(kind === "collect" && status === "Defaulted" && "WrongReplicaStatus");
  const repairable = kind === "collect" && isLive(deal) && !replica.ended && posting.lastBlock === undefined;
  passOn(books, config, posting, replica, given(deal) - (repairable ? bonus(deal) : 0n));
  if (kind !== "release") return;
  replica.closed = true;
  const { requests } = config;
  onMarket(
    books,
    config,
    { kind: "transfer", by: requests, id: replica.dealId, from: requests, to: request.client },
    at,
  );
}

const least = (a: bigint, b: bigint): bigint => [a, b].sort((x, y) => Number(x - y))[0] as bigint;
const given = (deal: Deal): bigint => sumOf(deal, ["refund", "compensation"]);
const bonus = (deal: Deal): bigint => sumOf(deal, ["compensation"]) / 2n;

/** All of `free` that the client has not had yet. */
function passOn(
  { state }: Books,
  { requests }: RequestsConfig,
  { request }: Posting,
  replica: Replica,
  free: bigint,
): undefined {
  const due = free - replica.collected;
  addClaim(state, request.token, requests, -due);
  addClaim(state, request.token, request.client, due);
  replica.collected = free;
}

function repair(
  books: Books,
  config: RequestsConfig,
  posting: Posting,
  replica: Replica,
  deal: Deal,
  at: At,
): undefined {
  refuse(statusOf(deal) !== "Defaulted" && "WrongReplicaStatus");
  const { request } = posting;
  replica.closed = true;
  passOn(books, config, posting, replica, given(deal));
  const left = deal.windows.filter(({ last }) => last >= at.number);
  const over = replica.ended || posting.lastBlock !== undefined;
  if (over || left.length < config.tiers[request.tier]!.maxMisses) return;
  const price = least(deal.terms.pricePerPeriod, request.maxPrice);
  const asBefore = price * BigInt(left.length);
  const refunded = sumOf(deal, ["refund"]);
  const periods = left.length;
  const maxPrice = ((refunded < asBefore ? refunded : asBefore) + bonus(deal)) / BigInt(periods);
  if (maxPrice === 0n) return;
  const expires = at.timestamp + request.expires - posting.time;
  posting.slots.set(replica.dealId, { posted: at.number, expires, periods, maxPrice });
  // All was passed on above; what waits again is not the client's after all.
  addClaim(books.state, request.token, request.client, -maxPrice * BigInt(periods));
}
