/** The keeper that a provider's stake hangs on: it proves every window of every deal of one provider. */
import { EventEmitter } from "node:events";
import type { Logger } from "pino";
import type { Chain } from "../chain/chain.js";
import { type Clock, systemClock } from "../chain/clock.js";
import { ChainError } from "../chain/errors.js";
import type { Head, HeadUpdate } from "../chain/follower.js";
import { calldataLimitOf } from "../chain/limits.js";
import type { TransactionSender } from "../chain/sender.js";
import { HoldfastError } from "../errors.js";
import type { Tier } from "../protocol/index.js";
import { type Duties, type DutyRef, MemoryDuties, type PlannedDuty } from "../store/duties.js";
import type { PieceSource } from "../store/types.js";
import { Agenda } from "./agenda.js";
import { beating } from "./beating.js";
import { type Deal, DealBook, hasEnded, idText, readDeals } from "./deals.js";
import type { Doppelganger } from "./doppelganger.js";
import { Duty, type DutyBlocks, nextDuty, nextWindow } from "./duty.js";
import type { ProvingEvents } from "./events.js";
import { watchHeads } from "./heads.js";
import { MissTeller } from "./misses.js";
import { OpenDuties, type OpenEpoch } from "./open-duties.js";
import { EpochProver } from "./prover.js";
import { SeedReader } from "./seeds.js";
import { type Outcome, ProofSubmitter } from "./submit.js";

export interface ProvingKeeperOptions {
  readonly chain: Chain;
  /** Pays for the proofs; its key holds no power, so any account with coin for gas will do. */
  readonly sender: TransactionSender;
  /** Where the bytes of the pieces are. */
  readonly pieces: PieceSource;
  /** Address of the provider. */
  readonly provider: string;
  readonly logger: Logger;
  /** Which duties there are and who does each; in memory by default, for a keeper that shares them with nobody. */
  readonly duties?: Duties;
  /** Says whether another process acts with the same key. While it stands back, only duties are done that waiting would lose. */
  readonly guard?: Pick<Doppelganger, "standsBack">;
  /** Blocks on top of a challenge's own before it is answered; 1 by default. More where reorganisations are common. */
  readonly confirmations?: number;
  /** Bytes of calldata in one transaction at most; by default what the chain's nodes take. */
  readonly calldataLimit?: number;
  /** Part of a block's gas that one transaction may take; a half by default. */
  readonly gasShare?: number;
  /** Pieces that are read at the same time; 8 by default. */
  readonly readers?: number;
  /** Duties that are claimed at a time; 96 by default. What is left is for other keepers. */
  readonly portion?: number;
  readonly clock?: Clock;
}

/** What is remembered of a deal. */
interface Kept {
  /** The head at which it was read. */
  readonly readAt: number;
  readonly ended: boolean;
  /** Its last window that has opened, as long as it matters. */
  readonly duty: Duty | undefined;
  /** The window that was planned last. */
  planned: number;
}

/** About as many duties as go into one transaction. */
const PORTION = 96;
/** Blocks for which duties that are over are kept: deeper than any reorganisation that keepers live through. */
const KEPT_BLOCKS = 256;
/** Blocks after which a deal is asked for again whose opening is in no block any more. */
const ASK_AGAIN = 8;

/**
 * Proves the deals of one provider. What is due follows from the chain's books and from nothing else, so a keeper that is
 * stopped, or started twice, or that sees its proofs reorganised away, goes on where the chain stands. Keepers that share
 * their duties do each of them once.
 *
 * @example
 * ```ts
 * const keeper = new ProvingKeeper({ chain, sender, pieces: store, provider: wallet.address, logger });
 * keeper.on("proven", ({ id, window }) => console.log(`deal ${id}: window ${window} proven`));
 * await keeper.run(signal);
 * ```
 */
export class ProvingKeeper extends EventEmitter<ProvingEvents> {
  readonly #options: ProvingKeeperOptions;
  readonly #logger: Logger;
  readonly #duties: Duties;
  readonly #book: DealBook;
  readonly #misses: MissTeller;
  readonly #submitter: ProofSubmitter;
  readonly #prover: EpochProver;
  readonly #agenda = new Agenda();
  readonly #kept = new Map<bigint, Kept>();
  readonly #open: OpenDuties;
  readonly #jobs = new Set<Promise<void>>();
  readonly #toPlan: PlannedDuty[] = [];
  #forgotten = 0;
  #head = 0;
  #signal: AbortSignal | undefined;

