/** What is measured of keepers, by name: the only module that knows prom-client. */
import { Counter, Gauge, Histogram, Registry } from "prom-client";

/** Blocks from a window's challenge to its proof. */
const BLOCK_BUCKETS = [1, 2, 3, 5, 8, 13, 21, 34, 55, 120, 240, 480, 960, 2_880];
/** The same in seconds of the chain. */
const SECOND_BUCKETS = [2, 5, 15, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 21_600, 86_400];

/**
 * The metrics of one process, in a registry of their own. Amounts of coin are in whole units (10^18 wei), times in seconds.
 *
 * @example
 * ```ts
 * const metrics = new Metrics();
 * metrics.missed.inc();
 * console.log(await metrics.registry.metrics());
 * ```
 */
export class Metrics {
  readonly registry = new Registry();
  readonly #registers = [this.registry];

  readonly open = this.#gauge("holdfast_duties_open", "Windows that are open and not proven yet");
  readonly due = this.#counter("holdfast_duties_due_total", "Windows that this keeper had to prove");
  readonly done = this.#counter("holdfast_duties_done_total", "Windows that were proven, by this keeper or another", [
    "own",
  ]);
  readonly missed = this.#counter("holdfast_duties_missed_total", "Windows that closed without a proof");
  readonly trouble = this.#counter("holdfast_duty_trouble_total", "What stood in the way of a proof", ["code"]);
  readonly claimed = this.#counter("holdfast_duties_claimed_total", "Duties that this keeper took on");
  readonly takenOver = this.#counter(
    "holdfast_duties_taken_over_total",
    "Duties that another keeper had when it died, of those",
  );
  readonly lost = this.#counter("holdfast_duties_lost_total", "Claims that were another keeper's when they were built");
  readonly workers = this.#gauge("holdfast_keepers_alive", "Keepers that share the duties of this provider");
  readonly doppelgangers = this.#counter(
    "holdfast_doppelganger_transactions_total",
    "Transactions of somebody else's with a key of this keeper",
    ["account"],
  );
  readonly delayBlocks = this.#histogram("holdfast_duty_delay_blocks", "From challenge to proof", BLOCK_BUCKETS);
  readonly delaySeconds = this.#histogram("holdfast_duty_delay_seconds", "From challenge to proof", SECOND_BUCKETS);

  readonly settled = this.#counter("holdfast_settled_deals_total", "Deals that this keeper settled");
  readonly settleTrouble = this.#counter("holdfast_settle_trouble_total", "What stood in the way of settling", [
    "code",
  ]);

  readonly restored = this.#counter("holdfast_restored_misses_total", "Misses that stake was bonded anew for");
  readonly held = this.#gauge("holdfast_misses_held_deals", "Deals with misses that are not made good", ["code"]);

  readonly fees = this.#counter("holdfast_fees_spent_coin_total", "Paid for gas", ["account"]);
  readonly transactions = this.#counter("holdfast_transactions_total", "Transactions in blocks", ["account", "result"]);
  readonly balance = this.#gauge("holdfast_balance_coin", "Coin for gas that an account has", ["account"]);

  readonly head = this.#gauge("holdfast_head_number", "The latest block that is known");
  readonly headAge = this.#gauge(
    "holdfast_head_age_seconds",
    "By how much its timestamp is behind this machine's clock",
  );
  readonly headStale = this.#gauge("holdfast_head_stale", "1 while the head is too old to act on");
  readonly reorgs = this.#counter("holdfast_reorgs_total", "Reorganisations that were seen");
  readonly reorgDepth = this.#histogram(
    "holdfast_reorg_depth_blocks",
    "Blocks that one dropped",
    [1, 2, 3, 5, 8, 16, 32, 64],
  );

  readonly endpointUp = this.#gauge("holdfast_endpoint_up", "1 while an endpoint may be used", ["endpoint"]);
  readonly endpointScore = this.#gauge("holdfast_endpoint_score", "From 0 to 1, 1 being best", ["endpoint"]);
  readonly endpointErrors = this.#gauge("holdfast_endpoint_error_rate", "Share of failures lately", ["endpoint"]);
  readonly endpointLatency = this.#gauge("holdfast_endpoint_latency_seconds", "Mean latency", ["endpoint"]);
  readonly endpointLag = this.#gauge("holdfast_endpoint_lag_blocks", "Blocks behind the best endpoint", ["endpoint"]);

  readonly healthy = this.#gauge("holdfast_healthy", "1 where a check of /health is green", ["check"]);

  #gauge<L extends string = never>(name: string, help: string, labelNames: readonly L[] = []): Gauge<L> {
    return new Gauge({ name, help, labelNames, registers: this.#registers });
  }

  #counter<L extends string = never>(name: string, help: string, labelNames: readonly L[] = []): Counter<L> {
    return new Counter({ name, help, labelNames, registers: this.#registers });
  }

  #histogram(name: string, help: string, buckets: number[]): Histogram {
    return new Histogram({ name, help, buckets, registers: this.#registers });
  }
}
