/**
 * A provider's node from its parts: store, deal desk, HTTP.
 *
 * @packageDocumentation
 */
import { getAddress, type Provider, Wallet } from "ethers";
import type { Logger } from "pino";
import { connect, verifyDeployment } from "../chain/contracts.js";
import type { Deployment } from "../chain/deployment.js";
import { connectChain } from "../chain/provider.js";
import { chainTime } from "../chain/time.js";
import { FilePieceStore } from "../store/index.js";
import { DealDesk, type Policy } from "./deals.js";
import { type ListenOptions, type RunningNode, startNode } from "./server.js";

export interface ProviderOptions extends ListenOptions {
  /** Where pieces live. One process a folder. */
  readonly dataDir: string;
  /** JSON-RPC endpoint of the deployment's chain. */
  readonly rpcUrl: string;
  readonly deployment: Deployment;
  /** The provider's own key, or that of the signer registered for it. */
  readonly privateKey: string;
  /** The provider that deals are made for, where the key is its signer's; the key's own account by default. */
  readonly provider?: string;
  readonly policy: Policy;
  readonly logger: Logger;
  /** Closes the node when aborted, or stops its start. */
  readonly signal?: AbortSignal;
}

/**
 * Starts a provider node: opens its store, checks that the chain has the deployment, and serves. The provider has to
 * register and provision stake before a client can find it and the market takes its deals.
 *
 * @throws HoldfastError `LISTEN_FAILED`, `CHAIN_UNREACHABLE`, `WRONG_CHAIN`, `DEPLOYMENT_MISMATCH`
 * @throws the reason of `signal`, and what the file system throws
 * @example
 * const { url, close } = await startProvider({ dataDir, rpcUrl, deployment, privateKey, policy, logger });
 */
export async function startProvider(options: ProviderOptions): Promise<RunningNode> {
  const { rpcUrl, deployment, signal } = options;
  signal?.throwIfAborted();
  const chain = await connectChain(rpcUrl, deployment.chainId);
  try {
    await verifyDeployment(chain, deployment);
    const node = await serveProvider(options, chain);
    const close = async () => {
      signal?.removeEventListener("abort", close);
      await node.close();
      chain.destroy();
    };
    signal?.addEventListener("abort", close, { once: true });
    if (signal?.aborted) await close();
    signal?.throwIfAborted();
    return { url: node.url, close };
  } catch (error) {
    chain.destroy();
    throw error;
  }
}

async function serveProvider(options: ProviderOptions, chain: Provider): Promise<RunningNode> {
  const { dataDir, deployment, policy, logger, host, port } = options;
  const signer = new Wallet(options.privateKey);
  const store = await FilePieceStore.open(dataDir);
  const provider = getAddress(options.provider ?? signer.address);
  const desk = new DealDesk({
    provider,
    signer,
    deployment,
    contracts: connect(chain, deployment),
    store,
    policy: { ...policy, token: getAddress(policy.token) },
    now: () => chainTime(chain),
  });
  const listen = { ...(host === undefined ? {} : { host }), ...(port === undefined ? {} : { port }) };
  const node = await startNode({ store, desk, logger, maxPieceBytes: policy.maxPieceBytes, ...listen });
  logger.info({ url: node.url, provider, dataDir }, "provider node listens");
  return node;
}
