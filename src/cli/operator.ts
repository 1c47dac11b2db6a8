/**
 * What the commands that run for years share: keys by duty, the database, senders, metrics, and an orderly end.
 *
 * @packageDocumentation
 */
import { join } from "node:path";
import type { Logger } from "pino";
import { type Chain, openChain } from "../chain/chain.js";
import { TransactionSender } from "../chain/sender.js";
import { HoldfastError } from "../errors.js";
import { type CrewOptions, KeeperObserver, type OpsServer, startOpsServer } from "../keeper/index.js";
import { type KeyRole, type KeySigner, keySourceFrom } from "../keys/index.js";
import { gasPolicy, restoreLimits } from "../provider/policy/index.js";
import {
  type Database,
  DatabaseDuties,
  DatabaseJournal,
  type DatabaseOptions,
  openDatabase,
} from "../store/database/index.js";
import { type BlobStore, DEFAULT_LEASE_MS, openBlobStore } from "../store/index.js";
import { type ChainFlags, rpcUrls, warnOfPlainKey } from "./context.js";
import { secretFreeLogger } from "./logging.js";
import type { NodeFolder } from "./node-folder.js";
import { requireOwnKeys, requireStakeKey } from "./own-keys.js";

/** An operator's process, but for what it does. */
export interface Operator {
  readonly chain: Chain;
  readonly database: Database;
  /** Where pieces lie that do not lie in the folder. */
  readonly blobs: BlobStore | undefined;
  readonly logger: Logger;
  /** Milliseconds for which what is on its way is left to other processes on the database; 0 where there can't be any. */
  readonly leaveMs: number;
  /** Sends proofs, and pays for them. */
  readonly proving: TransactionSender;
  readonly observer: KeeperObserver;
  readonly ops: OpsServer;
  /** The key of another duty, and a sender with it. */
  key(role: KeyRole): Promise<{ readonly signer: KeySigner; readonly sender: TransactionSender }>;
  close(): Promise<void>;
}

/** Milliseconds that what is under way gets after the process was told to stop. */
const STOP_MS = 9_000;

/**
 * Opens what a process of `folder` needs. Keys of different duties have to be different accounts, but on a developer's chain.
 *
 * @throws HoldfastError what opening the chain, the database and the keys throws; `SHARED_KEY`, `LISTEN_FAILED`
 */
