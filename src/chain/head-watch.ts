/** Whether the head that this machine knows is the chain's: who acts on an old one proves, pays and slashes blindly. */
import { HoldfastError } from "../errors.js";
import { type Clock, systemClock } from "./clock.js";
import type { Head } from "./follower.js";

export interface HeadWatchOptions {
  /** Seconds between blocks, about. */
  readonly blockSeconds: number;
  /** Block times without a new head after which the one known is stale; 10 by default. */
  readonly maxBlocks?: number;
  /** Seconds that any head may be old, however fast the chain; 60 by default: clocks differ, and nodes take breath. */
  readonly leastSeconds?: number;
  readonly clock?: Clock;
}

/** How the head stands. Seconds. */
export interface HeadState {
  /** 0 before the first head. */
  readonly number: number;
  /** Since a new head was seen, by this machine's clock; since the watch began, before the first. */
  readonly sinceNew: number;
  /** By how much the head's timestamp is behind this machine's clock; negative where it is ahead. */
  readonly age: number;
  readonly stale: boolean;
}

/**
 * Watches heads go by. Stale means: no new one within so many block times by the machine's clock, or one whose own timestamp
 * is that old.
 *
 * @example
 * ```ts
 * const watch = new HeadWatch({ blockSeconds: 30 });
 * for await (const { head } of follower.heads(signal)) watch.saw(head);
 * watch.requireFresh(); // throws STALE_HEAD
 * ```
 */
export class HeadWatch {
  readonly #clock: Clock;
  /** Seconds after which a head is stale. */
  readonly maxSeconds: number;
  #head: Head | undefined;
  #since: number;

  constructor({ blockSeconds, maxBlocks = 10, leastSeconds = 60, clock = systemClock }: HeadWatchOptions) {
    this.#clock = clock;
    this.maxSeconds = Math.max(leastSeconds, maxBlocks * blockSeconds);
    this.#since = clock.now();
  }

  /** Notes the head that a node names; the same one again is no news. */
  saw(head: Head): void {
    if (head.hash === this.#head?.hash) return;
    this.#head = head;
    this.#since = this.#clock.now();
  }

  get state(): HeadState {
    const now = this.#clock.now();
    const sinceNew = (now - this.#since) / 1_000;
    const age = this.#head === undefined ? sinceNew : now / 1_000 - this.#head.timestamp;
    const stale = sinceNew > this.maxSeconds || age > this.maxSeconds;
    return { number: this.#head?.number ?? 0, sinceNew, age, stale };
  }

  /** @throws {HoldfastError} `STALE_HEAD`. */
  requireFresh(): void {
    const { number, sinceNew, age, stale } = this.state;
    if (!stale) return;
    const message = `Block ${number} is ${Math.round(age)} s old, and none has come for ${Math.round(sinceNew)} s`;
    const hint = "Nothing is sent meanwhile. Check the endpoints, that the chain lives, and this machine's clock.";
    throw new HoldfastError("STALE_HEAD", message, hint);
  }
}
