/**
 * A provider's node from its parts: store, deal desk, HTTP, and the keeper that proves its deals.
 *
 * @packageDocumentation
 */
import { statfs } from "node:fs/promises";
import { join } from "node:path";
import { getAddress, Wallet } from "ethers";
import type { Logger } from "pino";
import { type Chain, openChain } from "../chain/chain.js";
import type { Deployment } from "../chain/deployment.js";
import { TransactionSender } from "../chain/sender.js";
import { chainTime } from "../chain/time.js";
import { ProvingKeeper } from "../keeper/index.js";
import { FileBlockIndex, FilePieceStore } from "../store/index.js";
import { AmendmentDesk } from "./amendments.js";
import { DealDesk } from "./deals.js";
import type { FetchOptions } from "./fetching/index.js";
import { FillingKeeper, type FillingPolicy } from "./filling/index.js";
import { peerIdOf } from "./gateway/index.js";
import { MigrationDesk } from "./migrations.js";
import type { Policy } from "./offers.js";
import { PromisedPieces } from "./promised.js";
import { PullDesk } from "./pulls.js";
import { type ListenOptions, type RunningNode, startNode } from "./server.js";

export interface ProviderOptions extends ListenOptions {
  /** Where pieces live. One process a folder. */
  readonly dataDir: string;
  /** JSON-RPC endpoint of the deployment's chain. */
  readonly rpcUrl: string;
  readonly deployment: Deployment;
  /** The provider's own key, or that of the signer registered for it. Signs deals, and pays for proofs. */
  readonly privateKey: string;
  /** The provider that deals are made for, where the key is its signer's; the key's own account by default. */
  readonly provider?: string;
  readonly policy: Policy;
  /** Whether it proves its deals as well; true by default. False where a keeper elsewhere does. */
  readonly proving?: boolean;
  /** Fills requests of the open market, where it is set: what it takes, and how it fetches. */
  readonly filling?: FillingPolicy;
  /** Milliseconds between looks at the chain; 1,000 by default. */
  readonly pollMs?: number;
  /** How pieces are fetched from elsewhere: for requests, and for deals that move here. */
  readonly fetching?: FetchOptions;
  /** Origin that IPFS clients are told to reach this node at; the address that their request came to by default. */
  readonly publicUrl?: string;
  readonly logger: Logger;
  /** Closes the provider when aborted, or stops its start. */
  readonly signal?: AbortSignal;
}

export interface RunningProvider extends RunningNode {
  /** What proves its deals, for its events; undefined where it was told not to. */
  readonly keeper: ProvingKeeper | undefined;
  /** What fills requests, for its events; undefined where it was not told to. */
  readonly filler: FillingKeeper | undefined;
  /** Stops serving and proving; resolves when both are over. May be called again. */
  close(): Promise<void>;
}

/**
 * Starts a provider: opens its store, checks that the chain has the deployment, serves, and proves. The provider has to
 * register and provision stake before a client can find it and the market takes its deals.
 *
 * @throws HoldfastError `LISTEN_FAILED`, `CHAIN_UNREACHABLE`, `WRONG_CHAIN`, `DEPLOYMENT_MISMATCH`, `INVALID_REGION`,
 *   `INVALID_POLICY`, `INVALID_PUBLIC_URL`
 * @throws the reason of `signal`, and what the file system throws
 * @example
 * const { url, close } = await startProvider({ dataDir, rpcUrl, deployment, privateKey, policy, logger });
 */
export async function startProvider(options: ProviderOptions): Promise<RunningProvider> {
  const { rpcUrl, deployment, logger, signal, pollMs } = options;
  signal?.throwIfAborted();
  const chain = await openChain(rpcUrl, deployment, { logger, ...(pollMs === undefined ? {} : { pollMs }) });
  try {
    const running = await runOn(chain, options);
    if (!signal) return running;
    const onAbort = () => void running.close();
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) await running.close();
    signal.throwIfAborted();
    return running;
  } catch (error) {
    chain.provider.destroy();
    throw error;
  }
}

async function runOn(chain: Chain, options: ProviderOptions): Promise<RunningProvider> {
  const { dataDir, policy, logger, host, port, deployment, proving = true, filling, fetching = {}, pollMs } = options;
  const { publicUrl } = options;
  const signer = new Wallet(options.privateKey, chain.provider);
  const provider = getAddress(options.provider ?? signer.address);
  const store = await FilePieceStore.open(dataDir);
  const index = await FileBlockIndex.open(join(dataDir, "blocks"), { store, logger });
  const offered = { ...policy, token: getAddress(policy.token) };
  const promised = new PromisedPieces();
  const counter = {
    provider,
    signer,
    deployment,
    contracts: chain.contracts,
    store,
    policy: offered,
    promised,
    now: () => chainTime(chain.provider),
  };
  const desk = new DealDesk(counter);
  const { maxPieceBytes } = policy;
  const pulls = new PullDesk({ provider, contracts: chain.contracts, store, maxPieceBytes, fetching, logger });
  const head = () => chain.provider.getBlockNumber();
  const amendments = new AmendmentDesk({ ...counter, head });
  const migrations = new MigrationDesk({ ...counter, desk, head });
  const changes = { amendments, migrations, pulls };
  const listen = { ...(host === undefined ? {} : { host }), ...(port === undefined ? {} : { port }) };
  const gateway = { index, peerId: peerIdOf(signer.signingKey.publicKey), ...(publicUrl && { publicUrl }) };
  const node = await startOrClose(index, { store, desk, changes, gateway, logger, maxPieceBytes, ...listen });
  logger.info({ url: node.url, provider, dataDir, proving }, "provider listens");
  const stop = new AbortController();
  const poll = pollMs === undefined ? {} : { pollMs };
  const sender = new TransactionSender({ provider: chain.provider, signer, logger, ...poll });
  const shared = { chain, sender, provider, logger };
  const keeper = proving ? new ProvingKeeper({ ...shared, pieces: store }) : undefined;
  const freeBytes = () => freeBytesAt(dataDir);
  const filler =
    filling &&
    new FillingKeeper({ ...shared, ...filling, signer, store, policy: offered, promised, freeBytes, fetching });
  const kept = [keeper, filler].map((service) =>
    service?.run(stop.signal).catch((error) => logger.error({ err: error }, "a keeper has stopped")),
  );
  const close = async () => {
    stop.abort();
    await Promise.all([node.close(), pulls.close(), index.close(), ...kept]);
    chain.provider.destroy();
  };
  return { url: node.url, keeper, filler, close };
}

async function startOrClose(index: FileBlockIndex, options: Parameters<typeof startNode>[0]): Promise<RunningNode> {
  try {
    return await startNode(options);
  } catch (error) {
    await index.close();
    throw error;
  }
}

async function freeBytesAt(dir: string): Promise<number> {
  const { bavail, bsize } = await statfs(dir);
  return bavail * bsize;
}
