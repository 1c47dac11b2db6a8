/**
 * A provider's node from its parts: store, deal desk, HTTP, and the keeper that proves its deals.
 *
 * @packageDocumentation
 */
import { join } from "node:path";
import { getAddress } from "ethers";
import type { Logger } from "pino";
import type { Chain } from "../chain/chain.js";
import type { TransactionSender } from "../chain/sender.js";
import { chainTime } from "../chain/time.js";
import { Crew, type CrewOptions, keepRunning, type ProvingKeeper } from "../keeper/index.js";
import { type KeySigner, publicKeyOf } from "../keys/index.js";
import { type Database, DatabasePaidNotes, DatabasePieceIndex, DatabaseUnpaidNotes } from "../store/database/index.js";
import { BlobPieceStore, type BlobStore, FileBlockIndex, type PieceIndex } from "../store/index.js";
import type { PeerLimits } from "./admission.js";
import { AmendmentDesk } from "./amendments.js";
import { DealDesk } from "./deals.js";
import type { DiskRoom } from "./disk-room.js";
import { EndedKeeper } from "./ended/index.js";
import type { FetchOptions } from "./fetching/index.js";
import { FillingKeeper, type FillingPolicy } from "./filling/index.js";
import { freeBytesOf } from "./free-bytes.js";
import { peerIdOf } from "./gateway/index.js";
import { roomOf } from "./http.js";
import { MigrationDesk } from "./migrations.js";
import { nowAndThen } from "./now-and-then.js";
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
  /** The market's chain; whoever opened it closes it, after the provider. */
  readonly chain: Chain;
  /** Signs deals: the provider's own key, or that of the signer registered for it. */
  readonly signer: KeySigner;
  /** Sends proofs and fills, and pays for them; its key holds no power. */
  readonly sender: TransactionSender;
  /** The provider that deals are made for, where `signer` is not its own account. */
  readonly provider?: string;
  readonly policy: Policy;
  /** How it proves its deals; false where a keeper elsewhere does. */
  readonly proving?: boolean | Omit<NonNullable<CrewOptions["proving"]>, "provider" | "pieces">;
  /** Milliseconds for which what is on its way is left to others on the same journal; 0 by default, for who is alone with it. */
  readonly leaveMs?: number;
  /** Blocks for which its keepers stand back for somebody else with their key. */
  readonly standBackBlocks?: number;
  /** Settles deals, its own and others', where it is set. */
  readonly settling?: CrewOptions["settling"];
  /** Makes misses good, where it is set. */
  readonly restoring?: Omit<NonNullable<CrewOptions["restoring"]>, "provider" | "pieces">;
  /** Fills requests of the open market, where it is set: what it takes, and how it fetches. */
  readonly filling?: FillingPolicy;
  /** Measures its keepers. */
  readonly observer?: CrewOptions["observer"];
  /** How pieces are fetched from elsewhere: for requests, and for deals that move here. */
  readonly fetching?: FetchOptions;
  /** What strangers may leave here before anybody pays. */
  readonly peers?: PeerLimits;
  /** Milliseconds that a piece may be here without a deal; an hour by default. */
  readonly graceMs?: number;
  /** Milliseconds that a piece stays when its last deal is over; seven days by default. */
  readonly keepMs?: number;
  /** Origin that IPFS clients are told to reach this node at; the address that their request came to by default. */
  readonly publicUrl?: string;
  readonly logger: Logger;
  /** Closes the provider when aborted, or stops its start. */
  readonly signal?: AbortSignal;
}

export interface RunningProvider extends RunningNode {
  /** What proves its deals, for its events; undefined where it was told not to. */
  readonly keeper: ProvingKeeper | undefined;
  /** All its keepers but the filler. */
  readonly crew: Crew;
  /** What fills requests, for its events; undefined where it was not told to. */
  readonly filler: FillingKeeper | undefined;
  /** Stops serving and proving; resolves when both are over. May be called again. */
  close(): Promise<void>;
}

/**
 * Starts a provider: opens its store, serves, and keeps its deals. The provider has to register and provision stake before a client
 * can find it and the market takes its deals.
 *
 * @throws HoldfastError `LISTEN_FAILED`, `INVALID_REGION`, `INVALID_POLICY`, `INVALID_PUBLIC_URL`
 * @throws the reason of `signal`, what `signer`, the file system and the database throw
 * @example
 * const chain = await openChain(rpcUrls, deployment, { logger });
 * const signer = new Wallet(key, chain.provider);
 * const sender = new TransactionSender({ provider: chain.provider, signer, logger });
 * const { url, close } = await startProvider({ dataDir, database, chain, signer, sender, policy, logger });
 */
export async function startProvider(options: ProviderOptions): Promise<RunningProvider> {
  const { signal } = options;
  signal?.throwIfAborted();
  const running = await runOn(options);
  if (!signal) return running;
  const onAbort = () => void running.close();
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) await running.close();
  signal.throwIfAborted();
  return running;
}

/** The chain is asked for its time this often at most, in milliseconds, however many terms are looked at. */
const CLOCK_MS = 250;

