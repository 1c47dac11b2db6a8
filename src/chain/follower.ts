/** Following a chain by polling: new heads, reorganisations, and logs in ranges that a node will answer. */
import type { Block, Filter, JsonRpcApiProvider } from "ethers";
import type { Logger } from "pino";
import { blockAt } from "./blocks.js";
import { type Clock, systemClock } from "./clock.js";
import type { HeadWatch } from "./head-watch.js";
import { type LogRange, logsBetween } from "./logs.js";

export interface Head {
  readonly number: number;
  readonly hash: string;
  /** Unix seconds. */
  readonly timestamp: number;
  /** Gas that one block holds. */
  readonly gasLimit: bigint;
}

/** A new head, compared with the one that the same reader had before. */
export interface HeadUpdate {
  readonly head: Head;
  /**
   * Set where blocks that were followed are gone: the highest block that is known to have stayed. What was read from
   * later ones has to be read again.
   */
  readonly ancestor?: number;
}

export interface FollowerOptions {
  readonly provider: JsonRpcApiProvider;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** Milliseconds between polls; 1,000 by default. */
  readonly pollMs?: number;
  /** How many heads are remembered to notice a reorganisation; 64 by default. */
  readonly depth?: number;
  /** Blocks in one `eth_getLogs` at most, see `logsBetween`. */
  readonly logRange?: number;
  /** Told of every head; says when there is none that is new enough to act on. */
  readonly watch?: HeadWatch;
}

interface Seen {
  readonly number: number;
  readonly hash: string;
}

/**
 * Follows one chain for any number of readers.
 *
 * @example
 * ```ts
 * for await (const { head, ancestor } of follower.heads(signal)) {
 *   const from = Math.min(ancestor ?? Infinity, last) + 1;
 *   for await (const { logs, to } of follower.logs({ address: deployment.market }, from, head.number, signal)) {
 *     read(logs);
 *     last = to;
 *   }
 * }
 * ```
 */
export class BlockFollower {
  readonly #provider: JsonRpcApiProvider;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #pollMs: number;
  readonly #depth: number;
  readonly #logRange: number | undefined;
  /** Undefined where no head is ever late: on a chain that mines when a developer says so. */
  readonly watch: HeadWatch | undefined;

  constructor(options: FollowerOptions) {
    this.#provider = options.provider;
    this.#logger = options.logger;
    this.#clock = options.clock ?? systemClock;
    this.#pollMs = options.pollMs ?? 1_000;
    this.#depth = options.depth ?? 64;
    this.#logRange = options.logRange;
    this.watch = options.watch;
  }

  /**
   * Every new head, beginning with the present one; a reader that takes its time skips those in between. A node that
   * does not answer is asked again; one that falls back to a block which was followed already is waited for.
   *
   * @param signal - Ends the heads, without an error.
   */
  async *heads(signal: AbortSignal): AsyncGenerator<HeadUpdate, void, undefined> {
    const seen: Seen[] = [];
    while (!signal.aborted) {
      const update = await this.#poll(seen);
      if (update !== undefined) yield update;
      if (signal.aborted) return;
      try {
        await this.#clock.sleep(this.#pollMs, signal);
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    }
  }

  async #poll(seen: Seen[]): Promise<HeadUpdate | undefined> {
    try {
      const block = await this.#provider.getBlock("latest");
      if (block === null || block.hash === null) return undefined;
      if (seen.some(({ hash }) => hash === block.hash)) return undefined;
      const head = { number: block.number, hash: block.hash, timestamp: block.timestamp, gasLimit: block.gasLimit };
      this.watch?.saw(head);
      const ancestor = await this.#ancestor(seen, block);
      const before = seen.length;
      while (ancestor !== undefined && seen.length > 0 && seen.at(-1)!.number > ancestor) seen.pop();
      seen.push(head);
      if (seen.length > this.#depth) seen.shift();
      if (ancestor === undefined) return { head };
      this.#logger.warn({ head: head.number, ancestor, heads: before }, "the chain was reorganised");
      return { head, ancestor };
    } catch (error) {
      this.#logger.warn({ err: error }, "asking for the head failed");
      return undefined;
    }
  }

  /** The highest followed block that is still there, where the latest one is not; undefined where it is. */
  async #ancestor(seen: readonly Seen[], block: Block): Promise<number | undefined> {
    const last = seen.at(-1);
    if (last === undefined || block.parentHash === last.hash) return undefined;
    for (let i = seen.length - 1; i >= 0; i--) {
      const { number, hash } = seen[i]!;
      if (number < block.number && (await blockAt(this.#provider, number))?.hash === hash) {
        return i === seen.length - 1 ? undefined : number;
      }
    }
    return Math.min(seen[0]!.number, block.number) - 1;
  }

  /**
   * The logs of blocks `from` to `to`, both included, in order, a range at a time, each with the last block of its range.
   * A range that the node refuses (too many logs, too many blocks) is halved.
   *
   * @throws What the node answers for a single block; the reason of `signal`.
   */
  logs(
    filter: Omit<Filter, "fromBlock" | "toBlock">,
    from: number,
    to: number,
    signal: AbortSignal,
  ): AsyncGenerator<LogRange, void, undefined> {
    const onRefused = (err: unknown, at: number, end: number) =>
      this.#logger.debug({ err, from: at, to: end }, "the node refused a range of logs, asking for half of it");
    return logsBetween(this.#provider, filter, from, to, {
      ...(this.#logRange === undefined ? {} : { range: this.#logRange }),
      signal,
      onRefused,
    });
  }
}
