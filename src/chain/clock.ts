/**
 * Time for services, so that tests can bring their own. Duties are counted in blocks; this is for polling, timeouts and log
 * lines only.
 */
import { setTimeout as delay } from "node:timers/promises";

export interface Clock {
  /** Milliseconds: since the epoch, or, of a steady clock, since some moment. */
  now(): number;
  /** Resolves after `ms`; rejects with the signal's reason as soon as that is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The machine's own clock, which somebody may set: for what is compared with times of others. */
export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    try {
      await delay(ms, undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    }
  },
};

/** Milliseconds of this process, which nobody sets: for how long things take, and when they are due again. */
export const steadyClock: Clock = { ...systemClock, now: () => performance.now() };
