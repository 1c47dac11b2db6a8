/** The owner's keeper: it keeps a file at as many unique replicas as its owner wanted, whatever becomes of providers. */

import { EventEmitter } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Logger } from "pino";
import type { Chain } from "../chain/chain.js";
import { chainError } from "../chain/errors.js";
import type { HeadUpdate } from "../chain/follower.js";
import { fileBlob } from "../client/blob-node.js";
import { fetchUnique } from "../client/replicas/fetch.js";
import type { Manifest, ManifestBook, ManifestReplica } from "../client/replicas/manifest.js";
import { placeReplica, type ReplicaSession, resumeReplica } from "../client/replicas/store.js";
import { HoldfastError } from "../errors.js";
import { Status } from "../protocol/index.js";
import { type FileKey, newReplicaId } from "../replica/index.js";
import { type Deal, hasEnded, idText, readDeals } from "./deals.js";
import type { FileRef, ReplicaEvents } from "./events.js";
import { watchHeads } from "./heads.js";
import { replicaSink } from "./reencrypt.js";

/** A file that is kept: its manifest, which nobody else changes meanwhile, and its key. */
export interface KeptFile {
  readonly book: ManifestBook;
  readonly key: FileKey;
}

export interface ReplicasKeeperOptions {
  readonly chain: Chain;
  /** The owner: pays for new deals, and owns them. One process a key. */
  readonly session: ReplicaSession;
  readonly files: readonly KeptFile[];
  /** The most to spend on new replicas of these files in all, in base units of their token. The manifests remember. */
  readonly budget: bigint;
  /** Where a new replica lies, encrypted, until a provider has it; the system's folder for such files by default. */
  readonly tempDir?: string;
  readonly logger: Logger;
}

/** What became of a replica's deal. */
type Fate = "lives" | "lost" | "over";

/** Blocks until something that failed is tried again, doubled each time up to the most. */
const FIRST_PAUSE = 2;
const LONGEST_PAUSE = 64;

/**
 * Watches the deals of unique replicas. Where one defaults or is ended before its time, it reads a surviving replica,
 * encrypts it anew, and opens a deal for it with a provider that has none.
 *
 * Every step is in the manifest before the next one: a keeper that was stopped, at whatever point, finishes what it began
 * and pays for it once.
 *
 * @example
 * ```ts
 * const { book, release } = await openManifest(path);
 * const key = await keyFromKeyring(keyring, book.manifest.key);
 * const keeper = new ReplicasKeeper({ chain, session, files: [{ book, key }], budget: 10n ** 9n, logger });
 * keeper.on("repaired", ({ file, replica }) => console.log(`${file.sha256}: now with ${replica.provider}`));
 * await keeper.run(signal).finally(release);
 * ```
 */
export class ReplicasKeeper extends EventEmitter<ReplicaEvents> {
  readonly #options: ReplicasKeeperOptions;
  readonly #logger: Logger;
  /** For each file that something failed for: the head at which it is tried again, and how often it failed. */
  readonly #pauses = new Map<KeptFile, { readonly until: number; readonly failures: number }>();
  /** The trouble that was told last of a file. */
  readonly #told = new Map<KeptFile, string>();

  /** @throws HoldfastError `WRONG_MARKET`, `WRONG_KEY`, `MIXED_TOKENS`, `INVALID_BUDGET` */
  constructor(options: ReplicasKeeperOptions) {
    super();
    const { chain, files, budget } = options;
    if (budget < 0n) throw new HoldfastError("INVALID_BUDGET", `${budget} is no budget`, "give 0 or more");
    for (const { book, key } of files) requireOurs(book.manifest, key, chain);
    if (new Set(files.map(({ book }) => book.manifest.wishes.token)).size > 1) {
      const hint = "run a keeper, with a budget, for each token";
      throw new HoldfastError("MIXED_TOKENS", "the manifests are paid in several tokens", hint);
    }
    this.#options = options;
    this.#logger = options.logger.child({ keeper: "replicas" });
  }

