import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { HoldfastError } from "../errors.js";
import { ROOT } from "./root.js";
import { filesOf, SUITES } from "./suites.js";

const REQUIRED_PERCENT = 98;

/** The lines of one source file that hold code, and how many of them ran. */
export interface FileLines {
  file: string;
  found: number;
  hit: number;
}

/**
 * Counts lines by file in an LCOV trace, from its `SF` and `DA` records
 * (format: https://github.com/linux-test-project/lcov/blob/master/man/geninfo.1).
 *
 * @throws HoldfastError `COVERAGE_TRACE` if there is a record that it does not know, or not a single line.
 */
export function parseLcov(trace: string): FileLines[] {
  const files: FileLines[] = [];
  for (const record of trace.split("\n").filter((text) => text !== "")) {
    const [, kind, value = ""] = /^(\w+):?(.*)$/.exec(record) ?? [];
    const current = files.at(-1);
    if (kind === "SF") {
      files.push({ file: value.replaceAll("\\", "/"), found: 0, hit: 0 });
    } else if (kind === "DA" && current !== undefined) {
      current.found += 1;
      if (!value.endsWith(",0")) current.hit += 1;
    } else if (!["TN", "LH", "LF", "end_of_record"].includes(kind ?? "")) {
      throw badTrace(`has a record that is not understood: ${record}`);
    }
  }
  if (!files.some(({ found }) => found > 0)) throw badTrace("has no lines");
  return files;
}

function badTrace(what: string): HoldfastError {
  return new HoldfastError("COVERAGE_TRACE", `the coverage trace ${what}`, "see whether Hardhat changed its format");
}

/** The tests that run contracts on Hardhat's own network. */
function contractTests(): string[] {
  const elsewhere = readdirSync(join(ROOT, "src")).filter((folder) => folder !== "protocol");
  const outside = [...elsewhere, "scripts"].map((folder) => `test/${folder}/`);
  return SUITES.filter(({ name }) => name !== "e2e")
    .flatMap(filesOf)
    .filter((file) => !outside.some((folder) => file.startsWith(folder)));
}

function runTests(): void {
  rmSync(join(ROOT, "coverage"), { recursive: true, force: true });
  // The instrumented build replaces the normal one: without its stamp, the launcher compiles again.
  rmSync(join(ROOT, "artifacts", ".holdfast-stamp"), { force: true });
  const hardhat = join(ROOT, "node_modules/hardhat/dist/src/cli.js");
  // Instrumented code costs more gas and is larger, campaigns this short act too seldom for those that count, and the
  // long histories of the reference model reach no line that others don't.
  const excluded = "[Gg]as|code size|invariant_(escrowIs|booksAre)|reference model";
  const args = ["test", "--coverage", "--test-profile", "coverage", "--grep-exclude", excluded, "--"];
  const { status } = spawnSync(process.execPath, [hardhat, ...args, ...contractTests()], {
    cwd: ROOT,
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (status !== 0) {
    throw new HoldfastError("COVERAGE_TESTS", "tests failed while coverage was measured", "see their output above");
  }
}

function coverage(): void {
  runTests();
  const files = parseLcov(readFileSync(join(ROOT, "coverage/lcov.info"), "utf8")).filter(
    ({ file }) => file.startsWith("contracts/") && !file.startsWith("contracts/mocks/"),
  );
  const found = files.reduce((sum, file) => sum + file.found, 0);
  const hit = files.reduce((sum, file) => sum + file.hit, 0);
  for (const file of files.filter((each) => each.hit < each.found)) {
    console.log(`${file.file}: ${file.found - file.hit} of ${file.found} lines not covered`);
  }
  const percent = (100 * hit) / found;
  console.log(`line coverage of contracts/: ${percent.toFixed(2)} % (${hit} of ${found}), need ${REQUIRED_PERCENT} %`);
  // Not `<`: without any line the figure is NaN, and that is no pass.
  if (!(percent >= REQUIRED_PERCENT)) process.exitCode = 1;
}

/**
 * `holdfast coverage`: fails under 98 % of the lines of contracts/ (but for contracts/mocks, which are tests
 * themselves), and leaves the reports in coverage/.
 */
export function coverageCommand(): Command {
  return new Command("coverage")
    .description(`Measure which lines of contracts/ the tests reach; fails below ${REQUIRED_PERCENT} %.`)
    .action(coverage);
}
