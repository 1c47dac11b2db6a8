import { toQuantity } from "ethers";
import { isNullRound } from "./null-rounds.js";
import { askRpc } from "./rpc-server.js";

/** Too little for any transaction: a block that holds no more stays empty, whatever waits. */
const NO_ROOM = 20_000;

/**
 * Mines an anvil that mines nothing by itself, an epoch at a time: a block with what waits, or at a null round an empty one,
 * which is hidden from everybody. The head is never a null round.
 */
export class EpochMiner {
  readonly #anvil: string;
  readonly #gasLimit: number;

  /** @param gasLimit - of a block */
  constructor(anvil: string, gasLimit: number) {
    this.#anvil = anvil;
    this.#gasLimit = gasLimit;
  }

  async head(): Promise<number> {
    return Number(await this.#send("eth_blockNumber"));
  }

  /** So many epochs at least, up to one that has a block. */
  async mine(epochs: number): Promise<void> {
    const head = await this.head();
    let last = head + epochs;
    while (isNullRound(last)) last++;
    for (let at = head + 1; at <= last; at++) {
      // Where nothing waits, all blocks are empty anyway.
      if (!(await this.#isAwaited())) return this.#mineBlocks(last - at + 1);
      await (isNullRound(at) ? this.#mineEmpty() : this.#mineBlocks(1));
    }
  }

  async #isAwaited(): Promise<boolean> {
    const { pending } = (await this.#send("txpool_status")) as { pending: string };
    return BigInt(pending) > 0n;
  }

  async #mineEmpty(): Promise<void> {
    await this.#send("evm_setBlockGasLimit", toQuantity(NO_ROOM));
    await this.#mineBlocks(1);
    await this.#send("evm_setBlockGasLimit", toQuantity(this.#gasLimit));
  }

  async #mineBlocks(blocks: number): Promise<void> {
    await this.#send("anvil_mine", toQuantity(blocks));
  }

  async #send(method: string, ...params: readonly unknown[]): Promise<unknown> {
    const reply = await askRpc(this.#anvil, { method, params });
    if ("error" in reply) throw new Error(`anvil: ${method}: ${reply.error.message}`);
    return reply.result;
  }
}
