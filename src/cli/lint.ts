import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { Command } from "commander";
import { ROOT } from "./root.js";

const require = createRequire(import.meta.url);

interface Check {
  name: string;
  package: string;
  bin: string;
  args: string[];
  /** The arguments with which the tool corrects what it can; absent where it corrects nothing. */
  fixArgs?: string[];
}

const SOLIDITY = ["contracts/**/*.sol", "test/solidity/**/*.sol"];

const CHECKS: readonly Check[] = [
  {
    name: "biome",
    package: "@biomejs/biome",
    bin: "bin/biome",
    args: ["check", "--error-on-warnings"],
    fixArgs: ["check", "--write"],
  },
  {
    name: "prettier",
    package: "prettier",
    bin: "bin/prettier.cjs",
    args: ["--check", "--log-level=warn", "--no-error-on-unmatched-pattern", ...SOLIDITY],
    fixArgs: ["--write", "--log-level=warn", "--no-error-on-unmatched-pattern", ...SOLIDITY],
  },
  { name: "solhint", package: "solhint", bin: "solhint.js", args: ["--max-warnings=0", "--noPoster", ...SOLIDITY] },
  { name: "tsc", package: "typescript", bin: "bin/tsc", args: ["--noEmit"] },
];

/** Runs one tool to its end; true if it had nothing to say. */
function run(check: Check, fix: boolean): Promise<boolean> {
  const script = join(dirname(require.resolve(`${check.package}/package.json`)), check.bin);
  const args = fix && check.fixArgs ? check.fixArgs : check.args;
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [script, ...args], { cwd: ROOT, stdio: ["ignore", "inherit", "inherit"] });
    child.on("error", fail);
    child.on("close", (code) => done(code === 0));
  });
}

async function lint(options: { fix?: true }): Promise<void> {
  const failed: string[] = [];
  for (const check of CHECKS) {
    console.log(`== ${check.name}`);
    if (!(await run(check, options.fix === true))) failed.push(check.name);
  }
  console.log(failed.length === 0 ? "lint: clean" : `lint: ${failed.join(", ")} failed`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}

/** `holdfast lint [--fix]`: format and rules of TypeScript, JSON and Solidity, then the types. */
export function lintCommand(): Command {
  return new Command("lint")
    .description("Check format, rules and types: Biome, Prettier and solhint for Solidity, tsc.")
    .option("--fix", "correct what can be corrected")
    .action(lint);
}
