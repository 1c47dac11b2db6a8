/** The keeper that a provider's stake hangs on: it proves every window of every deal of one provider. */
import { EventEmitter } from "node:events";
import type { Logger } from "pino";
import type { Chain } from "../chain/chain.js";
import { ChainError } from "../chain/errors.js";
import type { Head, HeadUpdate } from "../chain/follower.js";
import type { TransactionSender } from "../chain/sender.js";
import { HoldfastError } from "../errors.js";
import { prove } from "../piece/index.js";
import { challengeIndices, openAt, type Tier, windowOf } from "../protocol/index.js";
import type { PieceSource } from "../store/types.js";
import { batchLimits, DEFAULT_CALLDATA_LIMIT, ProofBatcher, sendSplitting } from "./batches.js";
import { type Deal, DealBook, hasEnded, idText } from "./deals.js";
import type { ProvingEvents } from "./events.js";
import { watchHeads } from "./heads.js";
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
  /** Blocks on top of a challenge's own before it is answered; 1 by default. More where reorganisations are common. */
  readonly confirmations?: number;
  /** Bytes of calldata in one transaction at most; 120 KiB by default, for geth. Filecoin takes half of that. */
  readonly calldataLimit?: number;
  /** Part of a block's gas that one transaction may take; a half by default. */
  readonly gasShare?: number;
  /** Pieces that are read at the same time; 8 by default. */
  readonly readers?: number;
}

/** A window that is open and not proven. */
interface Duty {
  readonly deal: Deal;
  readonly window: number;
  readonly epoch: number;
  readonly lastBlock: number;
  busy: boolean;
  tries: number;
  retryAt: number;
  /** The trouble that was reported last. */
  code: string | undefined;
  /** Steps of {@link LADDER} that it has come to. */
  late: number;
}

/** Share of a window after which somebody is told that its proof is not in a block. */
const WARN_SHARE = 0.5;
/** Shares after which more is paid for it, a quarter each time: three times as much at the end, and no more. */
const HURRY_SHARES = [0.75, 0.8, 0.85, 0.9, 0.95];
const LADDER = [WARN_SHARE, ...HURRY_SHARES];

interface Proof {
  readonly id: bigint;
  readonly window: number;
  readonly duty: Duty;
  readonly proof: Uint8Array;
}

