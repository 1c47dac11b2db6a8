/** Requests for tests: a market with `StorageRequests`, providers with stake, and the books of its escrow. */
import { hexlify } from "ethers";
import {
  challengeIndices,
  type DealTerms,
  dealIdOf,
  fillQuestionId,
  firstFillBlock,
  possessionEpoch,
  requestIdOf,
  type StorageRequest,
  signTerms,
} from "../../src/protocol/index.js";
import {
  claim,
  deployMarket,
  ethers,
  FINALITY,
  latest,
  makePiece,
  networkHelpers,
  type Piece,
  TIERS,
} from "./market.js";

export const CHAIN_ID = 31_337;
/** Claims that every account starts with. */
export const START = 1_000_000n;
export const US_CA = "0x55532d434100";
export const US = "0x555300000000";
export const DE = "0x444500000000";

const PROFILE = { name: "Provider", url: "https://provider.example", peerId: "", tiers: 7, offerUri: "" };

/** A market with requests, and three more providers: in California, in the United States, nowhere. */
export async function deployRequests() {
  const world = await deployMarket();
  const requests = await ethers.deployContract("StorageRequests", [world.market, world.lens]);
  const requestsAddress = await requests.getAddress();
  const [second, third, fourth] = (await ethers.getSigners()).slice(6);
  if (!second || !third || !fourth) throw new Error("too few accounts");
  const providers = [world.provider, second, third, fourth] as const;
  const { vault, registry, token, tokenAddress, marketAddress } = world;
  for (const [i, region] of [US_CA, US, "0x000000000000"].entries()) {
    const account = providers[i + 1] as typeof second;
    await token.mint(account, 10_000_000n);
    await token.connect(account).approve(vault, ethers.MaxUint256);
    await vault.connect(account).depositAndApprove(tokenAddress, START, marketAddress);
    await vault.connect(account).setOperator(registry, true);
    await registry.connect(account).register({ ...PROFILE, region });
    await registry.connect(account).provision(marketAddress, tokenAddress, 500_000n);
  }
  await vault.connect(world.client).setOperator(requests, true);
  return { ...world, requests, requestsAddress, providers };
}

export type RequestsWorld = Awaited<ReturnType<typeof deployRequests>>;
export type Account = RequestsWorld["client"];

let salt = 0;

/** A request that can be posted; `changes` replace single members. */
export function requestFor(world: RequestsWorld, { commitment }: Piece, changes: Partial<StorageRequest> = {}) {
  const request: StorageRequest = {
    client: world.client.address,
    root: hexlify(commitment.root),
    leafCount: commitment.leafCount,
    tier: 0,
    periods: 6,
    maxPeriods: 12,
    token: world.tokenAddress,
    startPrice: 500n,
    maxPrice: 1_000n,
    rampEpochs: 100,
    collateral: 3_001n,
    maxEgressPricePerGiB: 7n,
    replicas: 3,
    minStake: 0n,
    expires: 4_000_000_000n,
    repair: false,
    regions: [],
    dataUri: "https://client.example/piece",
    salt: ethers.zeroPadValue(ethers.toBeHex(++salt), 32),
    ...changes,
  };
  return request;
}

/** A request of the client's over a piece of its own, just posted. */
export async function postRequest(world: RequestsWorld, changes: Partial<StorageRequest> = {}) {
  const piece = await makePiece(1_000);
  const request = requestFor(world, piece, changes);
  await world.requests.connect(world.client).post(toSolidity(request));
  const id = requestIdOf(CHAIN_ID, world.requestsAddress, request);
  return { id, request, piece, posted: await latest(), call: toSolidity(request) };
}

export type Posted = Awaited<ReturnType<typeof postRequest>>;

/** As TypeChain wants it: arrays that could be written to. */
export const toSolidity = (request: StorageRequest) => ({ ...request, regions: [...request.regions] });

/** Terms that fill a replica; `changes` replace single members. */
export function offerFor(world: RequestsWorld, { request }: Posted, by: Account, changes: Partial<DealTerms> = {}) {
  const terms: DealTerms = {
    client: request.repair ? world.requestsAddress : request.client,
    provider: by.address,
    root: request.root,
    leafCount: request.leafCount,
    tier: request.tier,
    periods: request.periods,
    maxPeriods: request.maxPeriods,
    token: request.token,
    pricePerPeriod: request.startPrice,
    collateral: request.collateral,
    egressPricePerGiB: request.maxEgressPricePerGiB,
    validUntil: 4_000_000_000n,
    salt: ethers.zeroPadValue(ethers.toBeHex(++salt), 32),
    ...changes,
  };
  return terms;
}

/** Blocks until the request can be filled in the next one. */
export async function awaitFirstFill({ posted }: Posted): Promise<void> {
  const first = firstFillBlock(posted, FINALITY);
  if ((await latest()) < first - 1) await networkHelpers.mineUpTo(first - 1);
}

