/** The keeper that keeps deals alive: it pays for more periods, from a budget, before they run out. */
import { EventEmitter } from "node:events";
import { AbiCoder, getAddress, keccak256, type Log } from "ethers";
import type { Logger } from "pino";
import type { Chain } from "../chain/chain.js";
import { ChainError, chainError } from "../chain/errors.js";
import type { HeadUpdate } from "../chain/follower.js";
import { type ChainAccess, fund } from "../client/funds.js";
import { HoldfastError } from "../errors.js";
import { closedAt, epochOf, Status, type Tier } from "../protocol/index.js";
import { type Deal, hasEnded, idText, readDeals } from "./deals.js";
import type { ExtendedEvent, FundingEvents } from "./events.js";
import { watchHeads } from "./heads.js";
import { SpendingBook } from "./spending.js";

export interface FundingKeeperOptions {
  readonly chain: Chain;
  /** Who pays: the account, and what sends its transactions. One process a key. */
  readonly access: ChainAccess;
  /** The deals to keep alive, anybody's. */
  readonly deals: readonly bigint[];
  /** Periods that are to lie ahead of a deal, at least 2: the last one can't be extended any more once it is drawn. */
  readonly target: number;
  /** The most to spend on these deals in all, in base units of `token`. What the account paid for them before counts. */
  readonly budget: bigint;
  /** What the budget is in; the deployment's stake token by default. Deals in other tokens are left alone. */
  readonly token?: string;
  /**
   * A period counts as over this many blocks before its window closes; by default as many as the window has, which is
   * when it is drawn.
   */
  readonly margin?: number;
  readonly logger: Logger;
}

/** An extension that is due. */
interface Order {
  readonly deal: Deal;
  readonly periods: number;
  readonly cost: bigint;
}

/** Accounts that keep the same deal take turns of some blocks, so that one sees what the other has paid. */
const TURNS = 4;
const TURN_BLOCKS = 2;
/** So close to the end, blocks, nobody waits for a turn. */
const LAST_CALL = 2 * TURN_BLOCKS;

/**
 * Keeps deals alive. What is due follows from the chain's books at each head: how many periods lie ahead, and what this
 * account has paid. So a keeper that was stopped, at whatever point, goes on where the chain stands.
 *
 * @example
 * ```ts
 * const keeper = new FundingKeeper({ chain, access, deals: [id], target: 30, budget: 10n ** 9n, logger });
 * keeper.on("extended", ({ id, periods, cost }) => console.log(`deal ${id}: ${periods} more for ${cost}`));
 * await keeper.run(signal);
 * ```
 */
export class FundingKeeper extends EventEmitter<FundingEvents> {
  readonly #options: FundingKeeperOptions;
  readonly #token: string;
  readonly #logger: Logger;
  readonly #spending: SpendingBook;
  /** Deals that may have to be extended. */
  readonly #live: Set<bigint>;
  /** The trouble that was told last of a deal. */
  readonly #told = new Map<bigint, string>();

  /** @throws HoldfastError `INVALID_TARGET`, `INVALID_BUDGET` */
  constructor(options: FundingKeeperOptions) {
    super();
    const { chain, access, deals, target, budget, token = chain.deployment.stakeToken } = options;
    if (!Number.isInteger(target) || target < 2) {
      const hint = "choose a whole number from 2: during its last period a deal can't be extended";
      throw new HoldfastError("INVALID_TARGET", `${target} periods can't be kept ahead`, hint);
    }
    if (budget <= 0n) throw new HoldfastError("INVALID_BUDGET", `${budget} pays for nothing`, "give a budget above 0");
    this.#options = options;
    this.#token = getAddress(token);
    this.#logger = options.logger.child({ keeper: "funding" });
    this.#live = new Set(deals);
    this.#spending = new SpendingBook(chain, [...this.#live], access.address);
  }

  /** What the account has spent on the deals, as far as the chain was read, in base units. */
  get spent(): bigint {
    return this.#spending.spent;
  }

