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
  const provider = open(url, chainId, options);
  try {
    const actual = await askChainId(provider, url);
    if (actual !== chainId) throw wrongChain(url, actual, chainId);
    return provider;
  } catch (error) {
    provider.destroy();
    throw error;
  }
}

/**
 * The id of the chain that an endpoint serves.
 *
 * @param url - `http:` or `https:`.
 * @throws {HoldfastError} `CHAIN_UNREACHABLE`.
 */
export async function chainIdAt(url: string): Promise<number> {
  // The id given here is never sent, nor compared with the answer.
  const provider = open(url, 1, {});
  try {
    return await askChainId(provider, url);
  } finally {
    provider.destroy();
  }
}

function open(url: string, chainId: number, options: ChainProviderOptions): JsonRpcProvider {
  const request = new FetchRequest(url);
  request.timeout = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  return new JsonRpcProvider(request, Network.from(chainId), {
    staticNetwork: true,
    cacheTimeout: -1,
    pollingInterval: options.pollingMs ?? DEFAULT_POLLING_MS,
  });
}

async function askChainId(provider: JsonRpcProvider, url: string): Promise<number> {
  try {
    return Number(await provider.send("eth_chainId", []));
  } catch (cause) {
    throw new HoldfastError(
      "CHAIN_UNREACHABLE",
      `The node at ${new URL(url).origin} does not answer`,
      "Check the address, and that the node is running and lets this machine in.",
      { cause },
    );
  }
}

function wrongChain(url: string, actual: number, expected: number): HoldfastError {
  return new HoldfastError(
    "WRONG_CHAIN",
    `The node at ${new URL(url).origin} serves chain ${actual}, not ${expected}`,
    "Use a node of the deployment's chain, or the deployment of the node's chain.",
  );
}
