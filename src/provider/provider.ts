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
import type { Journal } from "../chain/journal.js";
import { TransactionSender } from "../chain/sender.js";
import { chainTime } from "../chain/time.js";
import { keepSending, ProvingKeeper } from "../keeper/index.js";
import { type Database, DatabasePieceIndex, DatabaseUnpaidNotes } from "../store/database/index.js";
import { BlobPieceStore, type BlobStore, FileBlockIndex, type PieceIndex } from "../store/index.js";
import type { PeerLimits } from "./admission.js";
import { AmendmentDesk } from "./amendments.js";
import { DealDesk } from "./deals.js";
import type { FetchOptions } from "./fetching/index.js";
import { FillingKeeper, type FillingPolicy } from "./filling/index.js";
import { peerIdOf } from "./gateway/index.js";
import { MigrationDesk } from "./migrations.js";
import type { Policy } from "./offers.js";
import { PullDesk } from "./pulls.js";
import { type ListenOptions, type RunningNode, startNode } from "./server.js";
import { UnpaidKeeper, UnpaidPieces } from "./unpaid/index.js";

export interface ProviderOptions extends ListenOptions {
  /** Where uploads arrive, and where pieces live that no `blobs` are given for. One process a folder. */
  readonly dataDir: string;
  /** What is known of them. Nodes that share a Postgres and a bucket share their pieces. Whoever opened it closes it. */
  readonly database: Database;
  /** Where the bytes of pieces live; files in `dataDir` by default. Whoever opened it closes it. */
  readonly blobs?: BlobStore;
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
  /** Where what it sends is written down before; in memory by default, where a crash loses it. */
  readonly journal?: Journal;
  /** Milliseconds between looks at the chain; 1,000 by default. */
  readonly pollMs?: number;
  /** How pieces are fetched from elsewhere: for requests, and for deals that move here. */
  readonly fetching?: FetchOptions;
  /** What strangers may leave here before anybody pays. */
  readonly peers?: PeerLimits;
  /** Milliseconds that a piece may be here without a deal; an hour by default. */
  readonly graceMs?: number;
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
 *   `INVALID_POLICY`, `INVALID_PUBLIC_URL`, `BLOBS_UNREACHABLE`, `BLOBS_REFUSED`
 * @throws the reason of `signal`, and what the file system and the database throw
 * @example
 * const { url, close } = await startProvider({ dataDir, database, rpcUrl, deployment, privateKey, policy, logger });
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

/** What the parts of a node share. */
interface Parts {
  readonly chain: Chain;
  readonly signer: Wallet;
  readonly provider: string;
  readonly store: BlobPieceStore;
  readonly index: PieceIndex;
  readonly policy: Policy;
  readonly unpaid: UnpaidPieces;
  readonly freeBytes: () => Promise<number>;
}

async function runOn(chain: Chain, options: ProviderOptions): Promise<RunningProvider> {
  const { dataDir, database, blobs, policy, logger, proving = true } = options;
  const signer = new Wallet(options.privateKey, chain.provider);
  const provider = getAddress(options.provider ?? signer.address);
  const index = new DatabasePieceIndex(database);
  const store = await BlobPieceStore.open(dataDir, { index, logger, ...(blobs && { blobs }) });
  const unpaid = await UnpaidPieces.open({ notes: new DatabaseUnpaidNotes(database), store });
  const offered = { ...policy, token: getAddress(policy.token) };
  const freeBytes = () => freeBytesAt(dataDir);
  const parts = { chain, signer, provider, store, index, policy: offered, unpaid, freeBytes };
  const serving = await serve(parts, options).catch(async (error: unknown) => {
    await store.close();
    throw error;
  });
  logger.info({ url: serving.url, provider, dataDir, proving }, "provider listens");
  const stop = new AbortController();
  const { sender, keeper, filler, clearing } = keepersOf(parts, options);
  const kept = [keeper, filler, clearing].map((service) =>
    service?.run(stop.signal).catch((error) => logger.error({ err: error }, "a keeper has stopped")),
  );
  const sending = keepSending({ chain, sender, logger }, stop.signal);
  const close = async () => {
    stop.abort();
    await Promise.all([serving.close(), sending, ...kept]);
    await store.close();
    chain.provider.destroy();
  };
  return { url: serving.url, keeper, filler, close };
}

/** The desks, the index of blocks, and the routes to them. */
async function serve(parts: Parts, options: ProviderOptions): Promise<RunningNode> {
  const { chain, signer, provider, store, unpaid, freeBytes } = parts;
  const { deployment, logger, fetching = {}, host, port, publicUrl } = options;
  const { maxPieceBytes } = parts.policy;
  const { contracts } = chain;
  const counter = { ...parts, deployment, contracts, now: () => chainTime(chain.provider) };
  const head = () => chain.provider.getBlockNumber();
  const desk = new DealDesk(counter);
  const pulls = new PullDesk({ provider, contracts, store, maxPieceBytes, fetching, unpaid, logger });
  const amendments = new AmendmentDesk({ ...counter, head });
  const migrations = new MigrationDesk({ ...counter, desk, head });
  const changes = { amendments, migrations, pulls };
  const listen = { ...(host === undefined ? {} : { host }), ...(port === undefined ? {} : { port }) };
  const sharing = options.blobs && { blobs: options.blobs, index: parts.index };
  const index = await FileBlockIndex.open(join(options.dataDir, "blocks"), { store, logger, sharing });
  const gateway = { index, peerId: peerIdOf(signer.signingKey.publicKey), ...(publicUrl && { publicUrl }) };
  const serving = { store, desk, changes, gateway, unpaid, fetching, freeBytes, logger, maxPieceBytes };
  const node = await startOrClose(index, { ...options.peers, ...serving, ...listen });
  const close = async () => void (await Promise.all([node.close(), pulls.close(), index.close()]));
  return { url: node.url, close };
}

function keepersOf(parts: Parts, options: ProviderOptions) {
  const { chain, signer, provider, store, unpaid } = parts;
  const { logger, filling, fetching = {}, proving = true, pollMs, graceMs } = options;
  const poll = pollMs === undefined ? {} : { pollMs };
  const journal = options.journal === undefined ? {} : { journal: options.journal };
  const sender = new TransactionSender({ provider: chain.provider, signer, logger, ...poll, ...journal });
  const shared = { chain, sender, provider, logger };
  const grace = graceMs === undefined ? {} : { graceMs };
  return {
    sender,
    keeper: proving ? new ProvingKeeper({ ...shared, pieces: store }) : undefined,
    filler: filling && new FillingKeeper({ ...parts, ...shared, ...filling, fetching }),
    clearing: new UnpaidKeeper({ chain, provider, store, unpaid, logger, ...grace }),
  };
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
