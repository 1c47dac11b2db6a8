import type { GasRow } from "./rows.js";

/** What a row has to stay under: gas of the whole transaction, and a multiple of its own calldata floor. */
export interface Target {
  readonly op: string;
  readonly gas: number;
  readonly timesFloor?: number;
}

/** The promises that docs/benchmarks.md makes. A batch's is its size times what one deal may cost. */
export const TARGETS: readonly Target[] = [
  { op: "open.first", gas: 265_000 },
  { op: "open.later", gas: 230_000 },
  { op: "prove.1.h15", gas: 107_000 },
  { op: "prove.1.h20", gas: 139_000, timesFloor: 1.01 },
  { op: "prove.1.h25", gas: 171_000, timesFloor: 1.01 },
  { op: "prove.40.h20", gas: 40 * 117_000 },
  { op: "settle.1", gas: 78_000 },
  { op: "settle.batch50", gas: 50 * 24_000 },
  { op: "amend.1", gas: 200_000 },
  { op: "amend.1000", gas: 200_000 },
  { op: "request.post.3", gas: 250_000 },
  { op: "request.fill.h20", gas: 400_000 },
  { op: "request.fill.stake", gas: 400_000 },
  { op: "request.fill.repair", gas: 400_000 },
  { op: "provenance.register", gas: 75_000 },
  { op: "provenance.register.batch100", gas: 100 * 40_000 },
  { op: "provenance.anchor", gas: 90_000 },
  { op: "provenance.attest", gas: 60_000 },
];

/** The targets that `rows` break, a sentence each. */
export function brokenTargets(rows: readonly GasRow[]): string[] {
  const broken: string[] = [];
  for (const { op, gas, timesFloor } of TARGETS) {
    const row = rows.find((candidate) => candidate.op === op);
    if (row === undefined) broken.push(`${op} is not measured`);
    else if (row.gas > gas) broken.push(`${op} costs ${row.gas} gas, over its target of ${gas}`);
    else if (timesFloor !== undefined && row.gas > timesFloor * row.calldataFloor) {
      broken.push(`${op} costs ${row.gas} gas, over ${timesFloor} times its calldata floor of ${row.calldataFloor}`);
    }
  }
  return broken;
}
