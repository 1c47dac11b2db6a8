/**
 * What it would cost to store a piece, and with whom: the offers of all providers, checked and ranked.
 *
 * @packageDocumentation
 */
import { getAddress, type Provider, ZeroAddress } from "ethers";
import { ChainError } from "../chain/errors.js";
import { chainTime } from "../chain/time.js";
import { HoldfastError } from "../errors.js";
import { regionBytes } from "../protocol/index.js";
import { type Inquiry, type Offered, offeredBy, type QuoteWishes } from "./candidates.js";
import { mapLimited } from "./concurrency.js";
import type { DealReader } from "./deals.js";
import { ask } from "./funds.js";
import { DealHistory } from "./history.js";
import { unreachable } from "./http.js";
import { askOffers, type Listed, listedForTier, listedProviders, listedUrls } from "./offers.js";
import { compareRanked, NO_RECORD, type Ranked, readRecords } from "./records.js";
import { checkWishes } from "./wishes.js";

export interface QuoteOptions {
  /** What was read of the market's deals before; read from its beginning by default. */
  readonly history?: Pick<DealHistory, "deals">;
  /** Milliseconds for one node, to the last byte of its answer, and as many to check that; 5,000 by default. */
  readonly nodeMs?: number;
  /** Milliseconds for all nodes; 20,000 by default. Those that were not asked by then are left out. */
  readonly allMs?: number;
}

/** An offer that is what was wished for, with what its provider has shown so far. */
export type Candidate = Offered & Ranked;

/** A provider that is not in a quote, and why. */
export interface LeftOut {
  /** Undefined where only a URL was named. */
  readonly provider: string | undefined;
  readonly url: string;
  /**
   * `NOT_OFFERED`: what it offers is not what was wished for. `OFFER_INVALID`, `INSUFFICIENT_STAKE`: not to be taken
   * seriously. `PROVIDER_UNREACHABLE`, `PROVIDER_REFUSED`, `INVALID_REQUEST`: no answer, or none that makes sense.
   */
  readonly code: string;
  readonly reason: string;
}

export interface Quote {
  /** What is paid with. */
  readonly token: string;
  /** Everything that would do, best first. A provider is there twice where it was named by two URLs. */
  readonly candidates: readonly Candidate[];
  /** The best for the replicas, each a provider of its own; fewer than wished for where there are not more. */
  readonly best: readonly Candidate[];
  /** Base units that `best` costs together. */
  readonly cost: bigint;
  readonly leftOut: readonly LeftOut[];
  /** Wei that settling a miss of one deal alone costs at the present gas price: a bounty worth less moves no keeper. */
  readonly settleCost: bigint;
  /** Set where the market's past could not be read: the ranking is by price alone then. */
  readonly recordsMissing: string | undefined;
}

/** A settlement that slashes one miss of one deal, rounded up (docs/benchmarks.md, `settle.slash`). */
const SETTLE_GAS = 100_000n;
const ASKED_AT_ONCE = 32;
const NODE_MS = 5_000;
const ALL_MS = 20_000;
const MAX_REPLICAS = 255;
/** Wei of a whole native coin. */
const COIN = 10n ** 18n;

type Answer = { readonly offered: Offered } | { readonly leftOut: LeftOut };

/**
 * Collects the offers of all providers and ranks those that fit, by {@link compareRanked}. Nothing is sent, and nobody is
 * bound.
 *
 * No provider can hold it up or break it: each has its time and its bytes, and what is wrong with one is said in
 * `leftOut`. Those with the most free stake are asked first, so that a crowd without stake takes no time from them.
 *
 * @param reader - contracts that are connected to a provider, and their deployment
 * @throws HoldfastError `UNKNOWN_TIER`, `INVALID_PERIODS`, `INVALID_COPIES`, `INVALID_REGION`
 * @throws ChainError where the chain can't be asked, or knows no provider of an address that was named
 * @example
 * const { best, cost } = await quote({ contracts, deployment }, { size: 10n << 20n, tier: 1, periods: 30, replicas: 3 });
 */
export async function quote(reader: DealReader, wishes: QuoteWishes, options: QuoteOptions = {}): Promise<Quote> {
  const inquiry = await prepare(reader, wishes);
  const { history = new DealHistory(reader), nodeMs = NODE_MS, allMs = ALL_MS } = options;
  const listed = await list(inquiry);
  const all = AbortSignal.timeout(allMs);
  const answers = await mapLimited(listed, ASKED_AT_ONCE, (node) => answerOf(inquiry, node, nodeMs, all));
  const offered = answers.flatMap((answer) => ("offered" in answer ? [answer.offered] : []));
  const { candidates, recordsMissing } = await rank(offered, history, reader.deployment.requests);
  const best = bestOf(candidates, wishes.replicas ?? 1);
  return {
    token: inquiry.token,
    candidates,
    best,
    cost: best.reduce((sum, { cost }) => sum + cost, 0n),
    leftOut: answers.flatMap((answer) => ("leftOut" in answer ? [answer.leftOut] : [])),
    settleCost: SETTLE_GAS * (await ask("read the gas price", gasPrice(inquiry.chain))),
    recordsMissing,
  };
}

