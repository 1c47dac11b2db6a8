import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../../src/cli/root.js";
import type { GasRow } from "./rows.js";
import { TARGETS } from "./targets.js";

/** How much a figure may grow before somebody has to say that it should. */
const TOLERANCE = 0.01;
const SNAPSHOT = join(ROOT, "test/gas-snapshot.json");
const PAGE = join(ROOT, "docs/benchmarks.md");
const BEGIN = "<!-- gas: begin, written by npm run gas:update -->\n";
const END = "<!-- gas: end -->";

/** The committed figures. */
export function readSnapshot(): GasRow[] {
  return (JSON.parse(readFileSync(SNAPSHOT, "utf8")) as { rows: GasRow[] }).rows;
}

/** Writes new figures into the snapshot and into the table of docs/benchmarks.md. */
export function writeSnapshot(rows: readonly GasRow[]): void {
  const page = readFileSync(PAGE, "utf8");
  writeFileSync(SNAPSHOT, `${JSON.stringify({ rows }, undefined, 2)}\n`);
  const [begin, end] = tableRange(page);
  writeFileSync(PAGE, page.slice(0, begin) + tableOf(rows) + page.slice(end));
}

/** What has grown by more than 1 %, has gone, or is not in the snapshot yet: a sentence each. */
export function regressions(snapshot: readonly GasRow[], rows: readonly GasRow[]): string[] {
  const before = new Map(snapshot.map((row) => [row.op, row.gas]));
  const now = new Map(rows.map((row) => [row.op, row.gas]));
  const gone = [...before.keys()].filter((op) => !now.has(op)).map((op) => `${op} is not measured any more`);
  const grown = rows.flatMap(({ op, gas }) => {
    const old = before.get(op);
    if (old === undefined) return [`${op} is not in the snapshot`];
    return gas > old * (1 + TOLERANCE) ? [`${op} grew from ${old} to ${gas} gas`] : [];
  });
  return [...gone, ...grown];
}

/** The table that docs/benchmarks.md shows now. */
export function publishedTable(): string {
  const page = readFileSync(PAGE, "utf8");
  return page.slice(...tableRange(page));
}

/** From where to where the table goes. */
function tableRange(page: string): [number, number] {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin === -1 || end === -1) throw new Error(`${PAGE} has lost the marks around its table of gas`);
  return [begin + BEGIN.length, end];
}

/** The table that belongs to `rows`, in Markdown. */
export function tableOf(rows: readonly GasRow[]): string {
  const target = (op: string): string => format(TARGETS.find((candidate) => candidate.op === op)?.gas);
  const lines = rows.map(
    ({ op, gas, calldataBytes, calldataFloor }) =>
      `| \`${op}\` | ${format(gas)} | ${target(op)} | ${format(calldataBytes)} | ${format(calldataFloor)} |`,
  );
  return ["| op | gas | target | calldata bytes | calldata floor |", "|---|--:|--:|--:|--:|", ...lines, ""].join("\n");
}

function format(figure: number | undefined): string {
  return figure === undefined ? "" : figure.toLocaleString("en-US");
}
