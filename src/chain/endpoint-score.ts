/** How well an endpoint does, as one number: pure arithmetic over what happened and when. */

/** Weight of the newest latency in the mean. */
const LATENCY_WEIGHT = 0.2;
/** Weight of the newest outcome in the share of failures: three in a row, and it is past a half. */
const FAILURE_WEIGHT = 0.25;
/** Milliseconds after which a failure counts half: who is not asked can't do better, and has to be given a chance. */
const FORGIVING_MS = 30_000;
/** The latency, in ms, that halves a score; and blocks behind the best that do. */
const HALF_LATENCY_MS = 500;
const HALF_LAG = 2;

/**
 * The record of one endpoint. Times are milliseconds of any clock that runs forward.
 *
 * @example
 * const score = new EndpointScore();
 * score.succeeded(40, clock.now());
 * score.value(clock.now(), 0); // 0.93
 */
export class EndpointScore {
  #latencyMs: number | undefined;
  #failures = 0;
  #failuresAt = 0;
  #restsUntil = 0;

  /** An answer came after `ms`. */
  succeeded(ms: number, now: number): void {
    this.#latencyMs = this.#latencyMs === undefined ? ms : this.#latencyMs + LATENCY_WEIGHT * (ms - this.#latencyMs);
    this.#note(0, now);
  }

  /** None came. `restMs`: it asked to be left alone for so long. */
  failed(now: number, restMs = 0): void {
    this.#note(1, now);
    this.#restsUntil = Math.max(this.#restsUntil, now + restMs);
  }

  /** Mean latency in ms, the newest counting most; undefined before the first answer. */
  get latencyMs(): number | undefined {
    return this.#latencyMs;
  }

  /** Share of failures, from 0 to 1, the newest counting most. */
  errorRate(now: number): number {
    return this.#failures * 0.5 ** ((now - this.#failuresAt) / FORGIVING_MS);
  }

  /** Milliseconds until it may be asked again; 0 where it may be now. */
  restMs(now: number): number {
    return Math.max(0, this.#restsUntil - now);
  }

  /**
   * From 0 to 1, 1 being best: (1 - e)² / ((1 + t/500 ms) (1 + l/2)) of error rate e, latency t and l blocks behind.
   *
   * @param lag - Blocks behind the best endpoint.
   */
  value(now: number, lag: number): number {
    const latency = 1 + (this.#latencyMs ?? HALF_LATENCY_MS) / HALF_LATENCY_MS;
    return (1 - this.errorRate(now)) ** 2 / (latency * (1 + lag / HALF_LAG));
  }

  #note(failure: 0 | 1, now: number): void {
    const before = this.errorRate(now);
    this.#failures = before + FAILURE_WEIGHT * (failure - before);
    this.#failuresAt = now;
  }
}
