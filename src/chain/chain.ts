/** One chain with one Holdfast on it, as services take it. */
import type { JsonRpcApiProvider } from "ethers";
import type { Logger } from "pino";
import { isDevelopmentChain, measureBlockSeconds } from "./block-time.js";
import type { Clock } from "./clock.js";
import { type Contracts, connect } from "./contracts.js";
import type { Deployment } from "./deployment.js";
import type { EndpointHealth } from "./endpoint.js";
import { BlockFollower } from "./follower.js";
import { HeadWatch } from "./head-watch.js";
import { openPool, type PoolOptions, type PoolProvider } from "./pool-provider.js";

export interface Chain {
  readonly provider: JsonRpcApiProvider;
  readonly deployment: Deployment;
  /** For reading. */
  readonly contracts: Contracts;
  readonly follower: BlockFollower;
  /** How each endpoint does, in the order that they were named in. */
  readonly endpoints?: () => EndpointHealth[];
}

export interface OpenChainOptions extends Omit<PoolOptions, "pollingMs"> {
  readonly logger: Logger;
  readonly clock?: Clock;
  /** Milliseconds between polls for a new head; 1,000 by default. */
  readonly pollMs?: number;
  /** Block times after which a head is stale; by default 10, a minute at least, and never on a developer's own chain. */
  readonly maxHeadBlocks?: number;
}

/**
 * Connects to one or more nodes, and checks that each has the deployment before it is used. Call `provider.destroy()` when
 * done.
 *
 * On any chain but a developer's own, keepers refuse to act on a head that is stale: see `HeadWatch`.
 *
 * @param urls - JSON-RPC endpoints; one that fails, lags or serves another chain is passed over while there is another.
 * @throws {HoldfastError} `INVALID_ENDPOINT`; where no endpoint may be used, `CHAIN_UNREACHABLE`, `WRONG_CHAIN`,
 *   `DEPLOYMENT_MISMATCH`.
 *
 * @example
 * ```ts
 * const chain = await openChain(["http://127.0.0.1:8545", spare], await readDeployment(path), { logger });
 * ```
 */
export async function openChain(
  urls: string | readonly string[],
  deployment: Deployment,
  options: OpenChainOptions,
): Promise<Chain> {
  // A developer's own chain is wound back at will, and is one node.
  const forget = isDevelopmentChain(deployment.chainId) ? { forgetHeadMs: 0 } : {};
  const list = typeof urls === "string" ? [urls] : urls;
  const provider = await openPool(list, deployment, { ...forget, ...options });
  try {
    const contracts = connect(provider, deployment);
    const watch = await watchFor(provider, deployment, options);
    const follower = new BlockFollower({ provider, ...options, ...(watch === undefined ? {} : { watch }) });
    return { provider, deployment, contracts, follower, endpoints: () => provider.endpoints() };
  } catch (error) {
    provider.destroy();
    throw error;
  }
}

async function watchFor(
  provider: PoolProvider,
  { chainId }: Deployment,
  { clock, maxHeadBlocks }: OpenChainOptions,
): Promise<HeadWatch | undefined> {
  if (maxHeadBlocks === undefined && isDevelopmentChain(chainId)) return undefined;
  const blockSeconds = await measureBlockSeconds(provider);
  const limit = maxHeadBlocks === undefined ? {} : { maxBlocks: maxHeadBlocks, leastSeconds: 0 };
  return new HeadWatch({ blockSeconds, ...limit, ...(clock === undefined ? {} : { clock }) });
}
