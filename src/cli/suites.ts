import { globSync } from "node:fs";
import { ROOT } from "./root.js";

/** Which of Hardhat's test runners takes a file. */
export type Runner = "solidity" | "mocha";

/** What a suite came to. `skipped` tests neither passed nor failed. */
export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
  /** What failed and why, to be said once more at the end of a run. */
  failures: string[];
}

/** A set of test files that run together, in one process. */
export interface Suite {
  name: string;
  runner: Runner;
  summary: string;
  include: string;
  exclude: string[];
  /** Few files that take minutes each: none of them waits for another. */
  apart?: boolean;
}

/** Quick first: a mistake shows before the long suites start. */
export const SUITES: readonly Suite[] = [
  {
    name: "unit",
    runner: "mocha",
    summary: "one part at a time, contracts on Hardhat's network",
    include: "test/**/*.test.ts",
    exclude: ["test/e2e/**"],
  },
  {
    name: "solidity",
    runner: "solidity",
    summary: "fuzz and invariant tests",
    include: "test/solidity/**/*.t.sol",
    exclude: [],
  },
  {
    name: "e2e",
    runner: "mocha",
    summary: "real nodes, servers and databases",
    include: "test/e2e/**/*.test.ts",
    exclude: [],
    apart: true,
  },
];

/** The files of a suite, relative to {@link ROOT}, in a fixed order. */
export function filesOf(suite: Suite): string[] {
  return globSync(suite.include, { cwd: ROOT, exclude: suite.exclude }).sort();
}
