// Runs the files of one suite in a process of its own and sends its tally to the parent. Hardhat's tasks are called
// here rather than through its command line, because what they print is for people and changes with versions.
import hre from "hardhat";
import Mocha from "mocha";
import { z } from "zod";
import type { Tally } from "./suites.js";

const job = z
  .object({
    runner: z.enum(["solidity", "mocha"]),
    files: z.array(z.string()).min(1),
    grep: z.string().optional(),
  })
  .parse(JSON.parse(process.argv[2] ?? "null"));

const solidityResult = z.object({
  success: z.boolean(),
  value: z.unknown().optional(),
  error: z.unknown().optional(),
});
const solidityRun = z.object({
  suiteResults: z.array(
    z.object({
      testResults: z.array(z.object({ name: z.string(), status: z.enum(["Success", "Failure", "Skipped"]) })),
    }),
  ),
});

async function runSolidity(options: object): Promise<Tally> {
  const result = solidityResult.parse(await hre.tasks.getTask(["test", "solidity"]).run(options));
  // Not from the task's `summary`, which stays empty where the task is called by itself.
  const { suiteResults } = solidityRun.parse(result.success ? result.value : result.error);
  const all = suiteResults.flatMap(({ testResults }) => testResults);
  const count = (wanted: string) => all.filter(({ status }) => status === wanted).length;
  const failed = count("Failure");
  // A runner that broke off without a failing test has still failed.
  return {
    passed: count("Success"),
    failed: result.success ? failed : Math.max(failed, 1),
    skipped: count("Skipped"),
    failures: all.filter(({ status }) => status === "Failure").map(({ name }) => name),
  };
}

async function runMocha(options: object): Promise<Tally> {
  const tally: Tally = { passed: 0, failed: 0, skipped: 0, failures: [] };
  // Hardhat's own summary counts a skipped test, and one that a failed hook kept from running, as passed.
  class Counting extends Mocha.reporters.Spec {
    constructor(runner: Mocha.Runner, settings: Mocha.MochaOptions) {
      super(runner, settings);
      runner.on("pass", () => tally.passed++);
      runner.on("fail", (test, error) => {
        tally.failed++;
        tally.failures.push(`${test.fullTitle()}\n${error.stack ?? error}`);
      });
      runner.on("pending", () => tally.skipped++);
    }
  }
  Object.assign(hre.config.test.mocha, { reporter: Counting, forbidOnly: true });
  // The launcher has compiled; parts that look whether they have to, at the same moment, write the same file of Hardhat's cache.
  await hre.tasks.getTask(["test", "mocha"]).run({ ...options, noCompile: true });
  return tally;
}

// Without its parent, nobody reads the result.
process.once("disconnect", () => process.exit(1));

const options = { testFiles: job.files, ...(job.grep === undefined ? {} : { grep: job.grep }) };
const tally = await (job.runner === "solidity" ? runSolidity(options) : runMocha(options));
// Servers and timers that a test left open must not keep the run from ending.
process.send?.(tally, () => process.exit(tally.failed === 0 ? 0 : 1));
