import { fork } from "node:child_process";
import { existsSync } from "node:fs";
import { relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { HoldfastError } from "../errors.js";
import { ROOT } from "./root.js";
import { filesOf, type Runner, SUITES, type Tally } from "./suites.js";

const WORKER = fileURLToPath(new URL("./suite-worker.ts", import.meta.url));

interface Job {
  name: string;
  runner: Runner;
  files: string[];
}

/** The jobs that the operands of `test` ask for: suites by name, single files by path, all suites without any. */
function selectJobs(operands: readonly string[]): Job[] {
  const names = operands.length === 0 ? SUITES.map((suite) => suite.name) : operands;
  return names.map((operand) => {
    const suite = SUITES.find(({ name }) => name === operand);
    if (suite !== undefined) return { name: suite.name, runner: suite.runner, files: filesOf(suite) };
    const file = resolve(operand);
    const runner = file.endsWith(".t.sol") ? "solidity" : file.endsWith(".test.ts") ? "mocha" : undefined;
    if (runner === undefined || !existsSync(file)) {
      throw new HoldfastError(
        "TEST_UNKNOWN",
        `no suite and no test file is called ${operand}`,
        `the suites are ${SUITES.map(({ name }) => name).join(", ")}; test files end in .test.ts or .t.sol`,
      );
    }
    return { name: relative(ROOT, file), runner, files: [file] };
  });
}

/** Runs one job in a child process. A child that ends without a word counts as one failure. */
function runJob(job: Job, grep: string | undefined): Promise<Tally> {
  return new Promise((done) => {
    const child = fork(WORKER, [JSON.stringify({ runner: job.runner, files: job.files, grep })], {
      cwd: ROOT,
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    let tally: Tally | undefined;
    child.on("message", (message) => {
      tally = message as Tally;
    });
    child.on("close", (code, signal) => {
      if (tally === undefined) console.error(`error: the suite ${job.name} broke off (${signal ?? `exit ${code}`})`);
      done(tally ?? { passed: 0, failed: 1, skipped: 0 });
    });
  });
}

async function runTests(operands: string[], options: { grep?: string }): Promise<void> {
  const total: Tally = { passed: 0, failed: 0, skipped: 0 };
  const lines: string[] = [];
  for (const job of selectJobs(operands)) {
    if (job.files.length === 0) continue;
    console.log(`\n== ${job.name}: ${job.files.length} files`);
    const start = performance.now();
    const tally = await runJob(job, options.grep);
    total.passed += tally.passed;
    total.failed += tally.failed;
    total.skipped += tally.skipped;
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    lines.push(`${job.name}: ${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped in ${seconds} s`);
  }
  console.log(`\n${lines.join("\n")}`);
  const nothingRan = total.passed + total.failed === 0;
  if (nothingRan) console.error("error: not a single test ran\nhint: check --grep and the names of the suites");
  console.log(`${total.passed} passed, ${total.failed} failed`);
  process.exitCode = nothingRan || total.failed > 0 ? 1 : 0;
}

/**
 * `holdfast test [--grep TEXT] [SUITE | FILE …]`. Its last line on stdout is `N passed, N failed`; the exit status is 1
 * if a test failed, a suite broke off or not a single test ran.
 */
export function testCommand(): Command {
  const suites = SUITES.map(({ name, summary }) => `  ${name.padEnd(9)} ${summary}`).join("\n");
  return new Command("test")
    .description("Run the tests: everything, or the suites and files that are named.")
    .argument("[what...]", "suites or test files")
    .option("--grep <text>", "only the tests whose name matches")
    .addHelpText("after", `\nSuites:\n${suites}`)
    .action(runTests);
}
