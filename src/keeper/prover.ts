/** Proves the duties of one epoch: claims them a portion at a time, builds proofs, sends them in batches. */
import type { Logger } from "pino";
import type { Chain } from "../chain/chain.js";
import type { Head } from "../chain/follower.js";
import { HoldfastError } from "../errors.js";
import type { Claim, Duties } from "../store/duties.js";
import type { PieceSource } from "../store/types.js";
import { batchLimits, sendSplitting } from "./batches.js";
import { idText } from "./deals.js";
import type { Duty } from "./duty.js";
import type { BatchEvent } from "./events.js";
import { Outbox } from "./prover-outbox.js";
import { buildProof, slowPiece } from "./prover-piece.js";
import { PieceReads } from "./prover-reads.js";
import type { SectorProver } from "./sectors.js";
import type { SeedReader } from "./seeds.js";
import type { Outcome, ProofSubmitter } from "./submit.js";

/** Whoever keeps the duties, as a prover sees it. */
export interface ProverHost {
  /** A claimed duty, marked as busy; undefined where it is not known here, or not to be done now. */
  take(epoch: number, id: bigint): Duty | undefined;
  /** Deals whose duties of an epoch are open: to be done, and not being done. */
  left(epoch: number): Duty[];
  /** The deals of claims that were got, and how many were another worker's that has died. */
  claimed(claims: readonly Claim[]): void;
  /** Claims that are somebody else's by now. */
  lost(duties: readonly Duty[]): void;
  sent(batch: BatchEvent): void;
  proven(duty: Duty, outcome: Extract<Outcome, { kind: "proven" | "already" }>): void;
  /** @returns the head at which it is tried again */
  failed(duty: Duty, error: unknown): number;
}

export interface ProverOptions {
  readonly chain: Chain;
  readonly pieces: PieceSource;
  readonly duties: Duties;
  readonly seeds: SeedReader;
  readonly submitter: ProofSubmitter;
  /** Where the chain itself can prove: for pieces whose bytes can't be read. */
  readonly sectors: SectorProver | undefined;
  readonly host: ProverHost;
  readonly calldataLimit: number;
  readonly gasShare: number;
  readonly readers: number;
  readonly portion: number;
  /** Milliseconds that building one proof may take. */
  readonly proofMs: number;
  readonly logger: Logger;
}

/** What is proven: the duties of an epoch whose block has this hash, at a head. */
export interface ProverTask {
  readonly epoch: number;
  readonly key: string;
  readonly head: Head;
}

/** A twelfth of what building one proof may take: so long a proof waits for others to fill its batch. */
const WAIT_SHARE = 12;

/** A proof that was right for its seed is wrong where the seed is another by now, or not there any more: its checkpoint was dropped. */
const SEED_FAULTS: ReadonlySet<string | undefined> = new Set(["InvalidProof", "SeedUnavailable"]);

interface Proof {
  readonly id: bigint;
  readonly window: number;
  readonly duty: Duty;
  readonly proof: Uint8Array;
}

/** What a run builds, and where that goes. */
interface Run {
  readonly task: ProverTask;
  readonly seed: bigint;
  readonly outbox: Outbox<Proof>;
  readonly signal: AbortSignal;
  /** Whatever was taken in it. */
  readonly taken: Duty[];
  /** Reads that it waits for: of all but the slow ones. */
  readonly reads: Promise<void>[];
}

export class EpochProver {
  readonly #o: ProverOptions;
  readonly #reads: PieceReads;
  /** Duties whose pieces are being read, some by runs that have ended. */
  readonly #reading = new Set<Duty>();
  /** What was to be noted of duties and could not be. */
  #unnoted: (() => Promise<void>)[] = [];

  constructor(options: ProverOptions) {
    this.#o = options;
    const { readers, proofMs: limitMs } = options;
    this.#reads = new PieceReads({ readers, limitMs, late: slowPiece });
  }

  /** Pieces that are being read at this moment. */
  get reading(): number {
    return this.#reading.size;
  }