/**
 * Proves the deals of one provider. What is due follows from the chain's books at each head and from nothing else, so
 * a keeper that is stopped, or started twice, or that sees its proofs reorganised away, goes on where the chain stands.
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
  readonly #book: DealBook;
  readonly #seeds: SeedReader;
  readonly #submitter: ProofSubmitter;
  /** Deals as last read; a deal that is not in here has to be read. */
  readonly #deals = new Map<bigint, Deal>();
  readonly #duties = new Map<bigint, Duty>();
  readonly #found = new Set<bigint>();
  readonly #jobs = new Set<Promise<void>>();
  #head = 0;

  constructor(options: ProvingKeeperOptions) {
    super();
    const { chain, sender, provider } = options;
    this.#options = options;
    this.#logger = options.logger.child({ keeper: "proving", provider });
    this.#book = new DealBook(chain, provider);
    const onCheckpoint = (epoch: number, hash: string) => this.emit("checkpointed", { epoch, hash });
    this.#seeds = new SeedReader({ chain, sender, logger: this.#logger, onCheckpoint });
    this.#submitter = new ProofSubmitter(chain, sender);
  }

  /** Groups of duties that are being read, built or sent at this moment. */
  get inFlight(): number {
    return this.#jobs.size;
  }

  /** Works until the signal is aborted, then waits for what is being sent to notice. Only listeners can make it fail. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await watchHeads(this.#options.chain.follower, this.#logger, signal, (update) => this.#look(update, signal));
    } finally {
      await Promise.allSettled(this.#jobs);
    }
  }

  async #look(update: HeadUpdate, signal: AbortSignal): Promise<void> {
    const { head, ancestor } = update;
    this.#head = head.number;
    if (ancestor !== undefined) this.#forgetAfter(ancestor);
    await this.#book.sync(update, signal);
    const unsure = [...this.#book.ids].filter((id) => this.#hasToBeRead(id));
    for (const deal of await this.#book.read(unsure, signal)) this.#take(deal);
    for (const duty of this.#duties.values()) this.#climb(duty);
    const due = [...this.#duties.values()].filter((duty) => this.#isDue(duty));
    for (const [epoch, duties] of Map.groupBy(due, (duty) => duty.epoch)) this.#begin(epoch, duties, head, signal);
    this.emit("head", { number: head.number });
  }

  /** What was read from blocks that are gone is read again. Work that is under way ends by itself. */
  #forgetAfter(ancestor: number): void {
    this.#seeds.forgetAfter(ancestor);
    this.#deals.clear();
    for (const [id, duty] of this.#duties) if (!duty.busy) this.#duties.delete(id);
  }

  /** Only where the chain may say something new that matters: a proof is due, or its time is over. */
  #hasToBeRead(id: bigint): boolean {
    const duty = this.#duties.get(id);
    if (duty !== undefined) return !duty.busy && (this.#isDue(duty) || this.#head >= duty.lastBlock);
    const deal = this.#deals.get(id);
    if (deal === undefined) return true;
    // Whatever N is: somebody may have extended the deal.
    const window = hasEnded(deal) ? 0 : openAt(deal.firstEpoch, this.#tier(deal), Infinity, this.#head + 1);
    return window !== 0 && window !== deal.lastProven;
  }

  #isDue({ busy, retryAt, epoch, lastBlock }: Duty): boolean {
    const confirmed = this.#head - epoch >= (this.#options.confirmations ?? 1);
    return !busy && confirmed && retryAt <= this.#head && this.#head < lastBlock;
  }

  /** Tells of a proof that is late, and pays more for it. */
  #climb(duty: Duty): void {
    const { deal, window, epoch, lastBlock } = duty;
    const share = (this.#head - epoch) / this.#tier(deal).window;
    const steps = LADDER.filter((step) => share >= step).length;
    if (steps <= duty.late) return;
    duty.late = steps;
    const { id } = deal;
    if (share >= HURRY_SHARES[0]!) this.#submitter.hurry([{ id, window }]);
    const blocksLeft = lastBlock - this.#head;
    this.#logger.warn({ deal: idText(id), window, blocksLeft, code: duty.code }, "proof is late");
    this.emit("late", { id, window, share: LADDER[steps - 1]!, blocksLeft });
  }

  /** Learns where a deal stands. */
  #take(deal: Deal): void {
    const { id, firstEpoch, periods, lastProven } = deal;
    this.#deals.set(id, deal);
    if (!this.#found.has(id)) {
      this.#found.add(id);
      this.#logger.info({ deal: idText(id), firstEpoch, periods, missed: deal.standing.missed }, "deal found");
      this.emit("found", { id, firstEpoch, periods });
    }
    const duty = this.#duties.get(id);
    if (duty?.busy) return;
    if (duty !== undefined && duty.window === lastProven) this.#proven(duty, undefined, undefined);
    else if (duty !== undefined && this.#head >= duty.lastBlock) this.#missed(duty);
    if (hasEnded(deal)) {
      this.#duties.delete(id);
      this.#logger.info({ deal: idText(id), status: deal.standing.status }, "deal ended");
      this.emit("ended", { id, status: deal.standing.status });
      return;
    }
    const window = openAt(firstEpoch, this.#tier(deal), periods, this.#head + 1);
    if (window === 0 || window === lastProven || this.#duties.has(id)) return;
    const { epoch, lastBlock } = windowOf(firstEpoch, this.#tier(deal), window);
    this.#duties.set(id, {
      deal,
      window,
      epoch,
      lastBlock,
      busy: false,
      tries: 0,
      retryAt: 0,
      code: undefined,
      late: 0,
    });
    this.emit("due", { id, window, epoch, lastBlock });
  }

  #begin(epoch: number, duties: readonly Duty[], head: Head, signal: AbortSignal): void {
    for (const duty of duties) duty.busy = true;
    const job = this.#fulfil(epoch, duties, head, signal)
      .catch((error: unknown) => this.#postpone(duties, error, signal))
      .finally(() => {
        for (const duty of duties) duty.busy = false;
        this.#jobs.delete(job);
      });
    this.#jobs.add(job);
  }

  /** Proves the duties of one epoch; a batch is sent as soon as it is full. */
  async #fulfil(epoch: number, duties: readonly Duty[], head: Head, signal: AbortSignal): Promise<void> {
    const { gasShare = 0.5, calldataLimit = DEFAULT_CALLDATA_LIMIT, readers = 8 } = this.#options;
    const seed = await this.#seeds.seed(epoch, signal);
    const batcher = new ProofBatcher<Proof>(batchLimits(head.gasLimit, gasShare, calldataLimit));
    const sending: Promise<void>[] = [];
    const send = (proofs: readonly Proof[]) => {
      const refused = (items: readonly Proof[], error: unknown) =>
        this.#postpone(
          items.map(({ duty }) => duty),
          error,
          signal,
        );
      sending.push(sendSplitting(proofs, (items) => this.#submit(items, signal), refused));
    };
    for (let at = 0; at < duties.length && !signal.aborted; at += readers) {
      const built = duties.slice(at, at + readers).map((duty) => this.#build(duty, seed, signal));
      for (const proof of await Promise.all(built)) {
        const full = proof && batcher.add(proof);
        if (full !== undefined) send(full);
      }
    }
    const rest = batcher.take();
    if (rest.length > 0) send(rest);
    await Promise.all(sending);
  }

  /** Undefined where the store does not have the bytes. */
  async #build(duty: Duty, seed: bigint, signal: AbortSignal): Promise<Proof | undefined> {
    const { id, root, leafCount } = duty.deal;
    const { chainId, market } = this.#options.chain.deployment;
    try {
      const piece = await this.#options.pieces.open(root, leafCount);
      if (piece === undefined) throw missingPiece(id);
      const count = this.#tier(duty.deal).challenges;
      const input = { chainId, market, dealId: id, window: duty.window, seed, count, leafCount };
      return { id, window: duty.window, duty, proof: await prove(piece.layer, piece.read, challengeIndices(input)) };
    } catch (error) {
      this.#postpone([duty], error, signal);
      return undefined;
    }
  }

  async #submit(proofs: readonly Proof[], signal: AbortSignal): Promise<void> {
    const { outcomes, batch } = await this.#submitter.submit(proofs, signal);
    if (batch !== undefined) {
      this.#logger.info(batch, "proofs sent");
      this.emit("batch", batch);
    }
    for (const { id, duty } of proofs) this.#conclude(duty, outcomes.get(id), signal);
  }

  #conclude(duty: Duty, outcome: Outcome | undefined, signal: AbortSignal): void {
    if (outcome?.kind === "proven") this.#proven(duty, outcome.hash, outcome.block);
    else if (outcome?.kind === "already") this.#proven(duty, undefined, undefined);
    else {
      // A proof that was right for its seed is wrong where the seed is another by now.
      if (outcome?.reason === "InvalidProof") this.#seeds.forgetAfter(duty.epoch - 1);
      this.#postpone([duty], skipped(duty.deal.id, outcome?.message ?? "the market says nothing of it"), signal);
    }
  }

  #proven(duty: Duty, hash: string | undefined, block: number | undefined): void {
    const { window, deal } = duty;
    this.#duties.delete(deal.id);
    const known = this.#deals.get(deal.id);
    if (known !== undefined) this.#deals.set(deal.id, { ...known, lastProven: window });
    this.#logger.debug({ deal: idText(deal.id), window, hash, block }, "proven");
    this.emit("proven", { id: deal.id, window, own: hash !== undefined, hash, block });
  }

  #missed({ deal: { id }, window, code }: Duty): void {
    this.#duties.delete(id);
    this.#logger.error({ deal: idText(id), window, code }, "window missed");
    this.emit("missed", { id, window });
  }

  /** Tries again later: at the next head where the chain was the trouble, more and more seldom where the disk is. */
  #postpone(duties: readonly Duty[], error: unknown, signal: AbortSignal): void {
    if (signal.aborted) return;
    const code = error instanceof HoldfastError ? error.code : "UNEXPECTED";
    const passing = error instanceof ChainError && error.failure === "retry";
    for (const duty of duties) {
      const patience = Math.max(1, Math.floor(this.#tier(duty.deal).window / 8));
      const wait = passing ? 1 : Math.min(2 ** duty.tries++, patience);
      duty.retryAt = this.#head + wait;
      // What it is waiting for was sent before the process was started, or by another one.
      if (code === "IN_FLIGHT") continue;
      const { id } = duty.deal;
      const message = error instanceof Error ? error.message : String(error);
      if (duty.code === code) continue;
      duty.code = code;
      this.#logger.error(
        { err: error, deal: idText(id), window: duty.window, retryAt: duty.retryAt },
        "proving failed",
      );
      this.emit("trouble", { id, window: duty.window, code, message, retryAt: duty.retryAt });
    }
  }

  #tier(deal: Deal): Tier {
    return this.#options.chain.deployment.tiers[deal.tier]!;
  }
}

function missingPiece(id: bigint): HoldfastError {
  return new HoldfastError(
    "MISSING_PIECE",
    `The store does not hold the piece of deal ${idText(id)}`,
    "Restore it from another copy before the window closes.",
  );
}

function skipped(id: bigint, reason: string): HoldfastError {
  return new HoldfastError(
    "SKIPPED",
    `The proof of deal ${idText(id)} was not accepted: ${reason}`,
    "It is tried again while the window is open; look the error up in IStorageMarket.",
  );
}
