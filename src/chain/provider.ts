/** A JSON-RPC endpoint, set up so that an answer is never older than the question. */
import { FetchRequest, JsonRpcProvider, Network } from "ethers";
import { HoldfastError } from "../errors.js";

export interface ChainProviderOptions {
  /** Milliseconds that a request may take; 15,000 by default. */
  readonly timeoutMs?: number;
  /** Milliseconds between polls of ethers' own subscriptions (`tx.wait()`); 250 by default. */
  readonly pollingMs?: number;
}

const DEFAULT_TIMEOUT_MS = 15_000;
const DEFAULT_POLLING_MS = 250;

/**
 * Connects to a JSON-RPC endpoint and asks it for its chain id.
 *
 * ethers answers a question that was asked a quarter of a second ago from memory by default; a nonce or a block number
 * from memory loses money here, so that is off.
 *
 * @param url - `http:` or `https:`.
 * @param chainId - The chain that it has to be.
 * @throws {HoldfastError} `CHAIN_UNREACHABLE` where it doesn't answer, `WRONG_CHAIN` where it serves another chain.
 *
 * @example
 * ```ts
 * const provider = await connectChain("http://127.0.0.1:8545", deployment.chainId);
 * ```
 */
export async function connectChain(
  url: string,
  chainId: number,
  options: ChainProviderOptions = {},
): Promise<JsonRpcProvider> {
  const request = new FetchRequest(url);
  request.timeout = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const provider = new JsonRpcProvider(request, Network.from(chainId), {
    staticNetwork: true,
    cacheTimeout: -1,
    pollingInterval: options.pollingMs ?? DEFAULT_POLLING_MS,
  });
  try {
    await requireChainId(provider, url, chainId);
    return provider;
  } catch (error) {
    provider.destroy();
    throw error;
  }
}

async function requireChainId(provider: JsonRpcProvider, url: string, chainId: number): Promise<void> {
  let actual: number;
  try {
    actual = Number(await provider.send("eth_chainId", []));
  } catch (cause) {
    throw new HoldfastError(
      "CHAIN_UNREACHABLE",
      `The node at ${new URL(url).origin} does not answer`,
      "Check the address, and that the node is running and lets this machine in.",
      { cause },
    );
  }
  if (actual === chainId) return;
  throw new HoldfastError(
    "WRONG_CHAIN",
    `The node at ${new URL(url).origin} serves chain ${actual}, not ${chainId}`,
    "Use a node of the deployment's chain, or the deployment of the node's chain.",
  );
}
