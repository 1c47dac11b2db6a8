/** The keeper that finds a provider work: it watches requests, fetches bytes, and fills what pays. */
import { EventEmitter } from "node:events";
import { getBytes } from "ethers";
import type { Logger } from "pino";
import type { ProfileStructOutput } from "../../../typechain-types/ProviderRegistry.js";
import { ChainError } from "../../chain/errors.js";
import type { Head, HeadUpdate } from "../../chain/follower.js";
import { HoldfastError } from "../../errors.js";
import { DealBook, hasEnded, idText } from "../../keeper/deals.js";
import { watchHeads } from "../../keeper/heads.js";
import { inBatches, isOver, RequestBook, type Vacancy } from "../../keeper/requests.js";
import { SeedReader } from "../../keeper/seeds.js";
import { type PieceStore, type PieceTree, treeKey } from "../../store/index.js";
import { type FetchOptions, sourcesOf } from "../fetching/index.js";
import type { FillingEvents } from "./events.js";
import { Filler, type FillerOptions, isFillable, priceNow } from "./filler.js";
import { blockOfPrice, type Decline, judge } from "./policy.js";
import { SpeculativeStock } from "./stock.js";

/** What an operator decides. */
export interface FillingPolicy {
  /**
   * Base units of the policy's token that a whole native coin (10^18 wei) is worth: what gas costs in the money that is
   * earned. 10^18 where the token is the coin itself; 0 leaves gas out.
   */
  readonly coinPrice: bigint;
  /** Fetches begin so many blocks before the price is reached; 32 by default. */
  readonly prefetchBlocks?: number;
  /** Pieces that are fetched at the same time; 2 by default. */
  readonly maxFetches?: number;
  /** Bytes that may be here, or on their way, for deals that are not won yet; four of the largest pieces by default. */
  readonly maxSpeculativeBytes?: number;
  /** Bytes of disk that are left alone; 1 GiB by default. */
  readonly minFreeBytes?: number;
  /** Times that a piece which nobody serves is asked for; 5 by default. */
  readonly fetchTries?: number;
}

export interface FillingKeeperOptions extends Omit<FillerOptions, "pieces" | "seeds">, FillingPolicy {
  readonly store: PieceStore;
  /** Bytes that are free where the store is. */
  readonly freeBytes: () => Promise<number>;
  /** How pieces are fetched. */
  readonly fetching?: FetchOptions;
  readonly logger: Logger;
}

/** A vacancy, and what is known of it here. */
interface Prospect {
  vacancy: Vacancy;
  readonly piece: PieceTree;
  busy: boolean;
  tries: number;
  retryAt: number;
  /** Whether it was told to be wanted. */
  wanted: boolean;
  /** Why it was declined last, and what stood in the way last. */
  declined: string | undefined;
  trouble: string | undefined;
}

/** Somebody else was faster, or it is over. */
const LOST: ReadonlySet<string> = new Set(["NothingToFill", "RequestExpired", "RequestOver", "AlreadyFilled"]);
/** Right in another block: the price has not risen that far, or the seed is another by now. */
const EARLY: ReadonlySet<string> = new Set(["PriceTooHigh", "TooEarly", "InvalidPossession", "SeedUnavailable"]);

/** Most blocks between two tries. */
const MAX_WAIT_BLOCKS = 64;
/** Surviving providers that are asked for a piece. */
const MAX_SURVIVORS = 8;

/**
 * Fills requests for one provider. What can be filled follows from the chain's books at each head, so a keeper that is
 * stopped, or that sees a fill reorganised away, goes on where the chain stands.
 *
 * @example
 * ```ts
 * const keeper = new FillingKeeper({ chain, sender, signer, provider, store, policy, freeBytes, logger, coinPrice });
 * keeper.on("filled", ({ dealId, price }) => console.log(`deal ${dealId} at ${price} a period`));
 * await keeper.run(signal);
 * ```
 */
export class FillingKeeper extends EventEmitter<FillingEvents> {
  readonly #options: FillingKeeperOptions;
  readonly #logger: Logger;
  readonly #book: RequestBook;
  readonly #deals: DealBook;
  readonly #seeds: SeedReader;
  readonly #filler: Filler;
  readonly #stock: SpeculativeStock;
  readonly #prospects = new Map<string, Prospect>();
  /** Requests whose standing has to be read. */
  readonly #unsure = new Set<bigint>();
  readonly #jobs = new Set<Promise<void>>();

