/** The heartbeat of a keeper that shares its duties. */
import type { Logger } from "pino";
import type { Clock } from "../chain/clock.js";
import type { Duties } from "../store/duties.js";

export interface BeatingOptions {
  readonly duties: Duties;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told how many keepers live, when that changes. */
  readonly onAlive: (alive: number) => void;
}

/** Beats in one lease: a few may be lost. */
const BEATS = 6;

/**
 * Says that this keeper lives, beside whatever it does, until the signal is aborted. A beat that fails is tried again at the next.
 *
 * @returns when the first beat is over, and when all are
 */
export function beating(
  { duties, clock, logger, onAlive }: BeatingOptions,
  signal: AbortSignal,
): { readonly first: Promise<void>; readonly ended: Promise<void> } {
  let known = 0;
  const beat = async () => {
    try {
      const alive = await duties.beat();
      if (alive === known) return;
      known = alive;
      logger.info({ alive }, "keepers share these duties");
      onAlive(alive);
    } catch (err) {
      logger.error({ err }, "a heartbeat failed");
    }
  };
  const first = beat();
  const ended = (async () => {
    await first;
    while (!signal.aborted) {
      await clock.sleep(duties.leaseMs / BEATS, signal).catch(() => undefined);
      if (!signal.aborted) await beat();
    }
  })();
  return { first, ended };
}