/** What the parts of a node share. */
interface Parts {
  readonly chain: Chain;
  readonly signer: KeySigner;
  readonly sender: TransactionSender;
  readonly provider: string;
  readonly store: BlobPieceStore;
  readonly index: PieceIndex;
  readonly policy: Policy;
  readonly unpaid: UnpaidPieces;
  readonly freeBytes: () => Promise<number>;
  readonly room: DiskRoom;
  /** As the options have it, to that room. */
  readonly fetching: FetchOptions;
}

async function runOn(options: ProviderOptions): Promise<RunningProvider> {
  const { chain, signer, sender, dataDir, database, blobs, policy, logger } = options;
  const provider = getAddress(options.provider ?? signer.address);
  const index = new DatabasePieceIndex(database);
  const store = await BlobPieceStore.open(dataDir, { index, logger, ...(blobs && { blobs }) });
  const closing = async (error: unknown): Promise<never> => {
    await store.close();
    throw error;
  };
  const unpaid = await UnpaidPieces.open({ notes: new DatabaseUnpaidNotes(database), store }).catch(closing);
  const offered = { ...policy, token: getAddress(policy.token) };
  const freeBytes = () => freeBytesOf(dataDir, blobs);
  const room = roomOf({ ...options.peers, freeBytes });
  const fetching = { ...options.fetching, room };
  const parts = { chain, signer, sender, provider, store, index, policy: offered, unpaid, freeBytes, room, fetching };
  const serving = await serve(parts, options).catch(closing);
  const stop = new AbortController();
  const { crew, filler, clearing, ended } = keepersOf(parts, options);
  logger.info({ url: serving.url, provider, dataDir, proving: crew.proving !== undefined }, "provider listens");
  const services = [crew, clearing, ended, ...(filler === undefined ? [] : [filler])];
  const kept = services.map((service) => keepRunning(service, logger, stop.signal));
  const close = async () => {
    stop.abort();
    await Promise.all([serving.close(), ...kept]);
    await store.close();
  };
  return { url: serving.url, keeper: crew.proving, crew, filler, close };
}

/** The desks, the index of blocks, and the routes to them. */
async function serve(parts: Parts, options: ProviderOptions): Promise<RunningNode> {
  const { chain, signer, provider, store, unpaid, room, fetching } = parts;
  const { logger, host, port, publicUrl } = options;
  const { maxPieceBytes } = parts.policy;
  const { contracts, deployment } = chain;
  const counter = { ...parts, deployment, contracts, now: nowAndThen(() => chainTime(chain.provider), CLOCK_MS) };
  const head = () => chain.provider.getBlockNumber();
  const desk = new DealDesk(counter);
  const peerId = peerIdOf(await publicKeyOf(signer));
  const pulls = new PullDesk({ provider, contracts, store, maxPieceBytes, fetching, unpaid, logger });
  const amendments = new AmendmentDesk({ ...counter, head });
  const migrations = new MigrationDesk({ ...counter, desk, head });
  const changes = { amendments, migrations, pulls };
  const listen = { ...(host === undefined ? {} : { host }), ...(port === undefined ? {} : { port }) };
  const sharing = options.blobs && { blobs: options.blobs, index: parts.index };
  const index = await FileBlockIndex.open(join(options.dataDir, "blocks"), { store, logger, sharing });
  const gateway = { index, peerId, ...(publicUrl && { publicUrl }) };
  const serving = { store, desk, changes, gateway, unpaid, fetching, room, logger, maxPieceBytes };
  const node = await startOrClose(index, { ...options.peers, ...serving, ...listen });
  const close = async () => void (await Promise.all([node.close(), pulls.close(), index.close()]));
  return { url: node.url, close };
}

function keepersOf(parts: Parts, options: ProviderOptions) {
  const { chain, sender, provider, store, unpaid, policy } = parts;
  const {
    logger,
    filling,
    proving = true,
    settling,
    restoring,
    observer,
    graceMs,
    keepMs,
    standBackBlocks,
    leaveMs,
  } = options;
  const own = { provider, pieces: store };
  const crew = new Crew({
    ...{ chain, sender, logger },
    ...(proving !== false && { proving: { ...(proving === true ? {} : proving), ...own } }),
    ...(settling && { settling }),
    ...(restoring && { restoring: { ...restoring, ...own } }),
    ...(observer && { observer }),
    ...(standBackBlocks !== undefined && { standBackBlocks }),
    ...(leaveMs !== undefined && { leaveMs }),
  });
  const notes = new DatabasePaidNotes(options.database);
  const grace = graceMs === undefined ? {} : { graceMs };
  const keep = keepMs === undefined ? {} : { keepMs };
  return {
    crew,
    filler: filling && new FillingKeeper({ ...parts, ...filling, logger }),
    clearing: new UnpaidKeeper({ chain, provider, tokens: [policy.token], store, unpaid, logger, ...grace }),
    ended: new EndedKeeper({ chain, provider, store, notes, unpaid, logger, ...keep }),
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