  /**
   * Proves what is to be done of an epoch and nobody else does; a batch is sent as soon as it is full, or has waited. Pieces that are
   * slow to be read are not waited for: their duties stay busy, and what was built is sent by the next run.
   *
   * @throws what keeps all of them from being begun: the seed, or the duties themselves
   */
  async run(task: ProverTask, signal: AbortSignal): Promise<void> {
    const { seeds, gasShare, calldataLimit, proofMs } = this.#o;
    const { epoch, key, head } = task;
    for (const note of this.#unnoted.splice(0)) await this.#note(note);
    // First, whoever does the duties: a seed that nobody checkpoints runs out.
    const seed = await seeds.seed(epoch, signal, key);
    const limits = batchLimits(head.gasLimit, gasShare, calldataLimit);
    const send = (proofs: readonly Proof[]) => this.#send(task, proofs, signal);
    const outbox = new Outbox<Proof>({ limits, waitMs: proofMs / WAIT_SHARE, send });
    const run: Run = { task, seed, outbox, signal, taken: [], reads: [] };
    try {
      await this.#proveAll(run);
    } finally {
      // Whatever ended it: what was built is sent, or fails by itself.
      await Promise.all(run.reads);
      await outbox.close();
      const left = run.taken.filter((duty) => duty.state === "busy" && !this.#reading.has(duty));
      for (const duty of left) duty.state = "open";
      await this.#release(epoch, left, head.number + 1);
    }
  }

  async #proveAll(run: Run): Promise<void> {
    const { task, taken, signal } = run;
    const prove = async (duties: readonly Duty[]) => {
      signal.throwIfAborted();
      await this.#begin(run, duties);
    };
    const unclaimed = async () => prove(await this.#unclaimed(task, taken));
    try {
      await this.#resume(task.epoch);
      for (let some = await this.#claim(task, taken); some !== undefined; some = await this.#claim(task, taken)) {
        await prove(some);
      }
    } catch (error) {
      await unclaimed();
      throw error;
    }
    await unclaimed();
  }

  /** Claims that this worker has and knows nothing of are anybody's again: of an epoch, one run is under way at a time. */
  async #resume(epoch: number): Promise<void> {
    const ids = this.#o.host.left(epoch).map(({ deal }) => deal.id);
    if (ids.length > 0) await this.#o.duties.resume(epoch, ids);
  }

  /**
   * Duties that could not be claimed and are lost by waiting: from half of their window on those that no other worker has that lives;
   * when little is left, all. Claims save work; what is proven does not hang on them. The journal's guards stay.
   */
  async #unclaimed({ epoch, key, head: { number } }: ProverTask, taken: Duty[]): Promise<Duty[]> {
    const { duties, host } = this.#o;
    const pressing = host.left(epoch).filter((duty) => duty.isPressing(number) && duty.isDue(number));
    const waiting = pressing.filter((duty) => !duty.isUrgent(number)).map(({ deal }) => deal.id);
    // Where nobody can say, others are believed to have them for a while.
    const cared = new Set(waiting.length === 0 ? [] : await duties.cared(epoch, key, waiting).catch(() => waiting));
    const own = pressing.flatMap(({ deal: { id } }) => (cared.has(id) ? [] : (host.take(epoch, id) ?? [])));
    taken.push(...own);
    return own;
  }

