import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { benchPieceCommand } from "../../src/cli/bench-piece.js";
import { type PieceReport, pieceCommand } from "../../src/cli/piece.js";
import { ProgressBar } from "../../src/cli/progress.js";
import { commit, encodePieceCid } from "../../src/piece/index.js";
import { expectError, pseudoRandom } from "../piece/helpers.js";

/** Runs a command as the program's root does and returns the lines that it prints. */
async function run(command: ReturnType<typeof pieceCommand>, args: string[]): Promise<string[]> {
  const lines: string[] = [];
  const { log } = console;
  console.log = (line: string) => lines.push(line);
  try {
    await command
      .exitOverride()
      .configureOutput({ writeErr: () => undefined })
      .parseAsync(args, { from: "user" });
  } finally {
    console.log = log;
  }
  return lines;
}

describe("cli: piece", () => {
  let folder: string;
  const payload = pseudoRandom(100_000);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "holdfast-cli-"));
    await writeFile(join(folder, "file"), payload);
    await writeFile(join(folder, "empty"), "");
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it("prints the commitment as one JSON object", async () => {
    const file = join(folder, "file");
    const lines = await run(pieceCommand(), [file, "--json"]);
    const commitment = await commit(payload);
    expect(lines).to.have.length(1);
    expect(JSON.parse(lines[0] as string) as PieceReport).to.deep.equal({
      file,
      bytes: 100_000,
      pieceCid: encodePieceCid(commitment).toString(),
      root: `0x${Buffer.from(commitment.root).toString("hex")}`,
      leafCount: 3150,
      height: 12,
    });
  });

  it("prints the same for a person", async () => {
    const file = join(folder, "file");
    const text = (await run(pieceCommand(), [file])).join("\n");
    const report = JSON.parse((await run(pieceCommand(), [file, "--json"]))[0] as string) as PieceReport;
    for (const value of [report.pieceCid, report.root, "3150", "12", "100000 bytes"]) expect(text).to.include(value);
  });

  it("says what is wrong with the file", async () => {
    const missing = join(folder, "nowhere");
    expect((await expectError("FILE_NOT_FOUND", () => run(pieceCommand(), [missing]))).message).to.include(missing);
    const empty = join(folder, "empty");
    expect((await expectError("EMPTY_PIECE", () => run(pieceCommand(), [empty]))).message).to.include(empty);
    expect((await expectError("FILE_UNREADABLE", () => run(pieceCommand(), [folder]))).message).to.include(folder);
  });

  it("draws a bar on a terminal only, and takes it away", () => {
    const drawn: string[] = [];
    const write = (text: string): number => drawn.push(text);
    for (const isTTY of [false, true]) {
      const bar = new ProgressBar(200, { isTTY, write });
      bar.advance(100);
      bar.advance(100);
      bar.finish();
    }
    expect(drawn).to.deep.equal([`\r[${"#".repeat(15)}${".".repeat(15)}] 50 %`, "\r\u001b[K"]);
  });
});

describe("cli: bench piece", () => {
  it("prints both speeds and their ratio, JSON last", async function () {
    this.timeout(60_000);
    const lines = await run(benchPieceCommand(), ["--json", "--size", "2"]);
    const result = JSON.parse(lines.at(-1) as string) as Record<string, number>;
    expect(Object.keys(result)).to.deep.equal(["mbPerSecond", "wasmMbPerSecond", "ratio"]);
    // Far under what is measured on a quiet machine: this catches a hasher that fell back, not a busy core.
    expect(result.ratio).to.be.greaterThan(2);
    const text = (await run(benchPieceCommand(), ["--size", "1"])).join("\n");
    expect(text).to.match(/commit .* MB\/s[\s\S]*WASM hasher .* MB\/s[\s\S]*ratio/);
  });

  it("refuses a senseless size", async () => {
    for (const size of ["0", "1.5", "many", "65537"]) {
      const thrown = await run(benchPieceCommand(), ["--size", size]).catch((error: unknown) => error);
      expect(thrown).to.have.property("code", "commander.invalidArgument");
    }
  });
});