  constructor(options: FillingKeeperOptions) {
    super();
    const { chain, sender, provider, store, policy } = options;
    this.#options = options;
    this.#logger = options.logger.child({ keeper: "filling", provider });
    this.#book = new RequestBook(chain);
    this.#deals = new DealBook(chain, provider);
    this.#seeds = new SeedReader({ chain, sender, logger: this.#logger, onCheckpoint: () => undefined });
    this.#filler = new Filler({ ...options, pieces: store, seeds: this.#seeds });
    this.#stock = new SpeculativeStock({
      store,
      freeBytes: options.freeBytes,
      minFreeBytes: options.minFreeBytes ?? 2 ** 30,
      maxSpeculativeBytes: options.maxSpeculativeBytes ?? 4 * policy.maxPieceBytes,
      maxFetches: options.maxFetches ?? 2,
      fetching: options.fetching ?? {},
    });
  }

  /** Fetches and fills that are under way at this moment. */
  get inFlight(): number {
    return this.#jobs.size;
  }

  /** Bytes that are here, or on their way, for deals that are not won. */
  get speculativeBytes(): number {
    return this.#stock.bytes;
  }

  /** Works until the signal is aborted, then waits for what is under way to notice. Only listeners can make it fail. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await watchHeads(this.#options.chain.follower, this.#logger, signal, (update) => this.#look(update, signal));
    } finally {
      await Promise.allSettled(this.#jobs);
    }
  }

  async #look(update: HeadUpdate, signal: AbortSignal): Promise<void> {
    const { head, ancestor } = update;
    if (ancestor !== undefined) this.#seeds.forgetAfter(ancestor);
    for (const id of await this.#book.sync(update, signal)) this.#unsure.add(id);
    await this.#refresh(head, signal);
    if (this.#prospects.size > 0) await this.#pursue(head, signal);
    await this.#clear(update, signal);
    this.emit("head", { number: head.number });
  }

  /** Reads what can be filled of the requests that something was heard of, and forgets what is over. */
  async #refresh(head: Head, signal: AbortSignal): Promise<void> {
    const ids = [...this.#unsure].filter((id) => this.#book.get(id) !== undefined);
    const own = await this.#ownAmong(ids, signal);
    for (const id of own) this.#stock.keep(pieceOf(this.#book.get(id)!.request));
    const others = ids.filter((id) => !own.has(id));
    const open = (await this.#book.vacancies(others, signal)).filter((vacancy) => !isOver(vacancy, head));
    const fresh = new Map(open.map((vacancy) => [keyOf(vacancy), vacancy]));
    for (const [key, { vacancy }] of this.#prospects) {
      const gone = this.#unsure.has(vacancy.id) && !fresh.has(key);
      if (gone || isOver(vacancy, head)) this.#prospects.delete(key);
    }
    for (const [key, vacancy] of fresh) {
      const known = this.#prospects.get(key);
      if (known === undefined) this.#prospects.set(key, prospectOf(vacancy));
      else known.vacancy = vacancy;
    }
    this.#unsure.clear();
  }

  /** Requests of which this provider has a replica, or had one: it never gets another. */
  async #ownAmong(ids: readonly bigint[], signal: AbortSignal): Promise<ReadonlySet<bigint>> {
    const { provider, chain } = this.#options;
    const deals = await inBatches(ids, signal, (id) => chain.contracts.requests.dealOf(id, provider));
    return new Set(ids.filter((_, i) => deals[i] !== 0n));
  }

  /** Begins what each prospect calls for now. */
  async #pursue(head: Head, signal: AbortSignal): Promise<void> {
    const { chain, provider, policy, coinPrice, prefetchBlocks = 32 } = this.#options;
    const { deployment, contracts } = chain;
    const region = await contracts.registry.regionOf(provider);
    const { gasPrice } = await chain.provider.getFeeData();
    const terms = { policy, deployment, region, coinPrice, gasPrice: gasPrice ?? 0n };
    // A provider gets one replica of a request, so it goes for one at a time.
    const busy = new Set([...this.#prospects.values()].filter((one) => one.busy).map(({ vacancy }) => vacancy.id));
    for (const prospect of this.#prospects.values()) {
      if (busy.has(prospect.vacancy.id) || prospect.retryAt > head.number) continue;
      const verdict = judge(prospect.vacancy, terms);
      if ("decline" in verdict) this.#decline(prospect, verdict.decline);
      else {
        this.#want(prospect, verdict.floor);
        const due = blockOfPrice(prospect.vacancy, verdict.floor);
        if (due - prefetchBlocks > head.number) continue;
        busy.add(prospect.vacancy.id);
        this.#begin(prospect, verdict.floor, head, signal);
      }
    }
  }

  #begin(prospect: Prospect, floor: bigint, head: Head, signal: AbortSignal): void {
    prospect.busy = true;
    const job = this.#advance(prospect, floor, head, signal)
      .catch((error: unknown) => this.#fail(prospect, error, head, signal))
      .finally(() => {
        prospect.busy = false;
        this.#jobs.delete(job);
      });
    this.#jobs.add(job);
  }

  /** One step: the bytes first, and the fill once the price is there. */
  async #advance(prospect: Prospect, floor: bigint, head: Head, signal: AbortSignal): Promise<void> {
    const { vacancy, piece } = prospect;
    if (!(await this.#stock.has(piece))) {
      await this.#checkStake(vacancy);
      await this.#fetch(prospect, signal);
      return;
    }
    const { challengeFinality } = this.#options.chain.deployment;
    if (priceNow(vacancy, head.number) < floor || !isFillable(vacancy, head.number, challengeFinality)) return;
    await this.#checkStake(vacancy);
    const filled = await this.#filler.fill(vacancy, head, signal);
    this.#stock.keep(piece);
    this.#forget(vacancy.id);
    const { gasUsed, price, dealId, hash } = filled;
    this.#logger.info({ request: idText(vacancy.id), deal: idText(dealId), price, hash, gasUsed }, "request filled");
    this.emit("filled", filled);
  }

  /** Fetches from the client's own source and from providers that have a replica; these first where one was lost. */
  async #fetch(prospect: Prospect, signal: AbortSignal): Promise<void> {
    const { vacancy, piece } = prospect;
    const { id, slot, request } = vacancy;
    const sources = sourcesOf(piece, request.dataUri, await this.#survivors(vacancy));
    const [first] = sources;
    const ordered = slot === 0n || first === undefined ? sources : [...sources.slice(1), first];
    const fetched = await this.#stock.fetch(piece, ordered, signal);
    if (fetched?.source === undefined) return;
    const { pieceCid, payloadSize: bytes, source } = fetched;
    prospect.tries = 0;
    this.#logger.info({ request: idText(id), pieceCid, bytes: bytes.toString() }, "piece fetched for a request");
    this.emit("fetched", { id, slot, pieceCid, bytes, source });
  }

  /** Base URLs of the providers that have, or had, a replica of the same request. */
  async #survivors({ id, slot }: Vacancy): Promise<string[]> {
    const { registry } = this.#options.chain.contracts;
    const replicas = [...(this.#book.get(id)?.replicas.values() ?? [])].filter(({ dealId }) => dealId !== slot);
    const asked = replicas.slice(-MAX_SURVIVORS).map(({ provider }) => registry.profileOf(provider).then(urlOf));
    return (await Promise.all(asked)).filter((url) => url !== "");
  }

  /** @throws HoldfastError `NO_STAKE` */
  async #checkStake({ request }: Vacancy): Promise<void> {
    const { chain, provider } = this.#options;
    const { market, requests } = chain.deployment;
    for (const [where, needed] of [
      [market, request.collateral],
      [requests, request.minStake],
    ] as const) {
      if (needed === 0n) continue;
      const { free } = await chain.contracts.registry.provisionOf(provider, where, request.token);
      if (free >= needed) continue;
      const hint = "provision more with the registry";
      throw new HoldfastError("NO_STAKE", `${free} of stake is free with ${where}, ${needed} is asked for`, hint);
    }
  }

  /** Deletes what was fetched for deals that did not come. */
  async #clear(update: HeadUpdate, signal: AbortSignal): Promise<void> {
    if (this.#stock.bytes === 0) return;
    const wanted = new Set([...this.#prospects.values()].map(({ piece }) => treeKey(piece)));
    const dropped = await this.#stock.drop(
      (piece) => wanted.has(treeKey(piece)),
      (piece) => this.#isNeeded(piece, update, signal),
      update.head.timestamp,
    );
    for (const pieceCid of dropped) {
      this.#logger.info({ pieceCid }, "piece without a deal deleted");
      this.emit("dropped", { pieceCid });
    }
  }

  /** Whether a deal has the piece, or is about to by an amendment. */
  async #isNeeded(piece: PieceTree, update: HeadUpdate, signal: AbortSignal): Promise<boolean> {
    await this.#deals.sync(update, signal);
    const deals = await this.#deals.read([...this.#deals.ids], signal);
    const live = deals.filter((deal) => !hasEnded(deal));
    return live.some((deal) => [deal, deal.next].some((one) => one && treeKey(one) === treeKey(piece)));
  }

  #want(prospect: Prospect, floor: bigint): void {
    const { id, slot } = prospect.vacancy;
    prospect.declined = undefined;
    if (prospect.wanted) return;
    prospect.wanted = true;
    this.emit("wanted", { id, slot, floor });
  }

  #decline(prospect: Prospect, { code, message }: Decline): void {
    const { id, slot } = prospect.vacancy;
    prospect.wanted = false;
    if (prospect.declined === code) return;
    prospect.declined = code;
    this.#logger.debug({ request: idText(id), code, message }, "request declined");
    this.emit("declined", { id, slot, code, message });
  }

  #fail(prospect: Prospect, error: unknown, head: Head, signal: AbortSignal): void {
    if (signal.aborted) return;
    const { vacancy } = prospect;
    const { id, slot } = vacancy;
    const reason = error instanceof ChainError ? (error.revert?.name ?? "") : "";
    if (LOST.has(reason)) {
      this.#forget(id);
      this.#unsure.add(id);
      this.#logger.info({ request: idText(id), reason }, "somebody else filled the request");
      this.emit("lost", { id, slot, reason });
      return;
    }
    // A proof that was right for its seed is wrong where the seed is another by now.
    if (reason === "InvalidPossession") this.#seeds.forgetAfter(0);
    const code = error instanceof HoldfastError ? error.code : "UNEXPECTED";
    if (EARLY.has(reason) || code === "NOT_WANTED") return;
    this.#postpone(prospect, code, error, head);
  }

  /** Tries again, more and more seldom; what nobody serves is given up after some time. */
  #postpone(prospect: Prospect, code: string, error: unknown, head: Head): void {
    const { id, slot } = prospect.vacancy;
    const { fetchTries = 5 } = this.#options;
    prospect.tries++;
    const givenUp = code === "PIECE_UNAVAILABLE" && prospect.tries >= fetchTries;
    const wait = givenUp ? Infinity : Math.min(2 ** prospect.tries, MAX_WAIT_BLOCKS);
    prospect.retryAt = head.number + wait;
    if (prospect.trouble === code && !givenUp) return;
    prospect.trouble = code;
    const message = error instanceof Error ? error.message : String(error);
    this.#logger.warn({ err: error, request: idText(id), retryAt: prospect.retryAt }, "request can't be filled yet");
    this.emit("trouble", { id, slot, code, message, retryAt: prospect.retryAt });
  }

  #forget(id: bigint): void {
    for (const [key, { vacancy }] of this.#prospects) if (vacancy.id === id) this.#prospects.delete(key);
  }
}

function keyOf({ id, slot }: Vacancy): string {
  return `${id}/${slot}`;
}

function prospectOf(vacancy: Vacancy): Prospect {
  const piece = pieceOf(vacancy.request);
  const nothing = { wanted: false, declined: undefined, trouble: undefined };
  return { vacancy, piece, busy: false, tries: 0, retryAt: 0, ...nothing };
}

/** Empty where it is no UTF-8, which is no URL either: one provider must not keep others from being asked. */
function urlOf(profile: ProfileStructOutput): string {
  try {
    return profile.url;
  } catch {
    return "";
  }
}

function pieceOf({ root, leafCount }: { readonly root: string; readonly leafCount: bigint }): PieceTree {
  return { root: getBytes(root), leafCount };
}
