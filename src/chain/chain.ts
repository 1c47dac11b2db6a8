/** One chain with one Holdfast on it, as services take it. */
import type { JsonRpcProvider } from "ethers";
import type { Logger } from "pino";
import type { Clock } from "./clock.js";
import { type Contracts, connect, verifyDeployment } from "./contracts.js";
import type { Deployment } from "./deployment.js";
import { BlockFollower } from "./follower.js";
import { connectChain } from "./provider.js";

export interface Chain {
  readonly provider: JsonRpcProvider;
  readonly deployment: Deployment;
  /** For reading. */
  readonly contracts: Contracts;
  readonly follower: BlockFollower;
}

export interface OpenChainOptions {
  readonly logger: Logger;
  readonly clock?: Clock;
  /** Milliseconds between polls for a new head; 1,000 by default. */
  readonly pollMs?: number;
}

/**
 * Connects to a node and checks that it has the deployment. Call `provider.destroy()` when done.
 *
 * @param url - JSON-RPC endpoint.
 * @throws {HoldfastError} `CHAIN_UNREACHABLE`, `WRONG_CHAIN`, `DEPLOYMENT_MISMATCH`.
 *
 * @example
 * ```ts
 * const chain = await openChain("http://127.0.0.1:8545", await readDeployment(path), { logger });
 * ```
 */
export async function openChain(url: string, deployment: Deployment, options: OpenChainOptions): Promise<Chain> {
  const provider = await connectChain(url, deployment.chainId);
  try {
    await verifyDeployment(provider, deployment);
  } catch (error) {
    provider.destroy();
    throw error;
  }
  const contracts = connect(provider, deployment);
  return { provider, deployment, contracts, follower: new BlockFollower({ provider, ...options }) };
}
