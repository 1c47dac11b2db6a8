/** Proofs that are built and wait to be sent: in batches as large as the chain takes, and none of them for long. */
import { type BatchLimits, ProofBatcher } from "./batches.js";

export interface OutboxOptions<T> {
  readonly limits: BatchLimits;
  /** Milliseconds that a proof waits for others to fill its batch. */
  readonly waitMs: number;
  /** Sends a batch. Must not fail. */
  readonly send: (batch: readonly T[]) => Promise<void>;
}

/** Transactions on their way at a time: nodes keep few of one account that wait for a block. */
const MAX_SENDING = 16;

export class Outbox<T extends { readonly proof: Uint8Array }> {
  readonly #o: OutboxOptions<T>;
  readonly #batcher: ProofBatcher<T>;
  /** Batches that are sent, and those that wait until they may be. */
  readonly #jobs = new Set<Promise<void>>();
  readonly #sending = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: OutboxOptions<T>) {
    this.#o = options;
    this.#batcher = new ProofBatcher(options.limits);
  }

  /** Resolves when a batch that is full now would be sent at once. */
  async ready(): Promise<void> {
    while (this.#sending.size >= MAX_SENDING) await Promise.race(this.#sending);
  }

  /** Takes a proof; false where it is closed. */
  add(item: T): boolean {
    if (this.#isClosed) return false;
    const full = this.#batcher.add(item);
    if (full !== undefined) this.#post(full);
    this.#timer ??= setTimeout(() => this.#post(this.#batcher.take()), this.#o.waitMs);
    return true;
  }

  /** Sends what is left, and resolves when everything has come to its end. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#post(this.#batcher.take());
    await Promise.all(this.#jobs);
  }

  #post(batch: readonly T[]): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (batch.length === 0) return;
    const job = this.#send(batch).finally(() => this.#jobs.delete(job));
    this.#jobs.add(job);
  }

  async #send(batch: readonly T[]): Promise<void> {
    // Not by `ready`: of all that it lets go on at the same time, each has to look again.
    while (this.#sending.size >= MAX_SENDING) await Promise.race(this.#sending);
    const sending = this.#o.send(batch).finally(() => this.#sending.delete(sending));
    this.#sending.add(sending);
    await sending;
  }
}