  /** What keepers have paid for new replicas of the files, or are about to pay, in base units. */
  get spent(): bigint {
    const replicas = this.#options.files.flatMap(({ book }) => book.manifest.replicas);
    return replicas.reduce((sum, { repair, cost }) => (repair ? sum + BigInt(cost) : sum), 0n);
  }

  /** Works until the signal is aborted. Only listeners can make it fail. */
  run(signal: AbortSignal): Promise<void> {
    return watchHeads(this.#options.chain.follower, this.#logger, signal, (update) => this.#look(update, signal));
  }

  async #look({ head }: HeadUpdate, signal: AbortSignal): Promise<void> {
    for (const file of this.#options.files) {
      if ((this.#pauses.get(file)?.until ?? 0) > head.number) continue;
      try {
        await this.#keep(file, head.number, signal);
        this.#pauses.delete(file);
        this.#told.delete(file);
      } catch (error) {
        if (signal.aborted) return;
        this.#pause(file, head.number, error);
      }
    }
    this.emit("head", { number: head.number });
  }

  async #keep(file: KeptFile, head: number, signal: AbortSignal): Promise<void> {
    const { session } = this.#options;
    const { book } = file;
    for (const replica of book.manifest.replicas.filter(({ state }) => state === "opening")) {
      signal.throwIfAborted();
      const open = await resumeReplica(session, book, replica);
      if (open) this.#report(file, open);
    }
    const deals = await this.#readOpen(book, signal);
    for (const [replica, deal] of deals) {
      const fate = await this.#fateOf(deal, head, signal);
      if (fate === "lives") continue;
      await book.put({ ...replica, state: fate });
      deals.delete(replica);
      this.#logger.warn({ replica: replica.id, deal: replica.deal, provider: replica.provider }, `replica is ${fate}`);
      this.emit(fate, { file: refOf(book), replica: { ...replica, state: fate }, status: deal.standing.status });
    }
    while (missing(book.manifest) > 0) {
      signal.throwIfAborted();
      await this.#repair(file, [...deals.values()]);
    }
  }

  /**
   * The replicas that are open by the manifest, with their deals. One whose block a reorganisation took is waited for, one
   * that its owner has moved is followed and looked at next time.
   */
  async #readOpen(book: ManifestBook, signal: AbortSignal): Promise<Map<ManifestReplica, Deal>> {
    const open = book.manifest.replicas.filter(({ state }) => state === "open");
    const ids = open.map(({ deal }) => BigInt(deal));
    const deals = new Map((await readDeals(this.#options.chain, ids, signal)).map((deal) => [deal.id, deal]));
    const found = new Map<ManifestReplica, Deal>();
    for (const replica of open) {
      const deal = deals.get(BigInt(replica.deal));
      if (deal?.successor) await this.#follow(book, replica, deal.successor, signal);
      else if (deal) found.set(replica, deal);
    }
    return found;
  }

  async #follow(book: ManifestBook, replica: ManifestReplica, successor: bigint, signal: AbortSignal): Promise<void> {
    const { chain } = this.#options;
    const [deal] = await readDeals(chain, [successor], signal);
    if (deal === undefined) return;
    const { provider } = deal;
    const url = (await chain.contracts.registry.profileOf(provider)).url;
    const moved = { ...replica, deal: idText(successor), provider, url };
    await book.put(moved);
    this.emit("moved", { file: refOf(book), replica: moved });
  }

  /** Only the owner ends a deal before its time, and then wants the replica elsewhere. */
  async #fateOf(deal: Deal, head: number, signal: AbortSignal): Promise<Fate> {
    const { status } = deal.standing;
    if (status === Status.Defaulted || status === Status.Ending) return "lost";
    if (!hasEnded(deal)) return "lives";
    return (await this.#wasTerminated(deal.id, head, signal)) ? "lost" : "over";
  }

  async #wasTerminated(id: bigint, head: number, signal: AbortSignal): Promise<boolean> {
    const { deployment, contracts, follower } = this.#options.chain;
    const { topicHash } = contracts.market.interface.getEvent("Terminated");
    const filter = { address: deployment.market, topics: [topicHash, idText(id)] };
    for await (const { logs } of follower.logs(filter, deployment.block, head, signal)) {
      if (logs.length > 0) return true;
    }
    return false;
  }

  /** Makes one replica, and places it for as long as the one of the others that lives longest. */
  async #repair({ book, key }: KeptFile, others: readonly Deal[]): Promise<void> {
    const { chain, session, tempDir = tmpdir() } = this.#options;
    const { wishes, file } = book.manifest;
    const least = chain.deployment.tiers[wishes.tier]?.maxMisses ?? 1;
    const longest = Math.max(0, ...others.map(({ periods, standing }) => periods - standing.closed));
    const periods = others.length === 0 ? wishes.periods : Math.max(least, longest);
    const maxPricePerPeriod = this.#affordable(BigInt(wishes.maxPricePerPeriod), periods);
    const folder = await mkdtemp(join(tempDir, "holdfast-replica-"));
    try {
      const id = newReplicaId();
      const locate = async (provider: string) => (await chain.contracts.registry.profileOf(provider)).url;
      const makeSink = () => replicaSink(join(folder, "replica"), key, id, file.size);
      const { value: path, failures } = await fetchUnique(book.manifest, key, makeSink, { locate });
      for (const { url, error } of failures) this.#logger.warn({ url, err: error }, "a replica could not be read");
      const maxPeriods = Math.max(wishes.maxPeriods, periods);
      const payload = await fileBlob(path);
      const placement = { id, payload, periods, maxPeriods, maxPricePerPeriod, repair: true };
      this.#report({ book, key }, await placeReplica(session, book, placement));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** The most that a period may cost, by the owner's wish and by what is left. */
  #affordable(wished: bigint, periods: number): bigint {
    const left = this.#options.budget - this.spent;
    const affordable = left / BigInt(periods);
    if (affordable > 0n) return wished < affordable ? wished : affordable;
    const message = `${left} base units are left of the budget, for ${periods} periods`;
    throw new HoldfastError("BUDGET_EXHAUSTED", message, "raise the budget");
  }

  #report({ book }: KeptFile, replica: ManifestReplica): void {
    const { id, deal, provider, cost } = replica;
    this.#logger.info({ replica: id, deal, provider, cost }, "replica placed");
    this.emit("repaired", { file: refOf(book), replica, spent: this.spent });
  }

