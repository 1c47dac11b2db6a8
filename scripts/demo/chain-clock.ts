import { setTimeout as delay } from "node:timers/promises";
import type { JsonRpcProvider } from "ethers";

/** How often a condition is looked at, in milliseconds. */
const POLL_MS = 40;

/**
 * The demo's time. Its chain makes a block when it is told to, so that hours pass in a second and a slow machine misses
 * nothing: the clock stands while somebody still has something to do.
 */
export class ChainClock {
  readonly #provider: JsonRpcProvider;

  constructor(provider: JsonRpcProvider) {
    this.#provider = provider;
  }

  /** The latest block. */
  async now(): Promise<number> {
    return Number(await this.#provider.send("eth_blockNumber", []));
  }

  /** One block more. */
  async tick(): Promise<number> {
    await this.#provider.send("evm_mine", []);
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
