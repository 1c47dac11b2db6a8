/** Which labels an expression's samples have, and whether those of two sides can ever be the same. */
import type { Expr } from "./parse.js";

/** Labels of a metric by its name; undefined where there is none. */
export type Labels = (metric: string) => readonly string[] | undefined;

const SCALAR = "scalar";
/** What Prometheus adds to whatever it scrapes. */
const SCRAPED = ["instance", "job"];
const OVER_TIME = new Set(["increase", "rate", "max_over_time"]);

type Result = ReadonlySet<string> | typeof SCALAR;

/**
 * Follows labels through an expression.
 *
 * @throws Error where it asks for a label that is not there, or joins two sides whose labels can't be the same: what it says is then never
 *   so, without a word from Prometheus
 */
export function labelsOf(expr: Expr, labels: Labels): Result {
  switch (expr.kind) {
    case "number":
      return SCALAR;
    case "selector": {
      const known = labels(expr.metric);
      if (known === undefined) throw new Error(`there is no metric ${expr.metric}`);
      const all = new Set([...known, ...SCRAPED]);
      requireAll(
        expr.matchers.map(({ label }) => label),
        all,
        expr.metric,
      );
      return all;
    }
    case "aggregate": {
      const inner = vector(labelsOf(expr.of, labels));
      requireAll(expr.by, inner, expr.name);
      return new Set(expr.by);
    }
    case "call":
      return ofCall(expr, labels);
    case "binary":
      return ofBinary(expr, labels);
  }
}

function ofCall({ name, args }: Extract<Expr, { kind: "call" }>, labels: Labels): Result {
  const inner = args.map((arg) => labelsOf(arg, labels));
  if (OVER_TIME.has(name)) {
    const [of] = args;
    if (of?.kind !== "selector" || of.range === undefined) throw new Error(`${name} needs a range`);
    return inner[0]!;
  }
  if (name === "absent") return new Set();
  if (name !== "histogram_quantile") throw new Error(`${name} is not known here`);
  const of = vector(inner[1]!);
  requireAll(["le"], of, name);
  return new Set([...of].filter((label) => label !== "le"));
}

function ofBinary({ op, left, right, match }: Extract<Expr, { kind: "binary" }>, labels: Labels): Result {
  const [a, b] = [labelsOf(left, labels), labelsOf(right, labels)];
  if (a === SCALAR || b === SCALAR) return a === SCALAR ? b : a;
  if (match.how === "on") {
    for (const side of [a, b]) requireAll(match.labels, side, op);
    return a;
  }
  const compared = (side: ReadonlySet<string>) =>
    [...side]
      .filter((label) => !match.labels.includes(label))
      .sort()
      .join();
  if (compared(a) !== compared(b)) throw new Error(`${op} joins {${compared(a)}} and {${compared(b)}}: never the same`);
  return a;
}

function vector(result: Result): ReadonlySet<string> {
  if (result === SCALAR) throw new Error("a number has no labels");
  return result;
}

function requireAll(wanted: readonly string[], known: ReadonlySet<string>, where: string): void {
  const missing = wanted.filter((label) => !known.has(label));
  if (missing.length > 0) throw new Error(`${where} has no label ${missing.join()}`);
}
