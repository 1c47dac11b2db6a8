/** Deeds that somebody might do, sound more often than not. */
import { toBeHex, ZeroHash } from "ethers";
import {
  type DealTerms,
  dealIdOf,
  isEligibleRegion,
  requestIdOf,
  type StorageRequest,
} from "../../../src/protocol/index.js";
import type { Dice } from "../intents.js";
import { isLive, statusOf } from "../model.js";
import { ALIAS, phaseFor, TIERS } from "../world.js";
import {
  type Books,
  type Deed,
  type Filling,
  isOnOffer,
  type Posting,
  priceIn,
  type ReplicaDeed,
  wanted,
} from "./model.js";
import { PROVIDERS, type RequestsWorld, regionOf } from "./world.js";

export const KINDS = {
  post: 10,
  fill: 34,
  prove: 26,
  repair: 18,
  collect: 9,
  terminate: 9,
  release: 8,
  unlock: 7,
  cancel: 3,
  refund: 4,
  refundSlot: 4,
  settle: 6,
  extend: 5,
  restore: 3,
  amend: 5,
  migrate: 5,
  withdraw: 2,
} as const;
export type Kind = keyof typeof KINDS;

const CLIENTS = ["ann", "ben"] as const;

/** A request like any other; one in nine is none that can be posted. */
export function drawRequest(world: RequestsWorld, dice: Dice, salt: number, now: bigint): StorageRequest {
  const tier = dice.below(TIERS.length);
  const { maxMisses } = TIERS[tier]!;
  const { commitment, root } = dice.of(world.pieces);
  const periods = maxMisses + 3 + dice.below(10);
  const maxPrice = BigInt(20 + dice.below(900));
  const regions = [[], [], [], ["US"], ["DE", "US-CA"], ["US-NY", "DE-BE"]][dice.below(6)]!;
  const request: StorageRequest = {
    client: world.accounts[dice.of(CLIENTS)].address,
    root,
    leafCount: commitment.leafCount,
    tier,
    periods,
    maxPeriods: periods + dice.below(5),
    token: dice.of(world.tokens),
    startPrice: dice.upTo(maxPrice),
    maxPrice,
    rampEpochs: 1 + dice.below(150),
    collateral: dice.once(6) ? 0n : BigInt(maxMisses + dice.below(3_000)),
    maxEgressPricePerGiB: 7n,
    replicas: 1 + dice.below(3),
    minStake: dice.once(2) ? BigInt(dice.below(900)) : 0n,
    expires: now + 90n + BigInt(dice.below(900)),
    repair: !dice.once(4),
    regions: regions.map(regionOf),
    dataUri: "https://client.example/piece",
    salt: toBeHex(salt, 32),
  };
  return dice.once(9) ? { ...request, ...dice.of(spoils(world, request, now)) } : request;
}

const spoils = (world: RequestsWorld, request: StorageRequest, now: bigint): Partial<StorageRequest>[] => [
  { client: ALIAS },
  { client: world.accounts.stranger.address },
  { replicas: 0 },
  { replicas: 33 },
  { startPrice: request.maxPrice + 1n },
  { rampEpochs: 0 },
  { expires: now },
  { expires: 1n << 40n },
  { regions: Array.from({ length: 17 }, () => regionOf("DE")) },
  { regions: [regionOf("")] },
  { dataUri: "x".repeat(513) },
  { tier: TIERS.length },
  { leafCount: 0n },
  { root: `${ZeroHash.slice(0, -2)}80` },
  { periods: 0 },
  { collateral: 1n, tier: 0 },
  { maxPrice: 1n << 127n },
  { maxPrice: 1_000_000n },
];

export const idOf = (world: RequestsWorld, request: StorageRequest): bigint =>
  requestIdOf(world.chainId, world.requestsAddress, request);

export function drawPost(world: RequestsWorld, books: Books, dice: Dice, salt: number, now: bigint): Deed {
  const again = dice.once(12) ? dice.of([...books.postings.values()])?.request : undefined;
  const request = again ?? drawRequest(world, dice, salt, now);
  // An alias signs nothing; somebody else sends for it, and for others as well.
  const by = request.client === ALIAS || dice.once(15) ? world.accounts.keeper.address : request.client;
  return { kind: "post", by, id: idOf(world, request), request };
}

/** A request that is posted; once in a while, one that is not. */
function pickPosting(world: RequestsWorld, books: Books, dice: Dice, fits: (posting: Posting) => boolean) {
  const all = [...books.postings];
  const fitting = all.filter(([, posting]) => fits(posting));
  const [id, posting] = dice.of(fitting.length > 0 && !dice.once(9) ? fitting : all);
  if (!dice.once(40)) return { id, posting, request: posting.request };
  const request = { ...posting.request, salt: toBeHex(999_999, 32) };
  return { id: idOf(world, request), posting, request };
}

