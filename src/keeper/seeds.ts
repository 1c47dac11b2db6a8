/** Seeds of challenge epochs, checkpointed first where the chain's randomness needs that. */
import type { Logger } from "pino";
import type { Chain } from "../chain/chain.js";
import { Mutex } from "../chain/mutex.js";
import { obtainSeed } from "../chain/seeds.js";
import type { TransactionSender } from "../chain/sender.js";

/** Seeds kept in memory: more epochs than are ever open at once. */
const KEPT = 1_024;

export interface SeedReaderOptions {
  readonly chain: Chain;
  readonly sender: TransactionSender;
  readonly logger: Logger;
  /** Called with each checkpoint that this reader sent. */
  readonly onCheckpoint: (epoch: number, hash: string) => void;
}

export class SeedReader {
  readonly #options: SeedReaderOptions;
  readonly #known = new Map<number, bigint>();
  /** Many deals share an epoch: it is read, and checkpointed, once. */
  readonly #reading = new Mutex();

  constructor(options: SeedReaderOptions) {
    this.#options = options;
  }

  /**
   * The seed of an epoch that is past.
   *
   * @throws {HoldfastError} `SEED_LOST` where nobody checkpointed it in time; a `ChainError` where it can't be read yet.
   */
  seed(epoch: number, signal: AbortSignal): Promise<bigint> {
    return this.#reading.run(async () => {
      const known = this.#known.get(epoch);
      if (known !== undefined) return known;
      const seed = await this.#obtain(epoch, signal);
      this.#known.set(epoch, seed);
      if (this.#known.size > KEPT) this.#known.delete(this.#known.keys().next().value!);
      return seed;
    });
  }

  /** Forgets the seeds of all epochs after a block: they are drawn anew. */
  forgetAfter(block: number): void {
    for (const epoch of this.#known.keys()) if (epoch > block) this.#known.delete(epoch);
  }

  #obtain(epoch: number, signal: AbortSignal): Promise<bigint> {
    const { chain, sender, logger, onCheckpoint } = this.#options;
    const told = (at: number, hash: string) => {
      logger.info({ epoch: at, hash }, "seed checkpointed");
      onCheckpoint(at, hash);
    };
    return obtainSeed({ ...chain, sender }, epoch, { signal, onCheckpoint: told });
  }
}
