/** Turns what keepers tell into metrics and a judgement of their health. */
import type { TransactionReceipt } from "ethers";
import type { Logger } from "pino";
import { blockUpTo } from "../../chain/blocks.js";
import type { Chain } from "../../chain/chain.js";
import type { HeadUpdate } from "../../chain/follower.js";
import type { DutyRef } from "../../store/duties.js";
import type { Doppelganger } from "../doppelganger.js";
import type { DutyEvent, ProvenEvent } from "../events.js";
import type { ProvingKeeper } from "../proving.js";
import type { RestoringKeeper } from "../restoring.js";
import type { WatchingKeeper } from "../watching.js";
import { DutyRecord } from "./duty-record.js";
import { type HealthReport, judge } from "./health.js";
import { LookRecord } from "./look-record.js";
import { Metrics } from "./metrics.js";

export interface ObserverOptions {
  readonly chain: Chain;
  /** Accounts that pay gas, by address. */
  readonly accounts: readonly string[];
  /** Coin that each of them has to have, in wei; 0.05 coin by default. */
  readonly leastBalance?: bigint;
  readonly logger: Logger;
}

const DEFAULT_LEAST = 5n * 10n ** 16n;
const WEI = 1e18;
/** Codes come from nodes as well; a label with a thousand values is a leak. */
const MAX_CODES = 64;

/**
 * Watches keepers: subscribe it before they run. It sends nothing, and a failure of its own stops no keeper.
 *
 * @example
 * ```ts
 * const observer = new KeeperObserver({ chain, accounts: [wallet.address], logger });
 * const sender = new TransactionSender({ …, onMined: observer.onMined });
 * observer.proving(keeper);
 * const server = await startOpsServer({ observer, logger, port: 9464 });
 * await Promise.all([keeper.run(signal), observer.run(signal)]);
 * ```
 */
export class KeeperObserver {
  readonly #options: ObserverOptions;
  readonly #metrics = new Metrics();
  readonly #accounts = new Set<string>();
  readonly #duties: DutyRecord;
  readonly #looks: LookRecord;
  readonly #open = new Map<string, DutyEvent>();
  readonly #balances = new Map<string, bigint>();
  readonly #codes = new Set<string>();
  readonly #guards: Doppelganger[] = [];
  readonly #restoring: RestoringKeeper[] = [];
  #head = 0;

  constructor(options: ObserverOptions) {
    const { tiers } = options.chain.deployment;
    this.#options = options;
    this.#duties = new DutyRecord(tiers);
    // Who has not looked for half of a window is about to miss it.
    this.#looks = new LookRecord(Math.floor(Math.min(...tiers.map(({ window }) => window)) / 2));
    // There from the beginning: a rate over a counter that appears with its first event misses that event.
    for (const own of ["true", "false"]) this.#metrics.done.inc({ own }, 0);
    for (const account of options.accounts) this.paying(account);
  }

