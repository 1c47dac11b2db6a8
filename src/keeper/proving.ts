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
import { type Duties, type DutyRef, MemoryDuties } from "../store/duties.js";
import type { PieceSource } from "../store/types.js";
import { beating } from "./beating.js";
import { type Deal, idText } from "./deals.js";
import type { Doppelganger } from "./doppelganger.js";
import type { Duty } from "./duty.js";
import type { ProvingEvents } from "./events.js";
import { watchHeads } from "./heads.js";
import { OpenDuties, type OpenEpoch } from "./open-duties.js";
import { EpochProver, type ProverHost } from "./prover.js";
import { Roster, type RosterListener } from "./roster.js";
import { SectorProver } from "./sectors.js";
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
  /** Pieces that are read at the same time, and as many that were slow the last time; 8 by default. */
  readonly readers?: number;
  /** Duties that are claimed at a time; 96 by default. What is left is for other keepers. */
  readonly portion?: number;
  /**
   * Milliseconds that building one proof may take; 60,000 by default. After a twentieth of that its place is another's; a proof
   * that is built waits a twelfth of that for others to go with it.
   */
  readonly proofMs?: number;
  readonly clock?: Clock;
}

/** About as many duties as go into one transaction. */
const PORTION = 96;
const PROOF_MS = 60_000;
/** Blocks for which duties that are over are kept: deeper than any reorganisation that keepers live through. */
const KEPT_BLOCKS = 256;

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
  readonly #submitter: ProofSubmitter;
  readonly #prover: EpochProver;
  readonly #open: OpenDuties;
  readonly #roster: Roster;
  readonly #jobs = new Set<Promise<void>>();
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
      proofMs = PROOF_MS,
    } = options;
    this.#options = options;
    this.#duties = duties;
    this.#logger = options.logger.child({ keeper: "proving", provider });
    this.#open = new OpenDuties(chain, duties, this.#logger);
    this.#roster = new Roster({
      ...{ chain, provider, duties, open: this.#open },
      ...{ listener: this.#listener(), logger: this.#logger },
    });
    this.#submitter = new ProofSubmitter(chain, sender);
    const onCheckpoint = (epoch: number, hash: string) => this.emit("checkpointed", { epoch, hash });
    const seeds = new SeedReader({ chain, sender, logger: this.#logger, onCheckpoint });
    const limits = { calldataLimit, gasShare, readers, portion, proofMs };
    const sectors = chain.contracts.sectors && new SectorProver({ chain, provider, submitter: this.#submitter });
    const parts = { chain, pieces, duties, seeds, submitter: this.#submitter, sectors, logger: this.#logger };
    this.#prover = new EpochProver({ ...parts, ...limits, host: this.#host() });
  }

  /** Groups of duties that are being done at this moment, and pieces that are being read. */
  get inFlight(): number {
    return this.#jobs.size + this.#prover.reading;
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
      await this.#roster.settled();
      await beats.ended;
      await this.#duties.leave().catch((err: unknown) => this.#logger.warn({ err }, "claims could not be given back"));
    }
  }

  async #look(update: HeadUpdate, signal: AbortSignal): Promise<void> {
    const { head } = update;
    this.#head = head.number;
    await this.#roster.look(update, signal);
    try {
      await this.#roster.plan();
    } finally {
      // Claims save work, and never decide: what can't be noted is begun all the same, and this look fails afterwards.
      for (const duty of this.#open.late(head.number)) this.#climb(duty);
      await this.#begin(head, signal);
    }
    if (head.number - this.#forgotten >= KEPT_BLOCKS / 4) {
      this.#forgotten = head.number;
      await this.#duties.forget(head.number - KEPT_BLOCKS);
    }
    this.emit("head", { number: head.number });
  }

  /** Begins what is due of each epoch. One that can't be begun keeps no other from it. */
  async #begin(head: Head, signal: AbortSignal): Promise<void> {
    for (const open of this.#open.epochs()) {
      const { epoch } = open;
      if (head.number - epoch < (this.#options.confirmations ?? 1)) continue;
      try {
        const key = await this.#open.keyOf(open, head);
        if (key === undefined || open.isBusy) continue;
        // What was done by another block is not done by this one, where the duties know nothing of it yet.
        if (this.#hasToDo(open) && !open.isUnsure) await this.#learn(open);
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

  /** What other keepers have done of an epoch. Where nobody can say, the chain does: what is proven already is not sent. */
  async #learn(open: OpenEpoch): Promise<void> {
    const { epoch } = open;
    const finished = await this.#duties.finished(epoch).catch((err: unknown) => {
      this.#logger.warn({ err, epoch }, "what other keepers have done is not known");
      return [];
    });
    for (const { id, block } of finished) {
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
        // Where something is left, its block may be another than it was thought to be.
        open.isUnsure ||= open.duties.size > 0;
        this.#open.prune(open);
        this.#jobs.delete(job);
      });
    this.#jobs.add(job);
  }

  /** What keeps a whole epoch from being done; it is tried again at the next head. */
  #failed(open: OpenEpoch, error: unknown): void {
    for (const duty of open.duties.values()) if (duty.state === "open") this.#postpone(duty, error, true);
  }

  #listener(): RosterListener {
    return {
      read: (deals, absent) => this.emit("read", { head: this.#head, deals, absent }),
      found: ({ id, firstEpoch, periods, standing: { missed } }) => {
        this.#logger.info({ deal: idText(id), firstEpoch, periods, missed }, "deal found");
        this.emit("found", { id, firstEpoch, periods });
      },
      ended: ({ id, standing: { status } }: Deal) => {
        this.#logger.info({ deal: idText(id), status }, "deal ended");
        this.emit("ended", { id, status });
      },
      due: ({ deal, window, epoch, lastBlock }) => this.emit("due", { id: deal.id, window, epoch, lastBlock }),
      proven: (duty) => this.#proven(duty, { kind: "already" }),
      over: ({ deal, window }) => this.emit("over", { id: deal.id, window }),
      missed: (miss, duty) => this.#missed(miss, duty),
    };
  }

  #host(): ProverHost {
    return {
      take: (epoch, id) => {
        const duty = this.#open.at(epoch)?.duties.get(id);
        if (duty === undefined || !this.#mayBegin(duty)) return undefined;
        duty.state = "busy";
        return duty;
      },
      left: (epoch) => {
        const duties = this.#open.at(epoch)?.duties.values() ?? [];
        return [...duties].filter(({ state }) => state === "open");
      },
      claimed: (claims) => {
        const takenOver = claims.filter((claim) => claim.takenOver).length;
        if (takenOver > 0) this.#logger.warn({ duties: takenOver }, "duties of a keeper that died were taken over");
        if (claims.length > 0) this.emit("claimed", { duties: claims.length, takenOver });
      },
      lost: (duties) => {
        for (const duty of duties) duty.state = "open";
        this.#logger.warn({ duties: duties.length }, "claims are another keeper's by now");
        this.emit("lost", { duties: duties.length });
      },
      sent: (batch) => {
        this.#logger.info(batch, "proofs sent");
        this.emit("batch", batch);
      },
      proven: (duty, outcome) => this.#proven(duty, outcome),
      failed: (duty, error) => this.#postpone(duty, error),
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
    this.#roster.proven(duty, own);
    this.#logger.debug({ deal: idText(id), window, hash, block }, "proven");
    this.emit("proven", { id, window, own, hash, block });
  }

  #missed({ id, window }: DutyRef, duty: Duty | undefined): void {
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
    const passing = code === "STALE_HEAD" || (error instanceof ChainError && error.failure === "retry");
    duty.retryAt = this.#head + (atOnce ? 1 : duty.failed(passing));
    // What is in flight was sent before the process was started, or by another one, and comes to its end; another account's may not.
    if ((code === "IN_FLIGHT" && passing) || duty.code === code) return duty.retryAt;
    duty.code = code;
    const { window, retryAt } = duty;
    const { id } = duty.deal;
    const message = error instanceof Error ? error.message : String(error);
    this.#logger.error({ err: error, deal: idText(id), window, retryAt }, "proving failed");
    this.emit("trouble", { id, window, code, message, retryAt });
    return retryAt;
  }
}