  /** Works until the signal is aborted. Only listeners can make it fail. */
  run(signal: AbortSignal): Promise<void> {
    return watchHeads(this.#options.chain.follower, this.#logger, signal, (update) => this.#look(update, signal));
  }

  async #look(update: HeadUpdate, signal: AbortSignal): Promise<void> {
    const { number } = update.head;
    await this.#spending.sync(update, signal);
    const ids = [...this.#live];
    const deals = await readDeals(this.#options.chain, ids, signal);
    const found = new Set(deals.map(({ id }) => id));
    for (const id of ids) if (!found.has(id)) this.#tell(id, "UNKNOWN_DEAL", "the market has no such deal");
    // Where the budget does not last for all, it goes to those that end first.
    const byEnd = deals.sort((a, b) => this.#lastEpoch(a) - this.#lastEpoch(b));
    for (const deal of byEnd) {
      const order = this.#orderFor(deal, number);
      if (order !== undefined && this.#isTurn(deal, number)) await this.#extend(order, signal);
    }
    this.emit("head", { number });
  }

  /** What is to be paid for now; undefined where that is nothing, or can't be, which is told. */
  #orderFor(deal: Deal, head: number): Order | undefined {
    const { id, standing, token, periods, maxPeriods, extensionPrice: price } = deal;
    if (hasEnded(deal) || standing.status === Status.Ending) {
      this.#live.delete(id);
      this.emit("ended", { id, status: standing.status });
      return undefined;
    }
    if (token !== this.#token) return this.#tell(id, "WRONG_TOKEN", `it is paid in ${token}`);
    const wanted = this.#options.target - this.#ahead(deal, head);
    if (wanted <= 0) {
      this.#told.delete(id);
      return undefined;
    }
    const room = maxPeriods - periods;
    if (room === 0) return this.#tell(id, "AT_MAX_PERIODS", `it has all its ${maxPeriods} periods`);
    if (head + 1 >= this.#lastEpoch(deal)) return this.#tell(id, "TOO_LATE", "its last challenge has been drawn");
    const left = this.#options.budget - this.spent;
    const affordable = price === 0n ? wanted : Number(minOf(left / price, BigInt(wanted)));
    if (affordable <= 0)
      return this.#tell(id, "BUDGET_EXHAUSTED", `a period costs ${price} base units, ${left} are left`);
    const count = Math.min(wanted, room, affordable);
    return { deal, periods: count, cost: price * BigInt(count) };
  }

  /** Periods whose windows have not closed yet, and won't within the margin. */
  #ahead({ tier, firstEpoch, periods }: Deal, head: number): number {
    const row = this.#tier(tier);
    return periods - closedAt(firstEpoch, row, periods, head + 1 + (this.#options.margin ?? row.window));
  }

  #isTurn(deal: Deal, head: number): boolean {
    if (this.#lastEpoch(deal) - head <= LAST_CALL) return true;
    return Math.floor(head / TURN_BLOCKS) % TURNS === turnOf(this.#options.access.address, deal.id);
  }

  async #extend({ deal, periods, cost }: Order, signal: AbortSignal): Promise<void> {
    const { chain } = this.#options;
    const { id, token } = deal;
    const access = abortable(this.#options.access, signal);
    try {
      if (!(await this.#isStillDue(deal, signal))) return;
      await fund(access, token, cost);
      // A deposit takes blocks, in which another keeper's turn may have come.
      if (!(await this.#isStillDue(deal, signal))) return;
      const call = await chain.contracts.market.extend.populateTransaction(id, periods, cost);
      const sent = await access.sender.send(call, `extend a deal by ${periods} periods`);
      if (sent.status === "mined") this.#book(id, sent.receipt.logs);
    } catch (error) {
      if (signal.aborted) return;
      const failed = error instanceof HoldfastError ? error : chainError(error, "extend a deal");
      const dearer = failed instanceof ChainError && failed.revert?.name === "CostTooHigh";
      this.#logger.error({ err: error, deal: idText(id) }, "extending failed");
      this.#tell(id, dearer ? "PRICE_CHANGED" : failed.code, failed.message);
    }
  }

  /** Asked with what waits for a block: another's extension, or one that this keeper sent before it was restarted. */
  async #isStillDue(deal: Deal, signal: AbortSignal): Promise<boolean> {
    const { chain } = this.#options;
    const [pending] = await readDeals(chain, [deal.id], signal, "pending");
    const { periods, extensionPrice, standing } = deal;
    const same =
      pending?.periods === periods &&
      pending.extensionPrice === extensionPrice &&
      pending.standing.status === standing.status;
    if (same && this.#isTurn(deal, await chain.provider.getBlockNumber())) return true;
    this.#logger.debug({ deal: idText(deal.id), same }, "another extension is on its way, or its turn has come");
    return false;
  }

  #book(id: bigint, logs: readonly Log[]): void {
    const { chain } = this.#options;
    const { topicHash } = chain.contracts.market.interface.getEvent("Extended");
    for (const log of logs) {
      if (log.address !== chain.deployment.market || log.topics[0] !== topicHash) continue;
      const paid = this.#spending.add(log);
      const { transactionHash: hash, blockNumber: block } = log;
      this.#told.delete(id);
      this.#logger.info({ deal: idText(id), hash, block, periods: paid.periods }, "deal extended");
      this.emit("extended", { id, ...paid, spent: this.spent, hash, block } satisfies ExtendedEvent);
    }
  }

  #tell(id: bigint, code: string, message: string): undefined {
    if (this.#told.get(id) === code) return undefined;
    this.#told.set(id, code);
    this.#logger.warn({ deal: idText(id), code }, message);
    this.emit("trouble", { id, code, message });
    return undefined;
  }

  /** e_N: the first block in which nobody can extend any more. */
  #lastEpoch({ tier, firstEpoch, periods }: Deal): number {
    return epochOf(firstEpoch, this.#tier(tier).period, periods);
  }

  #tier(index: number): Tier {
    return this.#options.chain.deployment.tiers[index]!;
  }
}

/** Access whose sender waits no longer for its transactions once the signal is aborted. */
function abortable(access: ChainAccess, signal: AbortSignal): ChainAccess {
  const { sender } = access;
  return {
    ...access,
    sender: { address: () => sender.address(), send: (call, doing) => sender.send(call, doing, signal) },
  };
}

/** In which of {@link TURNS} an account extends a deal. */
export function turnOf(payer: string, id: bigint): number {
  const hash = keccak256(AbiCoder.defaultAbiCoder().encode(["address", "uint256"], [payer, id]));
  return Number(BigInt(hash) % BigInt(TURNS));
}

function minOf(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