/** A fill of what can be had, slots first; wrong in one of many ways once in five times. */
export function drawFill(
  world: RequestsWorld,
  books: Books,
  dice: Dice,
  block: number,
  now: bigint,
  salt: number,
): Filling {
  const fillable = (posting: Posting): boolean => isOnOffer(posting, now);
  const hasSlot = (posting: Posting): boolean => posting.slots.size > 0 && fillable(posting);
  const failed = [...books.postings.values()].some(hasSlot) && !dice.once(3);
  const { id, posting, request } = pickPosting(world, books, dice, failed ? hasSlot : fillable);
  const slots = [...posting.slots.keys()];
  const others = [...posting.replicas.values()].map(({ dealId }) => dealId);
  const slot = dice.once(15) ? dice.of([1n, ...others]) : slots.length > 0 && !dice.once(5) ? dice.of(slots) : 0n;
  const fresh = PROVIDERS.map((name) => world.accounts[name].address).filter((at) => !posting.replicas.has(at));
  const any = PROVIDERS.map((name) => world.accounts[name].address);
  const near = fresh.filter((at) => isEligibleRegion(request.regions, regionOf(world.config.regions.get(at) ?? "")));
  const provider = dice.of(
    near.length > 0 && !dice.once(8) ? near : dice.of([fresh, any].filter((list) => list.length > 0)),
  );
  const replica = wanted(posting, slot);
  const most = replica ? priceIn(block, request, replica) : request.startPrice;
  const sound: DealTerms = {
    client: request.repair ? world.requestsAddress : request.client,
    provider,
    root: request.root,
    leafCount: request.leafCount,
    tier: request.tier,
    periods: replica?.periods ?? request.periods,
    maxPeriods: request.maxPeriods,
    token: request.token,
    pricePerPeriod: dice.once(2) ? most : dice.upTo(most),
    collateral: request.collateral,
    egressPricePerGiB: BigInt(dice.below(8)),
    validUntil: 1n << 40n,
    salt: toBeHex(salt, 32),
  };
  const terms = dice.once(6) ? { ...sound, ...dice.of(wrongTerms(world, sound, most)) } : sound;
  const signedBy = dice.once(25) ? world.accounts.stranger.address : provider;
  const by = dice.of([provider, world.accounts.keeper.address]);
  return {
    kind: "fill",
    by,
    id,
    request,
    slot,
    terms,
    dealId: dealIdOf(world.domain, terms),
    phase: phaseFor(terms),
    signedBy,
    valid: !dice.once(14),
  };
}

const wrongTerms = (world: RequestsWorld, terms: DealTerms, most: bigint): Partial<DealTerms>[] => [
  { pricePerPeriod: most + 1n },
  { egressPricePerGiB: 8n },
  { client: world.accounts.keeper.address },
  { root: ZeroHash },
  { leafCount: terms.leafCount + 1n },
  { tier: (terms.tier + 1) % TIERS.length },
  { periods: terms.periods + 1 },
  { maxPeriods: terms.maxPeriods + 1 },
  { token: world.tokens.find((token) => token !== terms.token)! },
  { collateral: terms.collateral + 5n },
  { provider: world.requestsAddress },
  { validUntil: 1n },
];

/** A call about a replica: mostly of a deal that is ready for it. */
export function drawOnReplica(world: RequestsWorld, books: Books, dice: Dice, kind: ReplicaDeed): Deed {
  const deals = books.state.deals;
  const ready = (posting: Posting, at: string): boolean => {
    const { dealId, closed, locked } = posting.replicas.get(at)!;
    const deal = deals.get(dealId)!;
    if (kind === "unlock") return locked > 0n && !isLive(deal);
    if (closed || !posting.request.repair) return false;
    if (kind === "repair") return deal.end === "Defaulted";
    return kind === "collect" ? deal.end !== "Defaulted" : statusOf(deal) === "Open";
  };
  const any = (posting: Posting): boolean => [...posting.replicas.keys()].some((at) => ready(posting, at));
  const { id, posting, request } = pickPosting(world, books, dice, any);
  const fitting = [...posting.replicas.keys()].filter((at) => ready(posting, at));
  const all = [...posting.replicas.keys(), world.accounts.honest.address, world.accounts.treasury.address];
  const provider = dice.of(fitting.length > 0 && !dice.once(12) ? fitting : all);
  const clients = kind === "terminate" || kind === "release";
  const by = clients && !dice.once(8) ? request.client : world.accounts.keeper.address;
  return { kind, by, id, request, provider };
}

/** Taking a request off the market, or its money back. */
export function drawTakingBack(
  world: RequestsWorld,
  books: Books,
  dice: Dice,
  kind: "cancel" | "refund" | "refundSlot",
  now: bigint,
): Deed {
  const over = (expires: bigint, { lastBlock }: Posting): boolean => now > expires || lastBlock !== undefined;
  const { id, posting, request } = pickPosting(world, books, dice, (candidate) => {
    if (kind === "cancel") return candidate.lastBlock === undefined;
    if (kind === "refund") return candidate.unfilled > 0 && over(candidate.request.expires, candidate);
    return [...candidate.slots.values()].some(({ expires }) => over(expires, candidate));
  });
  const { keeper } = world.accounts;
  if (kind === "cancel") return { kind, by: dice.once(6) ? keeper.address : request.client, id, request };
  if (kind === "refund") return { kind, by: keeper.address, id, request };
  const slots = [...posting.slots].filter(([, { expires }]) => over(expires, posting)).map(([slot]) => slot);
  const slot = dice.of([...(slots.length > 0 ? slots : posting.slots.keys()), ...(slots.length > 0 ? [] : [1n])]);
  return { kind, by: keeper.address, id, request, slot };
}