  /** Watches one more account that pays gas. */
  paying(account: string): void {
    if (this.#accounts.has(account)) return;
    this.#accounts.add(account);
    this.#metrics.fees.inc({ account }, 0);
    this.#metrics.doppelgangers.inc({ account }, 0);
    for (const result of ["done", "reverted"]) this.#metrics.transactions.inc({ account, result }, 0);
  }

  /** Counts the duties of a keeper that proves. */
  proving(keeper: ProvingKeeper): void {
    this.#looks.expect("proving");
    keeper.on("head", ({ number }) => this.#looks.looked("proving", number));
    keeper.on("read", (event) => this.#duties.read(event));
    keeper.on("due", (duty) => {
      if (this.#open.has(keyOf(duty))) return;
      this.#open.set(keyOf(duty), duty);
      this.#metrics.due.inc();
    });
    keeper.on("proven", (event) => this.#proven(event));
    keeper.on("missed", (duty) => {
      this.#open.delete(keyOf(duty));
      this.#metrics.missed.inc();
    });
    keeper.on("over", (duty) => this.#open.delete(keyOf(duty)));
    keeper.on("trouble", ({ code }) => this.#metrics.trouble.inc({ code: this.#code(code) }));
    keeper.on("claimed", ({ duties, takenOver }) => {
      this.#metrics.claimed.inc(duties);
      this.#metrics.takenOver.inc(takenOver);
    });
    keeper.on("lost", ({ duties }) => this.#metrics.lost.inc(duties));
    keeper.on("workers", ({ alive }) => this.#metrics.workers.set(alive));
    keeper.on("ended", ({ id }) => {
      for (const [key, duty] of this.#open) if (duty.id === id) this.#open.delete(key);
    });
  }

  /** Counts what others send with the key of a keeper. */
  guarding(guard: Doppelganger): void {
    this.#guards.push(guard);
    guard.on("doppelganger", ({ account, nonces }) => this.#metrics.doppelgangers.inc({ account }, nonces.length));
  }

  /** Counts the settlements of a keeper that settles. */
  settling(keeper: WatchingKeeper): void {
    this.#looks.expect("settling");
    keeper.on("head", ({ number }) => this.#looks.looked("settling", number));
    keeper.on("settled", ({ block }) => {
      this.#metrics.settled.inc();
      // With a thousand deals to settle at one head it takes its time.
      this.#looks.looked("settling", block);
    });
    keeper.on("trouble", ({ code }) => this.#metrics.settleTrouble.inc({ code: this.#code(code) }));
  }

  /** Counts what a keeper makes good, and what it does not. */
  restoring(keeper: RestoringKeeper): void {
    this.#restoring.push(keeper);
    this.#looks.expect("restoring");
    keeper.on("head", ({ number }) => this.#looks.looked("restoring", number));
    keeper.on("restored", ({ misses }) => this.#metrics.restored.inc(misses));
  }

  /** For a `TransactionSender`: counts what its transactions cost, those that reverted included. */
  readonly onMined = ({ from, fee, status }: TransactionReceipt): void => {
    this.#metrics.fees.inc({ account: from }, Number(fee) / WEI);
    this.#metrics.transactions.inc({ account: from, result: status === 1 ? "done" : "reverted" });
  };

  /** Follows heads, for balances and reorganisations, until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    for await (const update of this.#options.chain.follower.heads(signal)) {
      this.#seen(update);
      await this.#readBalances();
    }
  }

  health(): HealthReport {
    const { chain, leastBalance = DEFAULT_LEAST } = this.#options;
    const accounts = [...this.#accounts];
    const headState = chain.follower.watch?.state;
    const endpoints = chain.endpoints?.() ?? [];
    const seen = this.#guards.flatMap(({ lastSeen }) => lastSeen ?? []);
    const stranger = seen.length === 0 ? undefined : Math.max(...seen);
    return judge({
      ...{ duties: this.#duties, looks: this.#looks, held: this.#held() },
      ...{ head: this.#head, headState, endpoints, balances: this.#balances, accounts, leastBalance, stranger },
    });
  }

  /** Everything that is measured, as Prometheus reads it. */
  async metrics(): Promise<{ readonly contentType: string; readonly text: string }> {
    this.#measure();
    const { registry } = this.#metrics;
    return { contentType: registry.contentType, text: await registry.metrics() };
  }

  /** Names of everything that is measured. */
  names(): string[] {
    return this.#metrics.registry.getMetricsAsArray().map(({ name }) => name);
  }

  #proven(event: ProvenEvent): void {
    const duty = this.#open.get(keyOf(event));
    this.#open.delete(keyOf(event));
    this.#metrics.done.inc({ own: String(event.own) });
    this.#duties.proven(event);
    if (duty === undefined || event.block === undefined) return;
    this.#metrics.delayBlocks.observe(event.block - duty.epoch);
    void this.#observeSeconds(duty.epoch, event.block);
  }

  /** By the chain's own clock: a keeper that was restarted in the middle knows no other. */
  async #observeSeconds(from: number, to: number): Promise<void> {
    const { chain, logger } = this.#options;
    try {
      const [first, last] = await Promise.all([blockUpTo(chain.provider, from), blockUpTo(chain.provider, to)]);
      if (first && last) this.#metrics.delaySeconds.observe(last.timestamp - first.timestamp);
    } catch (err) {
      logger.debug({ err, from, to }, "how long a proof took is not known");
    }
  }

  #seen({ head, ancestor }: HeadUpdate): void {
    if (ancestor !== undefined) {
      this.#metrics.reorgs.inc();
      this.#metrics.reorgDepth.observe(Math.max(0, this.#head - ancestor));
    }
    this.#head = head.number;
    this.#looks.seen();
    this.#metrics.head.set(head.number);
  }

  async #readBalances(): Promise<void> {
    const { chain, logger } = this.#options;
    for (const account of this.#accounts) {
      try {
        const balance = await chain.provider.getBalance(account);
        this.#balances.set(account, balance);
        this.#metrics.balance.set({ account }, Number(balance) / WEI);
      } catch (err) {
        logger.debug({ err, account }, "a balance is not known");
      }
    }
  }

  /** What stands, rather than happens: read when somebody asks. */
  #measure(): void {
    const metrics = this.#metrics;
    const { follower, endpoints } = this.#options.chain;
    metrics.open.set(this.#open.size);
    const state = follower.watch?.state;
    metrics.headStale.set(state?.stale === true ? 1 : 0);
    if (state !== undefined) metrics.headAge.set(state.age);
    for (const { name: endpoint, score, latencyMs, errorRate, lag, out } of endpoints?.() ?? []) {
      metrics.endpointUp.set({ endpoint }, out === undefined ? 1 : 0);
      metrics.endpointScore.set({ endpoint }, score);
      metrics.endpointErrors.set({ endpoint }, errorRate);
      metrics.endpointLag.set({ endpoint }, lag);
      if (latencyMs !== undefined) metrics.endpointLatency.set({ endpoint }, latencyMs / 1_000);
    }
    metrics.held.reset();
    for (const code of this.#held().values()) metrics.held.inc({ code: this.#code(code) });
    for (const { name, ok } of this.health().checks) metrics.healthy.set({ check: name }, ok ? 1 : 0);
  }

  #held(): ReadonlyMap<bigint, string> {
    return new Map(this.#restoring.flatMap(({ held }) => [...held]));
  }

  #code(code: string): string {
    if (!this.#codes.has(code) && (this.#codes.size >= MAX_CODES || !/^[A-Z][A-Z0-9_]{0,39}$/.test(code)))
      return "OTHER";
    this.#codes.add(code);
    return code;
  }
}

function keyOf({ id, window }: DutyRef): string {
  return `${id}/${window}`;
}
