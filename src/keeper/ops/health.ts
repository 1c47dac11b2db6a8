/** Whether a keeper does its duty, from what is known of it. */
import type { EndpointHealth } from "../../chain/endpoint.js";
import type { HeadState } from "../../chain/head-watch.js";
import type { DutyRef } from "../../store/duties.js";
import { idText } from "../deals.js";

/**
 * `duties`: the last window of every deal was proven. `head`, `endpoints`: the chain is seen. `balance`: gas can be paid. `keys`:
 * nobody else sends with them.
 */
export type CheckName = "duties" | "head" | "balance" | "endpoints" | "keys";

export interface Check {
  readonly name: CheckName;
  readonly ok: boolean;
  /** For people: what is wrong, or that nothing is. */
  readonly detail: string;
}

export interface HealthReport {
  readonly healthy: boolean;
  readonly checks: readonly Check[];
}

/** What a report is made of. */
export interface Vitals {
  /** 0 before the first. */
  readonly head: number;
  /** Undefined on a chain whose heads are never late. */
  readonly headState: HeadState | undefined;
  readonly endpoints: readonly EndpointHealth[];
  /** In wei, by account; an account that has not been asked about is missing. */
  readonly balances: ReadonlyMap<string, bigint>;
  readonly accounts: readonly string[];
  /** In wei. */
  readonly leastBalance: bigint;
  /** The head at which somebody else's transaction with a keeper's key was seen last; undefined where there was none. */
  readonly stranger: number | undefined;
}

/** Blocks after which somebody else's transaction is history. */
const STRANGER_BLOCKS = 256;

/** Deals in a report by name. */
const NAMED = 5;

/** Remembers, for each deal, whether its last window was missed. */
export class DutyRecord {
  readonly #missed = new Map<bigint, number>();

  missed({ id, window }: DutyRef): void {
    this.#missed.set(id, window);
  }

  /** A proof of an earlier window, told late, mends nothing. */
  proven({ id, window }: DutyRef): void {
    if (window > (this.#missed.get(id) ?? 0)) this.#missed.delete(id);
  }

  /** What has ended has no duties any more; what it missed is in the metrics. */
  ended(id: bigint): void {
    this.#missed.delete(id);
  }

  check(): Check {
    const missed = [...this.#missed];
    if (missed.length === 0) return { name: "duties", ok: true, detail: "the last window of every deal was proven" };
    const named = missed.slice(0, NAMED).map(([id, window]) => `window ${window} of deal ${idText(id)}`);
    const more = missed.length > NAMED ? ` and ${missed.length - NAMED} more` : "";
    return { name: "duties", ok: false, detail: `missed: ${named.join(", ")}${more}` };
  }
}

/** Judges what is known. A keeper that has seen nothing yet is not healthy yet. */
export function judge(duties: DutyRecord, vitals: Vitals): HealthReport {
  const checks = [duties.check(), headCheck(vitals), balanceCheck(vitals), endpointCheck(vitals), keyCheck(vitals)];
  return { healthy: checks.every(({ ok }) => ok), checks };
}

function headCheck({ head, headState }: Vitals): Check {
  if (head === 0) return { name: "head", ok: false, detail: "no block was seen yet" };
  if (headState?.stale !== true) return { name: "head", ok: true, detail: `block ${head}` };
  const { age, sinceNew } = headState;
  const detail = `block ${head} is ${Math.round(age)} s old, and none has come for ${Math.round(sinceNew)} s`;
  return { name: "head", ok: false, detail };
}

function balanceCheck({ accounts, balances, leastBalance }: Vitals): Check {
  const unknown = accounts.filter((account) => !balances.has(account));
  if (unknown.length > 0) return { name: "balance", ok: false, detail: `not known yet: ${unknown.join(", ")}` };
  const low = accounts.filter((account) => balances.get(account)! < leastBalance);
  const detail = low.map((account) => `${account} has ${balances.get(account)} wei, less than ${leastBalance}`);
  return { name: "balance", ok: low.length === 0, detail: detail.join("; ") || "enough to pay gas with" };
}

function endpointCheck({ endpoints }: Vitals): Check {
  const used = endpoints.filter(({ out }) => out === undefined).length;
  return {
    name: "endpoints",
    ok: endpoints.length === 0 || used > 0,
    detail: `${used} of ${endpoints.length} in use`,
  };
}

function keyCheck({ head, stranger }: Vitals): Check {
  const ok = stranger === undefined || head - stranger > STRANGER_BLOCKS;
  const detail = ok ? "nobody else sends with them" : `somebody else sent with one at block ${stranger}`;
  return { name: "keys", ok, detail };
}
