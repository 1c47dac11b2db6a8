import { setTimeout as delay } from "node:timers/promises";
import { type JsonRpcProvider, toQuantity } from "ethers";

/** How often a condition is looked at, in milliseconds. */
const POLL_MS = 40;

/**
 * The demo's time. Its chain makes blocks when it is told to, so that hours pass in a second and a slow machine misses
 * nothing: the clock stands while somebody still has something to do.
 */
export class ChainClock {
  readonly #provider: JsonRpcProvider;
  /** Blocks by which it goes on at a time. */
  readonly stride: number;

  constructor(provider: JsonRpcProvider, stride: number) {
    this.#provider = provider;
    this.stride = stride;
  }

  /** The latest block. */
  async now(): Promise<number> {
    return Number(await this.#provider.send("eth_blockNumber", []));
  }

  /** So many blocks more, one stride by default. */
  async tick(blocks = this.stride): Promise<number> {
    await this.#provider.send("anvil_mine", [toQuantity(blocks)]);
    return this.now();
  }

  /** Stands still until `condition` holds, or `ms` are over. Tells which. */
  async waitFor(condition: () => Promise<boolean> | boolean, ms: number): Promise<boolean> {
    const end = performance.now() + ms;
    for (;;) {
      if (await condition()) return true;
      if (performance.now() > end) return false;
      await delay(POLL_MS);
    }
  }
}
