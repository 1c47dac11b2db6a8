/** The provider that services have: several endpoints of one chain, each verified before it is asked anything else. */
import { HoldfastError } from "../errors.js";
import { verifyDeployment } from "./contracts.js";
import type { Deployment } from "./deployment.js";
import type { Endpoint, EndpointHealth } from "./endpoint.js";
import { Endpoints, type EndpointsOptions } from "./endpoints.js";
import { noAnswer, RpcProvider } from "./rpc-provider.js";

export interface PoolOptions extends Omit<EndpointsOptions, "chainId" | "verify"> {
  /** Milliseconds between polls of ethers' own subscriptions (`tx.wait()`); 250 by default. */
  readonly pollingMs?: number;
}

const DEFAULT_POLLING_MS = 250;

/**
 * An ethers provider over several endpoints; see {@link openPool}. What it does with each question, and with an endpoint that
 * fails, lags or lies, is in docs/endpoints.md.
 */
export class PoolProvider extends RpcProvider {
  readonly #endpoints: Endpoints;

  constructor(endpoints: Endpoints, chainId: number, pollingMs: number) {
    super((question) => endpoints.ask(question), chainId, pollingMs);
    this.#endpoints = endpoints;
  }

  /** How each endpoint does, in the order that they were given in. */
  endpoints(): EndpointHealth[] {
    return this.#endpoints.health();
  }

  /** How many transactions of an account each endpoint counts in blocks, the lowest first. */
  transactionCounts(account: string): Promise<number[]> {
    return this.#endpoints.transactionCounts(account);
  }

  override destroy(): void {
    this.#endpoints.close();
    super.destroy();
  }
}

/**
 * Opens endpoints of a deployment's chain. Each is compared with the deployment before it is used; it is enough that one
 * of them passes.
 *
 * @param urls - JSON-RPC endpoints, `http:` or `https:`.
 * @throws {HoldfastError} `INVALID_ENDPOINT`; where no endpoint may be used, `CHAIN_UNREACHABLE`, `WRONG_CHAIN`,
 *   `DEPLOYMENT_MISMATCH`.
 *
 * @example
 * ```ts
 * const provider = await openPool(["https://one.example/key", "http://127.0.0.1:8545"], deployment, { logger });
 * console.table(provider.endpoints());
 * provider.destroy();
 * ```
 */
export function openPool(urls: readonly string[], deployment: Deployment, options: PoolOptions): Promise<PoolProvider> {
  const { chainId } = deployment;
  return opened(urls, { ...options, chainId, verify: (endpoint) => verifyAt(endpoint, deployment) });
}

/**
 * Opens endpoints of a chain that has no deployment yet: each is asked for its chain id only.
 *
 * @throws {HoldfastError} `INVALID_ENDPOINT`; where no endpoint may be used, `CHAIN_UNREACHABLE`, `WRONG_CHAIN`.
 */
export function openBarePool(urls: readonly string[], chainId: number, options: PoolOptions): Promise<PoolProvider> {
  return opened(urls, { ...options, chainId });
}

async function opened(
  urls: readonly string[],
  { pollingMs = DEFAULT_POLLING_MS, ...options }: EndpointsOptions & Pick<PoolOptions, "pollingMs">,
): Promise<PoolProvider> {
  const endpoints = new Endpoints(urls, options);
  const provider = new PoolProvider(endpoints, options.chainId, pollingMs);
  try {
    await endpoints.open();
    return provider;
  } catch (error) {
    provider.destroy();
    throw error;
  }
}

async function verifyAt(endpoint: Endpoint, deployment: Deployment): Promise<void> {
  const only = new RpcProvider(
    async (question) => {
      const outcome = await endpoint.insist(question);
      if (outcome.kind === "answer" || outcome.kind === "lacking") return outcome.answer;
      if (outcome.kind === "fault") throw noAnswer(endpoint.name, question.method, outcome.fault);
      throw new HoldfastError("STALE_HEAD", `${endpoint.name} is behind`, "Wait until it has caught up.");
    },
    deployment.chainId,
    DEFAULT_POLLING_MS,
  );
  try {
    await verifyDeployment(only, deployment);
  } finally {
    only.destroy();
  }
}
