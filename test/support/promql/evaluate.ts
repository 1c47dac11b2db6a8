/** What an expression says of samples, as Prometheus would: whether an alert rings can be tried without one. */
import type { Expr, Match } from "./parse.js";

/** One line of what was scraped, over time: seconds and values, the oldest first. */
export interface Series {
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly samples: readonly (readonly [at: number, value: number])[];
}

interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

type Value = number | Sample[];

/** Seconds after which a sample counts no more. */
const STALE = 300;
const UNITS: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** Values at a time in seconds; an alert rings for each of them. */
export function evaluate(expr: Expr, series: readonly Series[], at: number): Value {
  switch (expr.kind) {
    case "number":
      return expr.value;
    case "selector": {
      const time = at - seconds(expr.offset ?? "0s");
      return select(expr, series).flatMap(({ labels, samples }) => {
        const last = samples.filter(([when]) => when <= time && when > time - STALE).at(-1);
        return last === undefined ? [] : [{ labels, value: last[1] }];
      });
    }
    case "call":
      return call(expr, series, at);
    case "aggregate":
      return aggregate(expr, vector(evaluate(expr.of, series, at)));
    case "binary":
      return binary(expr.op, expr.match, evaluate(expr.left, series, at), evaluate(expr.right, series, at));
  }
}

function select({ metric, matchers }: Extract<Expr, { kind: "selector" }>, series: readonly Series[]): Series[] {
  return series.filter((one) => {
    if (one.metric !== metric) return false;
    return matchers.every(({ label, op, value }) => {
      const has = one.labels[label] ?? "";
      const same = op.endsWith("~") ? new RegExp(`^(?:${value})$`).test(has) : has === value;
      return same !== op.startsWith("!");
    });
  });
}

function call({ name, args }: Extract<Expr, { kind: "call" }>, series: readonly Series[], at: number): Value {
  const [of] = args as [Expr];
  if (name === "absent") return vector(evaluate(of, series, at)).length === 0 ? [{ labels: {}, value: 1 }] : [];
  if (name !== "increase" || of.kind !== "selector") throw new Error(`${name} is not known here`);
  return select(of, series).flatMap(({ labels, samples }) => {
    const values = samples.filter(([when]) => when <= at && when > at - seconds(of.range!)).map(([, value]) => value);
    // One sample has no increase; a lower one begins at zero again.
    if (values.length < 2) return [];
    const value = values.slice(1).reduce((sum, now, i) => sum + (now < values[i]! ? now : now - values[i]!), 0);
    return [{ labels, value }];
  });
}

function aggregate({ name, by }: Extract<Expr, { kind: "aggregate" }>, samples: Sample[]): Sample[] {
  const groups = Map.groupBy(samples, ({ labels }) => keyOf(labels, by));
  return [...groups.values()].map((group) => {
    const values = group.map(({ value }) => value);
    const labels = Object.fromEntries(by.map((label) => [label, group[0]!.labels[label] ?? ""]));
    if (name === "sum") return { labels, value: values.reduce((sum, one) => sum + one, 0) };
    if (name === "min") return { labels, value: Math.min(...values) };
    if (name === "max") return { labels, value: Math.max(...values) };
    throw new Error(`${name} is not known here`);
  });
}

const COMPARE: Record<string, (a: number, b: number) => boolean> = {
  "==": (a, b) => a === b,
  "<": (a, b) => a < b,
  ">": (a, b) => a > b,
};

function binary(op: string, { how, labels }: Match, left: Value, right: Value): Value {
  if (typeof right === "number") {
    if (COMPARE[op] === undefined) throw new Error(`${op} is not known here`);
    return vector(left).filter(({ value }) => COMPARE[op]!(value, right));
  }
  const [a, b] = [vector(left), vector(right)];
  const key = (sample: Sample) => {
    const names = Object.keys(sample.labels).filter((label) => how === "all" || !labels.includes(label));
    return keyOf(sample.labels, how === "on" ? labels : names);
  };
  const [lefts, rights] = [new Set(a.map(key)), new Set(b.map(key))];
  if (op === "and") return a.filter((one) => rights.has(key(one)));
  if (op === "unless") return a.filter((one) => !rights.has(key(one)));
  if (op === "or") return [...a, ...b.filter((one) => !lefts.has(key(one)))];
  throw new Error(`${op} is not known here`);
}

function keyOf(labels: Readonly<Record<string, string>>, names: readonly string[]): string {
  return JSON.stringify([...names].sort().map((name) => [name, labels[name] ?? ""]));
}

function vector(value: Value): Sample[] {
  if (typeof value === "number") throw new Error("a number is no vector");
  return value;
}

function seconds(text: string): number {
  return Number(text.slice(0, -1)) * UNITS[text.slice(-1)]!;
}