  constructor(options: ProvingKeeperOptions) {
    super();
    const { chain, sender, provider, pieces, duties = new MemoryDuties() } = options;
    const {
      calldataLimit = calldataLimitOf(chain.deployment.chainId),
      gasShare = 0.5,
      readers = 8,
      portion = PORTION,
    } = options;
    this.#options = options;
    this.#duties = duties;
    this.#logger = options.logger.child({ keeper: "proving", provider });
    this.#book = new DealBook(chain, provider);
    this.#misses = new MissTeller(chain, duties);
    this.#open = new OpenDuties(chain, duties, this.#logger);
    this.#submitter = new ProofSubmitter(chain, sender);
    const onCheckpoint = (epoch: number, hash: string) => this.emit("checkpointed", { epoch, hash });
    const seeds = new SeedReader({ chain, sender, logger: this.#logger, onCheckpoint });
    const limits = { calldataLimit, gasShare, readers, portion };
    const parts = { chain, pieces, duties, seeds, submitter: this.#submitter, logger: this.#logger };
    this.#prover = new EpochProver({ ...parts, ...limits, host: this.#host() });
  }

  /** Groups of duties that are being read, built or sent at this moment. */
  get inFlight(): number {
    return this.#jobs.size;
  }

  /** Works until the signal is aborted, then waits for what is being sent to notice. Only listeners can make it fail. */
  async run(signal: AbortSignal): Promise<void> {
    const { chain, clock = systemClock } = this.#options;
    this.#signal = signal;
    const onAlive = (alive: number) => this.emit("workers", { alive });
    const beats = beating({ duties: this.#duties, clock, logger: this.#logger, onAlive }, signal);
    try {
      await beats.first;
      await watchHeads(chain.follower, this.#logger, signal, (update) => this.#look(update, signal));
    } finally {
      await Promise.allSettled(this.#jobs);
      await beats.ended;
      await this.#duties.leave().catch((err: unknown) => this.#logger.warn({ err }, "claims could not be given back"));
    }
  }

  async #look(update: HeadUpdate, signal: AbortSignal): Promise<void> {
    const { head, ancestor } = update;
    this.#head = head.number;
    if (ancestor !== undefined) this.#forgetAfter(ancestor);
    await this.#book.sync(update, signal);
    for (const id of this.#book.takeFound()) this.#agenda.put(id, 0);
    for (const { deal } of await this.#open.vanished(head.number)) this.#agenda.put(deal.id, 0);
    // Before somebody is told that a proof is late: another keeper's may be in a block.
    for (const duty of this.#open.late(head.number)) if (duty.state !== "busy") this.#agenda.put(duty.deal.id, 0);
    await this.#read(signal);
    await this.#duties.plan(this.#toPlan.splice(0));
    for (const duty of this.#open.late(head.number)) this.#climb(duty);
    await this.#begin(head, signal);
    if (head.number - this.#forgotten >= KEPT_BLOCKS / 4) {
      this.#forgotten = head.number;
      await this.#duties.forget(head.number - KEPT_BLOCKS);
    }
    this.emit("head", { number: head.number });
  }

  /** What was read from blocks that are gone is read again. Work that is under way ends by itself. */
  #forgetAfter(ancestor: number): void {
    this.#open.forgetAfter(ancestor);
    for (const [id, { readAt, duty }] of this.#kept) {
      if (readAt > ancestor || (duty?.provenIn ?? 0) > ancestor) this.#agenda.put(id, 0);
    }
  }

  /** Reads deals for which the head may change something: new ones, windows that open, windows that are over. */
  async #read(signal: AbortSignal): Promise<void> {
    const head = this.#head;
    // What is being sent says by itself what it came to.
    const ids = this.#agenda.due(head).filter((id) => this.#kept.get(id)?.duty?.state !== "busy");
    const deals = await readDeals(this.#options.chain, ids, signal, head);
    const missed = await this.#misses.untold(deals, head, signal);
    for (const id of ids) this.#agenda.put(id, head + ASK_AGAIN);
    for (const one of missed) this.#missed(one);
    const again: Duty[] = [];
    for (const deal of deals) this.#take(deal, again);
    for (const [epoch, duties] of Map.groupBy(again, (duty) => duty.epoch)) {
      const forgotten = duties.map(({ deal }) => deal.id);
      await this.#duties.reopen(epoch, forgotten);
    }
  }

  /** Learns where a deal stands. @param again - takes what was proven, and is not any more */
  #take(deal: Deal, again: Duty[]): void {
    const { id } = deal;
    const known = this.#kept.get(id);
    if (known === undefined) this.#found(deal);
    const tier = this.#tier(deal);
    const next = nextDuty(deal, tier, this.#head);
    const before = known?.duty;
    const isSame = before?.window === next?.window && before?.epoch === next?.epoch;
    if (before !== undefined && !isSame) this.#close(before, deal);
    const isOpen = next !== undefined && next.epoch <= this.#head;
    const duty = isOpen ? (isSame && before ? before : new Duty(deal, next, tier)) : undefined;
    const ended = hasEnded(deal);
    if (ended && known?.ended !== true) this.#ended(deal);
    this.#kept.set(id, { readAt: this.#head, ended, duty, planned: known?.planned ?? 0 });
    if (next !== undefined) this.#plan(id, next);
    if (duty !== undefined && (duty !== before || duty.state === "proven")) {
      if (duty === before) again.push(duty);
      this.#due(duty);
    }
    // Whatever N is: somebody may have extended the deal by then.
    const upcoming = nextWindow(deal, tier, this.#head).epoch;
    this.#agenda.put(id, ended ? Infinity : (duty?.lastBlock ?? next?.epoch ?? upcoming));
  }

  #found({ id, firstEpoch, periods, standing: { missed } }: Deal): void {
    this.#logger.info({ deal: idText(id), firstEpoch, periods, missed }, "deal found");
    this.emit("found", { id, firstEpoch, periods });
  }

  #plan(id: bigint, { window, epoch, lastBlock }: DutyBlocks): void {
    const kept = this.#kept.get(id);
    if (kept === undefined || kept.planned === window) return;
    kept.planned = window;
    this.#toPlan.push({ id, window, epoch, lastBlock });
  }

  #due(duty: Duty): void {
    duty.state = "open";
    duty.provenIn = undefined;
    duty.retryAt = 0;
    this.#open.add(duty);
    const { window, epoch, lastBlock } = duty;
    this.emit("due", { id: duty.deal.id, window, epoch, lastBlock });
  }

  /** A duty whose time is over, one way or the other. */
  #close(duty: Duty, { lastProven }: Deal): void {
    if (duty.state === "proven") return;
    if (lastProven >= duty.window) this.#proven(duty, { kind: "already" });
    else {
      this.#open.remove(duty);
      this.emit("over", { id: duty.deal.id, window: duty.window });
    }
  }

  #ended({ id, standing: { status } }: Deal): void {
    this.#logger.info({ deal: idText(id), status }, "deal ended");
    this.emit("ended", { id, status });
  }

  /** Begins what is due of each epoch. One that can't be begun keeps no other from it. */
  async #begin(head: Head, signal: AbortSignal): Promise<void> {
    for (const open of this.#open.epochs()) {
      const { epoch } = open;
      if (head.number - epoch < (this.#options.confirmations ?? 1)) continue;
      try {
        const key = await this.#open.keyOf(open, head);
        if (key === undefined || open.isBusy) continue;
        if (this.#hasToDo(open)) await this.#learn(open);
        if (this.#hasToDo(open)) this.#start(open, key, head, signal);
      } catch (error) {
        this.#failed(open, error);
      }
    }
  }

  #hasToDo({ duties }: OpenEpoch): boolean {
    for (const duty of duties.values()) if (this.#mayBegin(duty)) return true;
    return false;
  }

  /** Whether a duty is due, and need not, or can't, wait until it is known who else acts with this key. */
  #mayBegin(duty: Duty): boolean {
    if (!duty.isDue(this.#head)) return false;
    return this.#options.guard?.standsBack !== true || duty.isPressing(this.#head);
  }

  /** What other keepers have done of an epoch. */
  async #learn(open: OpenEpoch): Promise<void> {
    for (const { id, block } of await this.#duties.finished(open.epoch)) {
      const duty = open.duties.get(id);
      if (duty?.state !== "open") continue;
      this.#proven(duty, { kind: "already" });
      // Where a reorganisation takes that block away, the deal is read again.
      duty.provenIn = block ?? duty.provenIn;
    }
  }

  #start(open: OpenEpoch, key: string, head: Head, signal: AbortSignal): void {
    open.isBusy = true;
    const job = this.#prover
      .run({ epoch: open.epoch, key, head }, signal)
      .catch((error: unknown) => this.#failed(open, error))
      .finally(() => {
        open.isBusy = false;
        this.#open.prune(open);
        this.#jobs.delete(job);
      });
    this.#jobs.add(job);
  }

  /** What keeps a whole epoch from being done; it is tried again at the next head. */
  #failed(open: OpenEpoch, error: unknown): void {
    for (const duty of open.duties.values()) if (duty.state === "open") this.#postpone(duty, error, true);
  }

  #host() {
    return {
      take: (epoch: number, id: bigint) => {
        const duty = this.#open.at(epoch)?.duties.get(id);
        if (duty === undefined || !this.#mayBegin(duty)) return undefined;
        duty.state = "busy";
        return duty;
      },
      claimed: (claims: readonly { takenOver: boolean }[]) => {
        const takenOver = claims.filter((claim) => claim.takenOver).length;
        if (takenOver > 0) this.#logger.warn({ duties: takenOver }, "duties of a keeper that died were taken over");
        if (claims.length > 0) this.emit("claimed", { duties: claims.length, takenOver });
      },
      lost: (duties: readonly Duty[]) => {
        for (const duty of duties) duty.state = "open";
        this.#logger.warn({ duties: duties.length }, "claims are another keeper's by now");
        this.emit("lost", { duties: duties.length });
      },
      sent: (batch: ProvingEvents["batch"][0]) => {
        this.#logger.info(batch, "proofs sent");
        this.emit("batch", batch);
      },
      proven: (duty: Duty, outcome: Extract<Outcome, { kind: "proven" | "already" }>) => this.#proven(duty, outcome),
      failed: (duty: Duty, error: unknown) => this.#postpone(duty, error),
    };
  }

  #proven(duty: Duty, outcome: Extract<Outcome, { kind: "proven" | "already" }>): void {
    const { window, deal } = duty;
    const { id } = deal;
    const own = outcome.kind === "proven";
    const [hash, block] = own ? [outcome.hash, outcome.block] : [undefined, undefined];
    duty.state = "proven";
    duty.provenIn = block ?? this.#head;
    this.#open.remove(duty);
    if (own) this.#open.landed(outcome.block, outcome.blockHash, duty);
    const next = nextWindow({ ...deal, lastProven: window }, this.#tier(deal), this.#head);
    // What others say of a block that is not known here is looked at once more, while there is time.
    this.#agenda.put(id, own ? next.epoch : Math.min(next.epoch, Math.max(this.#head + 1, duty.halfway)));
    if (next.window <= deal.periods) this.#plan(id, next);
    this.#logger.debug({ deal: idText(id), window, hash, block }, "proven");
    this.emit("proven", { id, window, own, hash, block });
  }

  #missed({ id, window }: DutyRef): void {
    const duty = this.#kept.get(id)?.duty;
    const code = duty?.window === window ? duty.code : undefined;
    this.#logger.error({ deal: idText(id), window, code }, "window missed");
    this.emit("missed", { id, window });
  }

  /** Tells of a proof that is late, and pays more for it. */
  #climb(duty: Duty): void {
    const step = duty.climb(this.#head);
    if (step === undefined) return;
    const { window, lastBlock, deal, code } = duty;
    const { id } = deal;
    if (step.hurries) this.#submitter.hurry([{ id, window }]);
    const blocksLeft = lastBlock - this.#head;
    this.#logger.warn({ deal: idText(id), window, blocksLeft, code }, "proof is late");
    this.emit("late", { id, window, share: step.share, blocksLeft });
  }

  /** Tries again later: at the next head where the chain was the trouble, more and more seldom where the disk is. */
  #postpone(duty: Duty, error: unknown, atOnce = false): number {
    duty.state = "open";
    if (this.#signal?.aborted) return this.#head;
    const code = error instanceof HoldfastError ? error.code : "UNEXPECTED";
    const passing = error instanceof ChainError && error.failure === "retry";
    duty.retryAt = this.#head + (atOnce ? 1 : duty.failed(passing));
    // In flight: what it is waiting for was sent before the process was started, or by another one.
    if (code === "IN_FLIGHT" || duty.code === code) return duty.retryAt;
    duty.code = code;
    const { window, retryAt } = duty;
    const { id } = duty.deal;
    const message = error instanceof Error ? error.message : String(error);
    this.#logger.error({ err: error, deal: idText(id), window, retryAt }, "proving failed");
    this.emit("trouble", { id, window, code, message, retryAt });
    return retryAt;
  }

  #tier(deal: Deal): Tier {
    return this.#options.chain.deployment.tiers[deal.tier]!;
  }
}
