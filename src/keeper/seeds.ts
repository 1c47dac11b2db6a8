/** Seeds of challenge epochs, checkpointed first where the chain's randomness needs that. */
import { toQuantity } from "ethers";
import type { Logger } from "pino";
import type { IRandaoRandomness } from "../../typechain-types/index.js";
import type { Chain } from "../chain/chain.js";
import { chainError } from "../chain/errors.js";
import { encodeHeader, type HeaderJson } from "../chain/header.js";
import { Mutex } from "../chain/mutex.js";
import type { TransactionSender } from "../chain/sender.js";
import { HoldfastError } from "../errors.js";

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

  async #obtain(epoch: number, signal: AbortSignal): Promise<bigint> {
    const { randomness, randao } = this.#options.chain.contracts;
    try {
      return await randomness.seed(epoch);
    } catch (error) {
      const failed = chainError(error, `read the seed of epoch ${epoch}`);
      if (randao === undefined || failed.revert?.name !== "SeedUnavailable") throw failed;
    }
    try {
      await this.#checkpoint(randao, epoch, signal);
      return await randao.seed(epoch);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof HoldfastError) throw error;
      throw chainError(error, `checkpoint the seed of epoch ${epoch}`);
    }
  }

  async #checkpoint(randao: IRandaoRandomness, epoch: number, signal: AbortSignal): Promise<void> {
    const { chain, sender, logger, onCheckpoint } = this.#options;
    const data = randao.interface.encodeFunctionData("checkpoint", [epoch, encodeHeader(await header(chain, epoch))]);
    const call = { to: chain.deployment.randomness, data };
    const doing = `checkpoint the seed of epoch ${epoch}`;
    try {
      const sent = await sender.send(call, doing, signal);
      if (sent.status !== "mined") return;
      logger.info({ epoch, hash: sent.receipt.hash }, "seed checkpointed");
      onCheckpoint(epoch, sent.receipt.hash);
    } catch (error) {
      const failed = chainError(error, doing);
      if (failed.revert?.name === "UnknownBlockHash") throw seedLost(epoch, error);
      throw failed;
    }
  }
}

async function header({ provider }: Chain, epoch: number): Promise<HeaderJson> {
  const block: HeaderJson | null = await provider.send("eth_getBlockByNumber", [toQuantity(epoch), false]);
  if (block !== null) return block;
  throw new HoldfastError("NO_HEADER", `The node has no block ${epoch}`, "Use a node that is not behind.");
}

function seedLost(epoch: number, cause: unknown): HoldfastError {
  return new HoldfastError(
    "SEED_LOST",
    `The seed of epoch ${epoch} was not checkpointed, and the chain no longer serves that block's hash`,
    "Windows of this epoch can't be proven any more; leave a keeper running.",
    { cause },
  );
}