/**
 * Whether the bounty for a miss pays for the gas of its settlement, at the present price of gas. Where it doesn't, nobody
 * but owner and provider will settle (PROTOCOL section 6).
 *
 * @param coinPrice - base units of the quote's token that a whole native coin (10^18 wei) is worth; not needed where that
 *   is the token
 * @returns undefined where it can't be known without `coinPrice`
 */
export function paysToSettle(
  { bounty }: Pick<Candidate, "bounty">,
  { token, settleCost }: Pick<Quote, "token" | "settleCost">,
  coinPrice?: bigint,
): boolean | undefined {
  const price = token === ZeroAddress ? COIN : coinPrice;
  return price === undefined ? undefined : bounty * COIN >= settleCost * price;
}

async function prepare(reader: DealReader, wishes: QuoteWishes): Promise<Inquiry> {
  const { contracts, deployment } = reader;
  const tier = checkWishes(deployment, wishes);
  const { replicas = 1, exclude = [], regions = [] } = wishes;
  checkReplicas(replicas);
  const chain = contracts.market.runner?.provider as Provider;
  return {
    reader,
    chain,
    wishes,
    tier,
    token: getAddress(wishes.token ?? deployment.stakeToken),
    regions: regions.map(regionBytes),
    excluded: new Set(exclude.map((provider) => getAddress(provider))),
    now: await ask("read the time", chainTime(chain)),
  };
}

/** @throws HoldfastError `INVALID_COPIES` */
export function checkReplicas(replicas: number): void {
  if (Number.isInteger(replicas) && replicas >= 1 && replicas <= MAX_REPLICAS) return;
  throw new HoldfastError("INVALID_COPIES", `${replicas} copies can't be stored`, `store 1 to ${MAX_REPLICAS}`);
}

/** Whom to ask, those with the most free stake first. */
async function list({ reader, wishes, token, excluded }: Inquiry): Promise<Listed[]> {
  const { urls, providers, tier } = wishes;
  if (urls) return listedUrls(urls);
  const listed = await (providers ? listedProviders(reader, providers) : listedForTier(reader, tier));
  const { registry } = reader.contracts;
  const staked = await mapLimited(listed, ASKED_AT_ONCE, async (node) => {
    const reading = registry.provisionOf(node.provider as string, reader.deployment.market, token);
    const { free } = await ask("read a provider's stake", reading);
    return { node, free };
  });
  return staked
    .filter(({ node }) => !excluded.has(node.provider as string))
    .sort((a, b) => (a.free > b.free ? -1 : a.free < b.free ? 1 : 0))
    .map(({ node }) => node);
}

async function answerOf(inquiry: Inquiry, node: Listed, nodeMs: number, all: AbortSignal): Promise<Answer> {
  const { provider, url } = node;
  const limit = () => AbortSignal.any([all, AbortSignal.timeout(nodeMs)]);
  try {
    const page = await askOffers(node, limit());
    return { offered: await inTime(offeredBy(inquiry, node, page), url, limit()) };
  } catch (error) {
    // Also where the chain can't tell: a provider that is a contract may burn all the gas that a question has.
    if (!(error instanceof HoldfastError)) throw error;
    return { leftOut: { provider, url, code: error.code, reason: error.message } };
  }
}

/** A provider that is a contract decides how long the chain's node works on its signature. */
function inTime<T>(work: Promise<T>, url: string, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(unreachable(url, "has an offer that takes too long to check", signal.reason));
    if (signal.aborted) giveUp();
    signal.addEventListener("abort", giveUp, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", giveUp));
  });
}

async function rank(
  offered: readonly Offered[],
  history: Pick<DealHistory, "deals">,
  requests: string,
): Promise<Pick<Quote, "candidates" | "recordsMissing">> {
  const providers = new Set(offered.map(({ provider }) => provider));
  const add = (records: ReadonlyMap<string, Ranked["record"]>) =>
    offered.map((one) => ({ ...one, record: records.get(one.provider) ?? NO_RECORD })).sort(compareRanked);
  try {
    return { candidates: add(await readRecords(history, providers, requests)), recordsMissing: undefined };
  } catch (error) {
    // Many public endpoints keep no old logs: that is no reason to store nothing.
    if (!(error instanceof ChainError)) throw error;
    return { candidates: add(new Map()), recordsMissing: error.message };
  }
}

function bestOf(candidates: readonly Candidate[], replicas: number): Candidate[] {
  const best = new Map<string, Candidate>();
  for (const candidate of candidates) if (!best.has(candidate.provider)) best.set(candidate.provider, candidate);
  return [...best.values()].slice(0, replicas);
}

async function gasPrice(chain: Provider): Promise<bigint> {
  return (await chain.getFeeData()).gasPrice ?? 0n;
}