/** The proof of `provider`'s possession for a fill in the next block. */
export async function possession(world: RequestsWorld, { id, request, piece }: Posted, provider: string, slot = 0n) {
  const leaves = challengeIndices({
    chainId: CHAIN_ID,
    market: world.requestsAddress,
    dealId: fillQuestionId(id, slot, provider),
    window: 0,
    // As the next block sees it: the seed of the latest one is readable there.
    seed: await world.randomness.seed(possessionEpoch((await latest()) + 1), { blockTag: "pending" }),
    count: (TIERS[request.tier] as (typeof TIERS)[number]).challenges,
    leafCount: request.leafCount,
  });
  return hexlify(await piece.proofOf(leaves));
}

/** Sends a fill by `by`, as soon as one can be taken; the provider itself sends. */
export async function fill(
  world: RequestsWorld,
  posted: Posted,
  by: Account,
  { slot = 0n, ...changes }: Partial<DealTerms> & { slot?: bigint } = {},
) {
  await awaitFirstFill(posted);
  const terms = offerFor(world, posted, by, changes);
  const signature = await signTerms(by, world.domain, terms);
  const proof = await possession(world, posted, terms.provider, slot);
  return world.requests.connect(by).fill(posted.call, slot, terms, signature, proof);
}

/** A filled replica: its deal's id. */
export async function filled(...args: Parameters<typeof fill>): Promise<bigint> {
  const [world, posted, by] = args;
  await fill(...args);
  return world.requests.dealOf(posted.id, by.address);
}

/** The id that an offer has as a deal. */
export const offerId = (world: RequestsWorld, terms: DealTerms): bigint => dealIdOf(world.domain, terms);

/** Proves window k of a deal, early in it. */
export async function proveWindow(world: RequestsWorld, dealId: bigint, piece: Piece, k: number): Promise<void> {
  const [epoch] = await world.lens.windowOf(dealId, k);
  if ((await latest()) <= Number(epoch)) await networkHelpers.mineUpTo(Number(epoch) + 1);
  const { leaves } = await world.lens.challengeOf(dealId);
  await world.market.connect(world.stranger).prove(dealId, hexlify(await piece.proofOf(leaves)));
}

/** Mines until window k of a deal has closed for the next transaction. */
export async function closeWindow(world: RequestsWorld, dealId: bigint, k: number): Promise<void> {
  const [, lastBlock] = await world.lens.windowOf(dealId, k);
  if ((await latest()) < Number(lastBlock)) await networkHelpers.mineUpTo(Number(lastBlock));
}

/** What the contract owes for unfilled replicas, by its events alone. */
export async function liabilities({ requests }: RequestsWorld): Promise<bigint> {
  const perReplica = new Map<string, bigint>();
  let sum = 0n;
  for (const { args } of await requests.queryFilter(requests.filters.Posted)) {
    const each = args.request.maxPrice * args.request.periods;
    perReplica.set(`${args.id}:0`, each);
    sum += each * args.request.replicas;
  }
  for (const { args } of await requests.queryFilter(requests.filters.Reposted)) {
    const locked = args.maxPrice * args.periods;
    perReplica.set(`${args.id}:${args.slot}`, locked);
    sum += locked;
  }
  for (const { args } of await requests.queryFilter(requests.filters.Filled)) {
    sum -= perReplica.get(`${args.id}:${args.slot}`) ?? 0n;
  }
  for (const { args } of await requests.queryFilter(requests.filters.Refunded)) sum -= args.amount;
  return sum;
}

/** Escrow of `StorageRequests` as the vault has it, in the world's token. */
export const escrow = (world: RequestsWorld): Promise<bigint> =>
  world.vault.escrowOf(world.requestsAddress, world.tokenAddress);

/** Claims of `StorageRequests`, in the world's token. */
export const claims = (world: RequestsWorld): Promise<bigint> =>
  world.vault.balanceOf(world.requestsAddress, claim(world.tokenAddress));

/**
 * That every unit is where it belongs once all deals of the client's requests have ended: nothing is left with the
 * contract, and the client has paid what its deals cost, compensation apart.
 *
 * @param gifts - what others paid for extensions
 */
export async function settledUp(world: RequestsWorld, deals: readonly bigint[], gifts = 0n) {
  const totals = await Promise.all(deals.map((dealId) => world.lens.totalsOf(dealId)));
  const expected = totals.reduce((sum, t) => sum - t.funded + t.refunded + t.compensation, START + gifts);
  return {
    left: { escrow: await escrow(world), owed: await liabilities(world), claims: await claims(world) },
    client: (await world.vault.balanceOf(world.client, claim(world.tokenAddress))) - expected,
  };
}

/** What `settledUp` says where all is well. */
export const SETTLED = { left: { escrow: 0n, owed: 0n, claims: 0n }, client: 0n };