  #pause(file: KeptFile, head: number, error: unknown): void {
    const { code, message } = error instanceof HoldfastError ? error : chainError(error, "keep a file's replicas");
    const failures = (this.#pauses.get(file)?.failures ?? 0) + 1;
    const until = head + Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (failures - 1));
    this.#pauses.set(file, { until, failures });
    this.#logger.error({ err: error, file: refOf(file.book), until }, "keeping replicas failed");
    if (this.#told.get(file) === code) return;
    this.#told.set(file, code);
    this.emit("trouble", { file: refOf(file.book), code, message, retryAt: until });
  }
}

/** Replicas that there ought to be, and are not: one whose time is over was not meant to stay. */
function missing({ copies, replicas }: Manifest): number {
  return copies - replicas.filter(({ state }) => state !== "lost").length;
}

function refOf({ manifest: { file } }: ManifestBook): FileRef {
  return { sha256: file.sha256, ...(file.name === undefined ? {} : { name: file.name }) };
}

function requireOurs({ chainId, market, key: wanted }: Manifest, key: FileKey, { deployment }: Chain): void {
  if (chainId !== deployment.chainId || market !== deployment.market) {
    const message = `a manifest is of market ${market} on chain ${chainId}, not ${deployment.market} on ${deployment.chainId}`;
    throw new HoldfastError("WRONG_MARKET", message, "name that market's deployment");
  }
  if (key.id === wanted) return;
  throw new HoldfastError("WRONG_KEY", `a file was stored under key ${wanted}, not ${key.id}`, "use its own keyring");
}
