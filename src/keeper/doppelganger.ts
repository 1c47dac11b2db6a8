/** Whether somebody else acts with a keeper's key. */
import { EventEmitter } from "node:events";
import type { Logger } from "pino";
import { isDevelopmentChain } from "../chain/block-time.js";
import type { Chain } from "../chain/chain.js";
import type { TransactionSender } from "../chain/sender.js";
import { watchHeads } from "./heads.js";

export interface DoppelgangerOptions {
  readonly chain: Chain;
  /** Of the key that is looked after, with the journal that all of its processes share. */
  readonly sender: TransactionSender;
  readonly logger: Logger;
  /**
   * Blocks without a transaction of somebody else's before the keepers of this key act; 3 by default, 0 on a developer's own
   * chain. What would be lost by waiting is done all the same.
   */
  readonly blocks?: number;
}

export interface DoppelgangerEvents {
  /** Another process has sent with this key: the nonces that no journal of ours has. */
  doppelganger: [{ readonly account: string; readonly nonces: readonly number[]; readonly block: number }];
}

const DEFAULT_BLOCKS = 3;
/** Half of the blocks for which journals keep what is mined. */
const MAX_GAP = 128;

/**
 * Watches the nonces of an account. A transaction that is not in the journal is another process's, which shares the key and nothing
 * else: both would do each duty. Processes with one journal know each other's.
 *
 * At the start, and after each such transaction, it asks keepers to stand back for a few blocks. Two that stand back from
 * each other would miss windows; so keepers act all the same where waiting would lose one. That costs gas at most: the market takes
 * each proof once.
 *
 * @example
 * ```ts
 * const guard = new Doppelganger({ chain, sender, logger });
 * guard.on("doppelganger", ({ account }) => page(`somebody else sends with ${account}`));
 * const keeper = new ProvingKeeper({ chain, sender, pieces, provider, guard, logger });
 * await Promise.all([guard.run(signal), keeper.run(signal)]);
 * ```
 */
export class Doppelganger extends EventEmitter<DoppelgangerEvents> {
  readonly #options: DoppelgangerOptions;
  readonly #logger: Logger;
  readonly #blocks: number;
  /** Nonces below are looked through. Undefined before the first head. */
  #from: number | undefined;
  /** The head from which on there was nothing of somebody else's. */
  #quietSince: number | undefined;
  #head = 0;
  #lastSeen: number | undefined;

  constructor(options: DoppelgangerOptions) {
    super();
    const { deployment } = options.chain;
    this.#options = options;
    this.#blocks = options.blocks ?? (isDevelopmentChain(deployment.chainId) ? 0 : DEFAULT_BLOCKS);
    this.#logger = options.logger.child({ keeper: "doppelganger" });
  }

  /** Whether keepers are to wait where they can. */
  get standsBack(): boolean {
    if (this.#blocks === 0) return false;
    return this.#quietSince === undefined || this.#head - this.#quietSince < this.#blocks;
  }

  /** The head that was looked at last; 0 before the first. */
  get head(): number {
    return this.#head;
  }

  /** The head at which somebody else's transaction was seen last; undefined where there was none. */
  get lastSeen(): number | undefined {
    return this.#lastSeen;
  }

  /** Watches until the signal is aborted. Only listeners can make it fail. */
  run(signal: AbortSignal): Promise<void> {
    const { chain } = this.#options;
    return watchHeads(chain.follower, this.#logger, signal, ({ head, ancestor }) =>
      this.#look(head.number, ancestor !== undefined),
    );
  }

  async #look(head: number, reorganised: boolean): Promise<void> {
    const { sender } = this.#options;
    // After so long others may have forgotten what they sent: it would look like a stranger's.
    if (head - this.#head > MAX_GAP) this.#from = undefined;
    const { foreign, next } = await sender.foreignNonces(this.#from);
    this.#head = head;
    this.#quietSince ??= head;
    // Nonces that a reorganisation gave back may be used again, by anybody.
    this.#from = reorganised || this.#from === undefined ? next : Math.max(this.#from, next);
    if (foreign.length === 0) return;
    this.#quietSince = head;
    this.#lastSeen = head;
    const account = await sender.address();
    const hint = "stop the other process, or give each its own key or one database";
    this.#logger.error({ account, nonces: foreign, head, hint }, "somebody else sends with this key");
    this.emit("doppelganger", { account, nonces: foreign, block: head });
  }
}
