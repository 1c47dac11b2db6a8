import { fork } from "node:child_process";
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { relative, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { HoldfastError } from "../errors.js";
import { ROOT } from "./root.js";
import { filesOf, type Runner, SUITES, type Tally } from "./suites.js";
import { parseCount } from "./values.js";

const WORKER = fileURLToPath(new URL("./suite-worker.ts", import.meta.url));

interface Job {
  name: string;
  runner: Runner;
  files: string[];
  apart?: boolean;
}

interface Flags {
  readonly grep?: string;
  readonly jobs: number;
}

/** More at once would starve the chains and nodes that tests start. */
const MOST_JOBS = 4;
/** A suite of fewer files is not worth splitting: each part starts a Hardhat of its own. */
const LEAST_FILES = 40;
/** Parts for each job at a time: the longest file is then not what all wait for. */
const PARTS = 2;

/** The jobs that the operands of `test` ask for: suites by name, single files by path, all suites without any. */
function selectJobs(operands: readonly string[]): Job[] {
  const names = operands.length === 0 ? SUITES.map((suite) => suite.name) : operands;
  return names.map((operand) => {
    const suite = SUITES.find(({ name }) => name === operand);
    if (suite !== undefined) {
      const { name, runner, apart = false } = suite;
      return { name, runner, apart, files: filesOf(suite) };
    }
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

/** Large suites in parts, neighbours in different ones, so that they take about equally long. */
function split(job: Job, jobs: number): Job[] {
  const count = job.apart ? job.files.length : jobs * PARTS;
  const isSmall = !job.apart && job.files.length < LEAST_FILES;
  if (jobs === 1 || job.runner !== "mocha" || isSmall) return [job];
  return Array.from({ length: count }, (_, part) => ({
    ...job,
    name: `${job.name} ${part + 1}/${count}`,
    files: job.files.filter((_, i) => i % count === part),
  }));
}

/** Runs one job in a child process. A child that ends without a word counts as one failure. */
function runJob(job: Job, { grep, jobs }: Flags): Promise<Tally> {
  return new Promise((done) => {
    const alone = jobs === 1;
    const child = fork(WORKER, [JSON.stringify({ runner: job.runner, files: job.files, grep })], {
      cwd: ROOT,
      stdio: ["ignore", alone ? "inherit" : "pipe", alone ? "inherit" : "pipe", "ipc"],
    });
    for (const [from, to] of [
      [child.stdout, process.stdout],
      [child.stderr, process.stderr],
    ] as const) {
      // Whose line it is, where several speak at once.
      if (from) createInterface({ input: from }).on("line", (line) => to.write(`${job.name} | ${line}\n`));
    }
    let tally: Tally | undefined;
    child.on("message", (message) => {
      tally = message as Tally;
    });
    child.on("close", (code, signal) => {
      const broken = `error: the suite ${job.name} broke off (${signal ?? `exit ${code}`})`;
      if (tally === undefined) console.error(broken);
      done(tally ?? { passed: 0, failed: 1, skipped: 0, failures: [broken] });
    });
  });
}

async function runTests(operands: string[], flags: Flags): Promise<void> {
  const total: Tally = { passed: 0, failed: 0, skipped: 0, failures: [] };
  const lines: string[] = [];
  const waiting = selectJobs(operands)
    .filter(({ files }) => files.length > 0)
    .flatMap((job) => split(job, flags.jobs));
  const work = async () => {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
      console.log(`\n== ${job.name}: ${job.files.length} files`);
      const start = performance.now();
      const { passed, failed, skipped, failures } = await runJob(job, flags);
      total.passed += passed;
      total.failed += failed;
      total.skipped += skipped;
      total.failures.push(...failures.map((failure) => `FAILED ${job.name}: ${failure}`));
      const seconds = ((performance.now() - start) / 1000).toFixed(1);
      lines.push(`${job.name}: ${passed} passed, ${failed} failed, ${skipped} skipped in ${seconds} s`);
    }
  };
  await Promise.all(Array.from({ length: flags.jobs }, work));
  for (const failure of total.failures) console.log(`\n${failure}`);
  console.log(`\n${lines.join("\n")}`);
  const nothingRan = total.passed + total.failed === 0;
  if (nothingRan) console.error("error: not a single test ran\nhint: check --grep and the names of the suites");
  console.log(`${total.passed} passed, ${total.failed} failed`);
  process.exitCode = nothingRan || total.failed > 0 ? 1 : 0;
}

function defaultJobs(): number {
  return Math.min(MOST_JOBS, availableParallelism());
}

/**
 * `holdfast test [--grep TEXT] [--jobs N] [SUITE | FILE …]`. Its last line on stdout is `N passed, N failed`; the exit status is 1
 * if a test failed, a suite broke off or not a single test ran.
 */
export function testCommand(): Command {
  const suites = SUITES.map(({ name, summary }) => `  ${name.padEnd(9)} ${summary}`).join("\n");
  return new Command("test")
    .description("Run the tests: everything, or the suites and files that are named.")
    .argument("[what...]", "suites or test files")
    .option("--grep <text>", "only the tests whose name matches")
    .option("--jobs <n>", "processes at once; one for each core, at most four, by default", parseCount, defaultJobs())
    .addHelpText("after", `\nSuites:\n${suites}`)
    .action(runTests);
}
