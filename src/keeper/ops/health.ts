/** Whether a keeper does its duty, from what is known of it. */
import type { EndpointHealth } from "../../chain/endpoint.js";
import type { HeadState } from "../../chain/head-watch.js";
import { idText } from "../deals.js";
import type { DutyRecord } from "./duty-record.js";
import type { LookRecord } from "./look-record.js";

/**
 * `duties`: the last window of every deal was proven, of those as well that have ended within a period. `head`, `endpoints`: the chain is
 * seen. `balance`: gas can be paid. `keys`: nobody else sends with them. `looks`: keepers come to the end of what they have to do at a
 * head. `restoring`: misses are made good as far as the operator wants it.
 */
export type CheckName = "duties" | "head" | "balance" | "endpoints" | "keys" | "looks" | "restoring";

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
  readonly duties: DutyRecord;
  readonly looks: LookRecord;
  /** Deals with misses that are not made good, and why. */
  readonly held: ReadonlyMap<bigint, string>;
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

/** Judges what is known. A keeper that has seen nothing yet is not healthy yet. */
export function judge(vitals: Vitals): HealthReport {
  const { duties, looks, head } = vitals;
  const chain = [headCheck(vitals), balanceCheck(vitals), endpointCheck(vitals), keyCheck(vitals)];
  const checks = [dutyCheck(duties, head), ...chain, lookCheck(looks, head), restoringCheck(vitals)];
  return { healthy: checks.every(({ ok }) => ok), checks };
}

function dutyCheck(duties: DutyRecord, head: number): Check {
  const missed = duties.missed(head);
  if (missed.length === 0) return { name: "duties", ok: true, detail: "the last window of every deal was proven" };
  const named = missed.slice(0, NAMED).map(({ id, window }) => `window ${window} of deal ${idText(id)}`);
  return { name: "duties", ok: false, detail: `missed: ${listed(named, missed.length)}` };
}

function lookCheck(looks: LookRecord, head: number): Check {
  const late = looks.late(head);
  const told = late.map(
    ({ keeper, at }) => `${keeper} has ${at === 0 ? "not come to an end of any block" : `not got past block ${at}`}`,
  );
  return { name: "looks", ok: late.length === 0, detail: told.join("; ") || "keepers are at the head" };
}

/** At the operator's own limit nothing is wrong; metrics have it. */
function restoringCheck({ held }: Vitals): Check {
  const wrong = [...held].filter(([, code]) => code !== "RESTORE_LIMIT");
  if (wrong.length === 0) {
    const detail =
      held.size === 0 ? "no miss waits to be made good" : `deals at the limit of what is restored: ${held.size}`;
    return { name: "restoring", ok: true, detail };
  }
  const named = wrong.slice(0, NAMED).map(([id, code]) => `deal ${idText(id)} (${code})`);
  return { name: "restoring", ok: false, detail: `misses are not made good: ${listed(named, wrong.length)}` };
}

function listed(named: readonly string[], count: number): string {
  return `${named.join(", ")}${count > named.length ? ` and ${count - named.length} more` : ""}`;
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
