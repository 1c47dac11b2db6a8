import { fileURLToPath } from "node:url";
import { type GasRow, measureGas } from "./gas/rows.js";
import { brokenTargets, TARGETS } from "./gas/targets.js";

const WIDTHS = [16, 11, 11, 11, 11] as const;

/**
 * Measures the gas of every entry point as an external transaction, on Hardhat's network at its default hardfork. All
 * of it is fixed (accounts, addresses, block times, seeds), so a figure changes only with the contracts, the compiler
 * or Hardhat's gas rules.
 *
 * @param options - `json` prints one object, `{ rows: [{ op, gas, calldataBytes, calldataFloor }] }`, else a table
 */
export async function benchGas({ json = false }: { json?: boolean } = {}): Promise<GasRow[]> {
  const rows = await measureGas();
  if (json) console.log(JSON.stringify({ rows }));
  else printTable(rows);
  return rows;
}

function printTable(rows: readonly GasRow[]): void {
  const line = (cells: readonly (string | number)[]): string =>
    cells.map((cell, i) => (i === 0 ? `${cell}`.padEnd(WIDTHS[0]) : `${cell}`.padStart(WIDTHS[i] ?? 0))).join("");
  console.log(line(["op", "gas", "target", "calldata", "floor"]));
  for (const { op, gas, calldataBytes, calldataFloor } of rows) {
    const target = TARGETS.find((candidate) => candidate.op === op)?.gas ?? "";
    console.log(line([op, gas, target, calldataBytes, calldataFloor]));
  }
  console.log("\nfloor: 21000 + 10 × (zero bytes + 4 × nonzero bytes) of calldata, EIP-7623");
  const broken = brokenTargets(rows);
  console.log(broken.length === 0 ? "every target is met" : broken.map((what) => `broken: ${what}`).join("\n"));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await benchGas({ json: process.argv.includes("--json") });
}