  /** The next portion; undefined where nothing is left for this worker. @param all - what was taken in this run */
  async #claim({ epoch, key, head }: ProverTask, all: Duty[]): Promise<Duty[] | undefined> {
    const { duties, host } = this.#o;
    const claims = await duties.claim({ epoch, key, head: head.number, limit: this.#o.portion });
    if (claims.length === 0) return undefined;
    const taken: Duty[] = [];
    const strange: bigint[] = [];
    for (const { id } of claims) {
      const duty = host.take(epoch, id);
      if (duty === undefined) strange.push(id);
      else taken.push(duty);
    }
    all.push(...taken);
    if (strange.length > 0) await this.#note(() => duties.release(epoch, strange, head.number + 1));
    const mine = new Set(taken.map(({ deal }) => deal.id));
    host.claimed(claims.filter(({ id }) => mine.has(id)));
    return taken;
  }

  /** Resolves when all of them are being read, or wait among the slow ones. What is not begun is given back by whoever ended it. */
  async #begin(run: Run, duties: readonly Duty[]): Promise<void> {
    for (const duty of duties) {
      await run.outbox.ready();
      if (run.signal.aborted) return;
      if (duty.proof?.key === run.task.key) this.#built(run, duty, duty.proof.bytes);
      else {
        const { result, setAside } = await this.#reads.begin(duty.deal.id, () => this.#read(run, duty));
        this.#reading.add(duty);
        run.reads.push(Promise.race([setAside, this.#finish(run, duty, result)]));
      }
    }
  }

  async #read({ seed, signal }: Run, duty: Duty): Promise<Uint8Array> {
    signal.throwIfAborted();
    return buildProof(this.#o.chain, this.#o.pieces, duty, seed);
  }

  #built({ outbox }: Run, duty: Duty, proof: Uint8Array): void {
    const { id } = duty.deal;
    // Where nobody sends it any more, the next run does.
    if (!outbox.add({ id, window: duty.window, duty, proof })) duty.state = "open";
  }

  /** Never fails: what can't be read is told of, and tried again. */
  async #finish(run: Run, duty: Duty, reading: Promise<Uint8Array>): Promise<void> {
    const { task, signal } = run;
    try {
      const proof = await reading;
      duty.proof = { key: task.key, bytes: proof };
      this.#built(run, duty, proof);
    } catch (error) {
      // At the end all claims are given back.
      if (signal.aborted) duty.state = "open";
      else await this.#proveBySector(task, duty, error, signal);
    } finally {
      this.#reading.delete(duty);
    }
  }

  /** Never fails: what can't be sent is told of, and tried again. */
  async #send(task: ProverTask, proofs: readonly Proof[], signal: AbortSignal): Promise<void> {
    const failures: Promise<void>[] = [];
    const refused = (items: readonly Proof[], error: unknown) => {
      const duties = items.map(({ duty }) => duty);
      failures.push(this.#fail(task, duties, error));
    };
    await sendSplitting(proofs, (items) => this.#submit(task, items, signal), refused);
    await Promise.all(failures);
  }

  async #submit(task: ProverTask, proofs: readonly Proof[], signal: AbortSignal): Promise<void> {
    const { chain, duties, host, submitter } = this.#o;
    const { epoch, key } = task;
    // The head may have become stale since the run began.
    chain.follower.watch?.requireFresh();
    // What is pressing is sent whoever has it.
    const claimed = proofs.filter(({ duty }) => !duty.isPressing(task.head.number)).map(({ id }) => id);
    const held = new Set(claimed.length === 0 ? [] : await duties.held(epoch, key, claimed));
    const isLost = ({ id, duty }: Proof) => !held.has(id) && !duty.isPressing(task.head.number);
    const mine = proofs.filter((proof) => !isLost(proof));
    if (mine.length < proofs.length) host.lost(proofs.filter(isLost).map(({ duty }) => duty));
    if (mine.length === 0) return;
    const { outcomes, batch } = await submitter.submit(mine, signal);
    if (batch !== undefined) host.sent(batch);
    const done: bigint[] = [];
    for (const { id, duty } of mine) {
      const outcome = outcomes.get(id);
      if (outcome === undefined || outcome.kind === "refused") await this.#refused(task, duty, outcome);
      else {
        done.push(id);
        host.proven(duty, outcome);
      }
    }
    await this.#note(() => duties.done(epoch, done, batch?.block));
  }

  /** What is left where the bytes of a piece can't be read. Never fails. @param unread - why they can't */
  async #proveBySector(task: ProverTask, duty: Duty, unread: unknown, signal: AbortSignal): Promise<void> {
    const { sectors, duties, host } = this.#o;
    let outcome: Outcome | undefined;
    try {
      outcome = await sectors?.prove(duty, signal);
    } catch (error) {
      if (signal.aborted) duty.state = "open";
      else await this.#fail(task, [duty], error);
      return;
    }
    if (outcome === undefined) return this.#fail(task, [duty], unread);
    if (outcome.kind === "refused") return this.#fail(task, [duty], skipped(duty.deal.id, outcome.message));
    host.proven(duty, outcome);
    const block = outcome.kind === "proven" ? outcome.block : undefined;
    await this.#note(() => duties.done(task.epoch, [duty.deal.id], block));
  }

  #refused(task: ProverTask, duty: Duty, outcome: Extract<Outcome, { kind: "refused" }> | undefined): Promise<void> {
    if (SEED_FAULTS.has(outcome?.reason)) this.#o.seeds.forgetAfter(task.epoch - 1);
    duty.proof = undefined;
    return this.#fail(task, [duty], skipped(duty.deal.id, outcome?.message ?? "the market says nothing of it"));
  }

  async #fail({ epoch }: ProverTask, duties: readonly Duty[], error: unknown): Promise<void> {
    const { host } = this.#o;
    for (const [retryAt, some] of Map.groupBy(duties, (duty) => host.failed(duty, error))) {
      await this.#release(epoch, some, retryAt);
    }
  }

  async #release(epoch: number, duties: readonly Duty[], retryAt: number): Promise<void> {
    const ids = duties.map(({ deal }) => deal.id);
    if (ids.length > 0) await this.#note(() => this.#o.duties.release(epoch, ids, retryAt));
  }

  /** What can't be noted now is noted before anything else is begun: nobody else can take what this worker has. */
  async #note(note: () => Promise<void>): Promise<void> {
    try {
      await note();
    } catch (err) {
      this.#o.logger.warn({ err }, "what became of duties could not be noted");
      this.#unnoted.push(note);
    }
  }
}

function skipped(id: bigint, reason: string): HoldfastError {
  return new HoldfastError(
    "SKIPPED",
    `The proof of deal ${idText(id)} was not accepted: ${reason}`,
    "It is tried again while the window is open; look the error up in IStorageMarket.",
  );
}
