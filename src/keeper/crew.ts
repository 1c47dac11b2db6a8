/** The keepers of one process, and what they share. */
import type { Logger } from "pino";
import type { Chain } from "../chain/chain.js";
import { systemClock } from "../chain/clock.js";
import type { TransactionSender } from "../chain/sender.js";
import { Doppelganger } from "./doppelganger.js";
import type { KeeperObserver } from "./ops/observer.js";
import { ProvingKeeper, type ProvingKeeperOptions } from "./proving.js";
import { RestoringKeeper, type RestoringKeeperOptions } from "./restoring.js";
import { keepSending } from "./sending.js";
import { WatchingKeeper, type WatchingKeeperOptions } from "./watching.js";

/** Milliseconds before a service that has stopped is run again. */
const AGAIN_MS = 5_000;

type Shared = "chain" | "sender" | "logger";

export interface CrewOptions {
  readonly chain: Chain;
  /** Sends proofs, checkpoints and settlements, and pays for them. */
  readonly sender: TransactionSender;
  readonly logger: Logger;
  /** Whose deals are proven; without it, nobody's. */
  readonly proving?: Omit<ProvingKeeperOptions, Shared | "guard">;
  /** Blocks for which it stands back for somebody else with its key, see {@link Doppelganger}. */
  readonly standBackBlocks?: number;
  /** Milliseconds for which what is on its way is left to others on the same journal, see {@link keepSending}. */
  readonly leaveMs?: number;
  /** How anybody's deals are settled; without it, none are. */
  readonly settling?: Omit<WatchingKeeperOptions, Shared>;
  /** How misses are made good; without it, none are. Its sender is the provider's own account. */
  readonly restoring?: Omit<RestoringKeeperOptions, "chain" | "logger">;
  /** Measures them, and says how well they do. */
  readonly observer?: KeeperObserver;
}

/** What runs until its signal is aborted. */
export interface Service {
  run(signal: AbortSignal): Promise<void>;
}

/**
 * The keepers that an operator has chosen, run together. None stops another, and what their accounts have on its way is gone on
 * with after a crash and a reorganisation.
 *
 * @example
 * const crew = new Crew({ chain, sender, logger, proving: { provider, pieces: store }, settling: {} });
 * crew.proving?.on("proven", ({ id, window }) => console.log(id, window));
 * await crew.run(signal);
 */
export class Crew implements Service {
  readonly proving: ProvingKeeper | undefined;
  readonly settling: WatchingKeeper | undefined;
  readonly restoring: RestoringKeeper | undefined;
  readonly guard: Doppelganger;
  readonly #options: CrewOptions;

  constructor(options: CrewOptions) {
    const { chain, sender, logger, proving, settling, restoring, observer, standBackBlocks: blocks } = options;
    const shared = { chain, sender, logger };
    this.#options = options;
    this.guard = new Doppelganger({ ...shared, ...(blocks !== undefined && { blocks }) });
    this.proving = proving && new ProvingKeeper({ ...proving, ...shared, guard: this.guard });
    this.settling = settling && new WatchingKeeper({ ...settling, ...shared });
    this.restoring = restoring && new RestoringKeeper({ ...restoring, chain, logger });
    observer?.guarding(this.guard);
    if (this.proving) observer?.proving(this.proving);
    if (this.settling) observer?.settling(this.settling);
    if (this.restoring) observer?.restoring(this.restoring);
  }

  /** Works until the signal is aborted, then waits for what is under way to notice. */
  async run(signal: AbortSignal): Promise<void> {
    const { logger, observer } = this.#options;
    const keepers = [this.guard, this.proving, this.settling, this.restoring, observer].filter(
      (one) => one !== undefined,
    );
    const kept = keepers.map((keeper) => keepRunning(keeper, logger, signal));
    await Promise.all([...kept, this.#sendOn(signal)]);
  }

  async #sendOn(signal: AbortSignal): Promise<void> {
    const { chain, sender, restoring, logger, leaveMs = 0 } = this.#options;
    const senders = new Set(restoring === undefined ? [sender] : [sender, restoring.sender]);
    await Promise.all([...senders].map((one) => keepSending({ chain, sender: one, logger, leaveMs }, signal)));
  }
}

/**
 * Runs a service that only a defect can stop: that is told of, stops no other, and the service is run again. One that stood still
 * would be the worst of all: nothing would be wrong but that nothing is proven.
 */
export async function keepRunning(
  service: Service,
  logger: Logger,
  signal: AbortSignal,
  clock = systemClock,
): Promise<void> {
  while (!signal.aborted) {
    try {
      return await service.run(signal);
    } catch (error) {
      if (signal.aborted) return;
      logger.error({ err: error, again: AGAIN_MS }, "a service has stopped, and is run again");
      await clock.sleep(AGAIN_MS, signal).catch(() => undefined);
    }
  }
}