export async function openOperator(flags: Pick<ChainFlags, "rpc" | "network">, folder: NodeFolder): Promise<Operator> {
  const logger = secretFreeLogger(process.env.HOLDFAST_DEBUG === "1" ? "debug" : "info");
  const { deployment, settings } = folder;
  const chain = await openChain(rpcUrls(flags), deployment, { logger });
  const closing: (() => Promise<unknown> | unknown)[] = [() => chain.provider.destroy()];
  const close = async () => {
    for (const step of closing.splice(0).reverse()) await step();
  };
  try {
    const database = await openDatabase(databaseOf(folder));
    closing.push(() => database.destroy());
    const blobs = settings.blobs && (await openBlobStore(settings.blobs));
    if (blobs) closing.push(() => blobs.close());
    const signer = await openKey("proving", chain);
    await requireOwnKeys(chain, settings.provider, { proving: signer.address });
    const { leastBalance, ...limits } = await gasPolicy(folder.policy, chain);
    const least = leastBalance === undefined ? {} : { leastBalance };
    const observer = new KeeperObserver({ chain, accounts: [signer.address], ...least, logger });
    const journal = new DatabaseJournal(database, deployment.chainId);
    const shared = { provider: chain.provider, logger, journal, onMined: observer.onMined };
    const senderOf = (one: KeySigner) => new TransactionSender({ ...shared, ...limits, signer: one });
    const ops = await startOpsServer({ observer, logger, ...settings.ops });
    closing.push(() => ops.close());
    const key = async (role: KeyRole) => {
      const other = await openKey(role, chain);
      await requireOwnKeys(chain, settings.provider, { proving: signer.address, [role]: other.address });
      // One account has one sender: two of them would give its nonces in turn.
      return { signer: other, sender: other.address === signer.address ? proving : senderOf(other) };
    };
    const proving = senderOf(signer);
    const leaveMs = databaseOf(folder).url !== undefined ? DEFAULT_LEASE_MS : 0;
    return { chain, database, blobs, logger, leaveMs, proving, observer, ops, key, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The database of a folder: the one that `DATABASE_URL` names, or one within it. */
export function databaseOf({ dataDir }: Pick<NodeFolder, "dataDir">): Pick<DatabaseOptions, "url" | "dir"> {
  const { DATABASE_URL: url = "" } = process.env;
  return url === "" ? { dir: join(dataDir, "index") } : { url };
}

async function openKey(role: KeyRole, chain: Chain): Promise<KeySigner> {
  const source = keySourceFrom(process.env, role);
  warnOfPlainKey(source, chain.deployment.chainId);
  return (await source.open()).connect(chain.provider);
}

/**
 * Runs until the process is told to stop. What is under way then gets nine seconds: what has not come to its end by then is in the
 * journal, and the next start goes on with it.
 *
 * @param run - ends soon after its signal is aborted
 */
export async function runUntilStopped(logger: Logger, run: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const stopping = new AbortController();
  const stop = () => {
    if (stopping.signal.aborted) return;
    logger.info("stopping");
    stopping.abort();
    setTimeout(() => {
      logger.warn("what is under way takes too long; the next start goes on with it");
      process.exit(0);
    }, STOP_MS).unref();
  };
  for (const name of ["SIGTERM", "SIGINT"] as const) process.on(name, stop);
  try {
    await run(stopping.signal);
    logger.info("stopped");
  } finally {
    for (const name of ["SIGTERM", "SIGINT"] as const) process.off(name, stop);
  }
}

/** The duties of a provider, which all its keepers on one database share. */
export function dutiesOf({ chain, database }: Operator, provider: string): DatabaseDuties {
  const { chainId, market } = chain.deployment;
  return new DatabaseDuties(database, { chainId, market, provider });
}

/** For how long keepers stand back for a stranger with their key, where the policy says. */
export function standBackOf({ doppelganger }: NodeFolder["policy"]): { readonly standBackBlocks?: number } {
  return doppelganger === undefined ? {} : { standBackBlocks: doppelganger.blocks };
}

/** What one transaction of proofs may take, where the policy says. */
export function provingLimitsOf({ proving }: NodeFolder["policy"]): {
  readonly calldataLimit?: number;
  readonly gasShare?: number;
} {
  const { calldata, gasShare } = proving ?? {};
  return {
    ...(calldata !== undefined && { calldataLimit: calldata }),
    ...(gasShare !== undefined && { gasShare: gasShare / 100 }),
  };
}

/**
 * What makes misses good, where the policy wants it.
 *
 * @throws HoldfastError `WRONG_STAKE_KEY` where the key for it is not the provider's own; `INVALID_AMOUNT`, and what opening the key throws
 */
export async function restoringOf(
  operator: Operator,
  policy: NodeFolder["policy"],
  provider: string,
): Promise<{ readonly restoring?: Omit<NonNullable<CrewOptions["restoring"]>, "provider" | "pieces"> }> {
  const limits = await restoreLimits(policy, operator.chain);
  if (limits === undefined) return {};
  const { signer, sender } = await operator.key("stake");
  requireStakeKey(provider, signer.address);
  operator.observer.paying(signer.address);
  return { restoring: { sender, limits } };
}

/** The signer of a provider's deals has to be its own account, or the one that is registered. @throws HoldfastError `WRONG_SIGNER` */
export async function requireSigner({ contracts }: Chain, provider: string, signer: string): Promise<void> {
  if (signer === provider || (await contracts.registry.signerOf(provider)) === signer) return;
  const hint = "name the right key (HOLDFAST_TERMS_KEYSTORE), or register it: `holdfast provider init --signer`";
  throw new HoldfastError("WRONG_SIGNER", `${signer} signs no deals for ${provider}`, hint);
}
