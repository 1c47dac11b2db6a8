/** Seeds of challenge epochs, checkpointed first where the chain's randomness needs that. */
import type { Logger } from "pino";
import { epochKey } from "../chain/blocks.js";
import type { Chain } from "../chain/chain.js";
import { ChainError } from "../chain/errors.js";
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

/** Reads seeds, each once: many deals share an epoch. */
export class SeedReader {
  readonly #options: SeedReaderOptions;
  /** By the key of the epoch's block: where that is another, so may be the seed. */
  readonly #known = new Map<string, { readonly epoch: number; readonly seed: bigint }>();
  readonly #reading = new Map<string, Promise<bigint>>();

  constructor(options: SeedReaderOptions) {
    this.#options = options;
  }

  /**
   * The seed of an epoch that is past. One that can't be had keeps no other waiting.
   *
   * @param key - of the epoch's block (see `epochKey`), where the caller knows it
   * @throws {HoldfastError} `SEED_LOST` where nobody checkpointed it in time; a `ChainError` where it can't be read yet,
   *   `REORGANISED` where the epoch's block is another by now.
   */
  async seed(epoch: number, signal: AbortSignal, key?: string): Promise<bigint> {
    const at = key ?? (await this.#keyOf(epoch));
    const known = this.#known.get(at)?.seed ?? this.#reading.get(at);
    if (known !== undefined) return known;
    const reading = this.#obtain(epoch, at, signal).finally(() => this.#reading.delete(at));
    this.#reading.set(at, reading);
    const seed = await reading;
    this.#known.set(at, { epoch, seed });
    if (this.#known.size > KEPT) this.#known.delete(this.#known.keys().next().value!);
    return seed;
  }

  /** Forgets the seeds of all epochs after a block. */
  forgetAfter(block: number): void {
    for (const [key, { epoch }] of this.#known) if (epoch > block) this.#known.delete(key);
  }

  async #keyOf(epoch: number): Promise<string> {
    const key = await epochKey(this.#options.chain.provider, epoch);
    if (key === undefined) throw reorganised(epoch);
    return key;
  }

  async #obtain(epoch: number, key: string, signal: AbortSignal): Promise<bigint> {
    const { chain, sender, logger, onCheckpoint } = this.#options;
    const told = (at: number, hash: string) => {
      logger.info({ epoch: at, hash }, "seed checkpointed");
      onCheckpoint(at, hash);
    };
    const seed = await obtainSeed({ ...chain, sender }, epoch, { signal, onCheckpoint: told });
    if ((await this.#keyOf(epoch)) !== key) throw reorganised(epoch);
    return seed;
  }
}

function reorganised(epoch: number): ChainError {
  const message = `Failed to read the seed of epoch ${epoch}: the chain was reorganised meanwhile`;
  return new ChainError("REORGANISED", message, "It is read again at the next head.", "retry", undefined);
}
