/**
 * Requests that cost more than they look like: each asks the chain several times, by the endpoints that proofs are sent by, and
 * may have a key far away sign.
 *
 * @packageDocumentation
 */
import { LRUCache } from "lru-cache";
import { HoldfastError } from "../errors.js";
import { Slots } from "../store/blobs/slots.js";

export interface TurnstileOptions {
  /** Requests of one network in 50 seconds, all at once or spread; 100 by default. */
  readonly maxPeerRequests?: number;
  /** Milliseconds, as of any clock that only goes forward. */
  readonly now?: () => number;
}

/** Milliseconds in which a network that has asked as often as it may can do so again. */
const REFILL_MS = 50_000;
/** Requests that are answered at the same time, and those that may wait for it. */
const MAX_AT_ONCE = 8;
const MAX_WAITING = 64;
/** Networks that are remembered: more than can fill what waits, each with what it may. */
const MAX_PEERS = 10_000;

/** Lets requests through: of each network so many, and of all of them a few at a time. */
export class Turnstile {
  readonly #most: number;
  readonly #now: () => number;
  /** What each has left, and as of when. */
  readonly #left = new LRUCache<string, { readonly requests: number; readonly at: number }>({ max: MAX_PEERS });
  readonly #slots = new Slots(MAX_AT_ONCE);
  #inside = 0;

  constructor({ maxPeerRequests = 100, now = () => performance.now() }: TurnstileOptions = {}) {
    this.#most = maxPeerRequests;
    this.#now = now;
  }

  /** Runs `task` when it is its turn. @throws HoldfastError `ASKED_TOO_OFTEN`, `NODE_BUSY`; what `task` throws */
  async run<T>(peer: string, task: () => Promise<T>): Promise<T> {
    if (this.#inside >= MAX_AT_ONCE + MAX_WAITING) {
      throw new HoldfastError("NODE_BUSY", `${this.#inside} requests are being answered`, "try again in a moment");
    }
    this.#charge(peer);
    this.#inside++;
    try {
      return await this.#slots.run(task);
    } finally {
      this.#inside--;
    }
  }

  #charge(peer: string): void {
    const now = this.#now();
    const { requests, at } = this.#left.get(peer) ?? { requests: this.#most, at: now };
    const left = Math.min(this.#most, requests + ((now - at) * this.#most) / REFILL_MS);
    if (left < 1) {
      const message = `your network has asked for ${this.#most} signatures or pulls in ${REFILL_MS / 1_000} seconds`;
      throw new HoldfastError("ASKED_TOO_OFTEN", message, "ask more slowly");
    }
    this.#left.set(peer, { requests: left - 1, at: now });
  }
}
