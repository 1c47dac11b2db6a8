/**
 * A policy on a chain: tiers by name become rows of the market's table, amounts become base units.
 *
 * @packageDocumentation
 */
import { ZeroAddress } from "ethers";
import type { Chain } from "../../chain/chain.js";
import { tierIndex } from "../../chain/tiers.js";
import { parseAmountOf, readToken, readTokens, type Token } from "../../client/tokens.js";
import { HoldfastError } from "../../errors.js";
import type { RestoreLimits } from "../../keeper/index.js";
import type { PeerLimits } from "../admission.js";
import type { FillingPolicy } from "../filling/index.js";
import type { Policy } from "../offers.js";
import type { PolicyFile } from "./file.js";

/** What a node takes, and from whom. */
export interface NodePolicy {
  readonly policy: Policy;
  readonly peers: PeerLimits;
  /** Milliseconds that a piece may be here without a deal. */
  readonly graceMs?: number;
  /** Milliseconds that a piece stays when its last deal is over. */
  readonly keepMs?: number;
  /** Undefined where it does not look for requests. */
  readonly filling?: FillingPolicy;
}

/** What sending may cost, in wei. */
export interface GasPolicy {
  readonly maxFeePerGas?: bigint;
  readonly maxCost?: bigint;
  readonly leastBalance?: bigint;
}

const GWEI = { symbol: "gwei", decimals: 9 };
const DEFAULT_MOST = 32 * 2 ** 30;
const DEFAULT_PERIODS = 1_000;

type Readable = Pick<Chain, "provider" | "deployment">;

/**
 * What a policy says of the node.
 *
 * @throws HoldfastError `POLICY_INCOMPLETE` where it offers nothing, `UNKNOWN_TIER`, `INVALID_AMOUNT`
 */
export async function nodePolicy(file: PolicyFile, chain: Readable): Promise<NodePolicy> {
  const token = await readToken(chain.provider, file.token ?? chain.deployment.stakeToken);
  const { pieces, periods, regions, clients, space, requests, connections, proxies } = file;
  const minFree = given("minFreeBytes", space.keepFree);
  return {
    policy: {
      token: token.address,
      ...given("minPieceBytes", pieces?.least),
      maxPieceBytes: pieces?.most ?? DEFAULT_MOST,
      ...given("minPeriods", periods?.least),
      maxPeriods: periods?.most ?? DEFAULT_PERIODS,
      ...given("regions", regions),
      ...given("clients", clients),
      tiers: tiersOf(file, chain, token),
    },
    peers: {
      ...minFree,
      ...given("maxUnpaidBytes", space.unpaid),
      ...given("maxPeerBytes", space.unpaidOfPeer),
      ...given("maxPeerUploads", space.uploadsOfPeer),
      ...given("maxConnections", connections.most),
      ...given("maxPeerConnections", connections.ofPeer),
      ...given("maxPeerRequests", connections.requestsOfPeer),
      ...given("trustedProxies", proxies),
    },
    ...given("graceMs", space.unpaidFor),
    ...given("keepMs", space.endedFor),
    ...given("filling", requests && { ...fillingOf(requests, token), ...minFree }),
  };
}

/** What a policy says of making misses good. @throws HoldfastError `INVALID_AMOUNT` */
export async function restoreLimits({ restore }: PolicyFile, chain: Readable): Promise<RestoreLimits | undefined> {
  if (restore === undefined) return undefined;
  const { missesPerDeal, stake } = restore;
  return { missesPerDeal, stake: await amountsOf(stake, chain) };
}

/** What a policy says of gas. @throws HoldfastError `INVALID_AMOUNT` */
export async function gasPolicy({ gas }: PolicyFile, { provider }: Readable): Promise<GasPolicy> {
  const coin = await readToken(provider, ZeroAddress);
  return {
    ...given("maxFeePerGas", gas.maxFee === undefined ? undefined : parseAmountOf(gas.maxFee, { ...coin, ...GWEI })),
    ...given("maxCost", gas.maxCost === undefined ? undefined : parseAmountOf(gas.maxCost, coin)),
    ...given("leastBalance", gas.leastBalance === undefined ? undefined : parseAmountOf(gas.leastBalance, coin)),
  };
}

/** Amounts by token, in base units. @throws HoldfastError `INVALID_AMOUNT` */
export async function amountsOf(
  amounts: Readonly<Record<string, string>>,
  { provider }: Pick<Chain, "provider">,
): Promise<ReadonlyMap<string, bigint>> {
  const tokens = await readTokens(provider, Object.keys(amounts));
  return new Map(Object.entries(amounts).map(([token, text]) => [token, parseAmountOf(text, tokens.get(token)!)]));
}

function tiersOf({ tiers = {} }: PolicyFile, { deployment }: Readable, token: Token): Policy["tiers"] {
  const offers = Object.entries(tiers).map(([name, { price, egress, collateral }]) => ({
    tier: tierIndex(name, deployment),
    pricePerGiBPerPeriod: parseAmountOf(price, token).toString(),
    egressPricePerGiB: parseAmountOf(egress, token).toString(),
    collateralRatio: collateral,
  }));
  if (offers.length === 0) throw incomplete("it has no tiers: nothing is offered");
  const twice = offers.find(({ tier }, i) => offers.findIndex((one) => one.tier === tier) !== i);
  if (twice !== undefined) throw incomplete(`tier ${twice.tier} is there twice, by name and by index`);
  return offers;
}

function fillingOf(requests: NonNullable<PolicyFile["requests"]>, token: Token): FillingPolicy {
  return {
    coinPrice: parseAmountOf(requests.coinPrice, token),
    ...given("prefetchBlocks", requests.prefetchBlocks),
    ...given("maxFetches", requests.fetches),
    ...given("maxSpeculativeBytes", requests.speculative),
    ...given("fetchTries", requests.tries),
  };
}

/** A member, where there is a value for it. */
function given<K extends string, V>(name: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [P in K]: V });
}

function incomplete(what: string): HoldfastError {
  return new HoldfastError("POLICY_INCOMPLETE", `the policy can't be used: ${what}`, "see docs/policy.md");
}
