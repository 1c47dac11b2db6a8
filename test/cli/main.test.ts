import { spawn } from "node:child_process";
import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import manifest from "../../package.json" with { type: "json" };

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TSX = fileURLToPath(import.meta.resolve("tsx/esm"));

interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

function holdfast(args: string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): Promise<Outcome> {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, ["--import", TSX, join(ROOT, "src/cli/main.ts"), ...args], {
      cwd: options.cwd ?? ROOT,
      env: { ...process.env, HOLDFAST_DEBUG: "0", ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const outcome: Outcome = { status: null, stdout: "", stderr: "" };
    child.stdout.on("data", (text) => {
      outcome.stdout += text;
    });
    child.stderr.on("data", (text) => {
      outcome.stderr += text;
    });
    child.on("error", fail);
    child.on("close", (status) => done({ ...outcome, status }));
  });
}

describe("command line", () => {
  it("prints its version", async () => {
    expect(await holdfast(["--version"])).to.deep.equal({ status: 0, stdout: `${manifest.version}\n`, stderr: "" });
  });

  it("lists its commands with what they are for", async () => {
    const { status, stdout, stderr } = await holdfast(["--help"]);
    expect(status).to.equal(0);
    expect(stderr).to.equal("");
    for (const line of [/^ {2}piece +\S/m, /^ {2}bench +\S/m, /^ {2}test +\S/m, /^ {2}lint +\S/m]) {
      expect(stdout).to.match(line);
    }
  });

  it("explains one command, by --help and by help", async () => {
    const asked = await holdfast(["test", "--help"]);
    expect(asked.status).to.equal(0);
    expect(asked.stdout).to.contain("--grep <text>").and.to.contain("Suites:");
    expect((await holdfast(["help", "test"])).stdout).to.equal(asked.stdout);
  });

  it("lists the commands of a group", async () => {
    const { status, stdout } = await holdfast(["bench", "--help"]);
    expect(status).to.equal(0);
    expect(stdout).to.match(/^ {2}piece +\S/m);
  });

  it("fails without a command, and says which there are", async () => {
    const { status, stdout, stderr } = await holdfast([]);
    expect(status).to.equal(1);
    expect(stdout).to.equal("");
    expect(stderr).to.contain("Commands:");
  });

  for (const args of [["nosuch"], ["bench", "nosuch"], ["test", "--nosuch"], ["--nosuch"]]) {
    it(`refuses what it doesn't know: ${args.join(" ")}`, async () => {
      const { status, stdout, stderr } = await holdfast(args);
      expect(status).to.equal(1);
      expect(stdout).to.equal("");
      expect(stderr).to.match(/^error: unknown (command|option) '(--)?nosuch'\nhint: \S.+\n$/);
    });
  }

  describe("errors", () => {
    it("are a message and a hint, without a stack", async () => {
      const { status, stdout, stderr } = await holdfast(["test", "nosuch"]);
      expect(status).to.equal(1);
      expect(stdout).to.equal("");
      expect(stderr).to.match(/^error: no suite and no test file is called nosuch\nhint: the suites are unit, .+\n$/);
    });

    it("come with their stack where HOLDFAST_DEBUG=1", async () => {
      const { status, stderr } = await holdfast(["test", "nosuch"], { env: { HOLDFAST_DEBUG: "1" } });
      expect(status).to.equal(1);
      expect(stderr)
        .to.match(/^error: no suite.+\nhint: .+\nHoldfastError: no suite/)
        .and.to.match(/\n +at .+test\.ts/);
    });
  });

  describe("from another directory", () => {
    let folder: string;

    before(async () => {
      folder = await realpath(await mkdtemp(join(tmpdir(), "holdfast cli ")));
    });

    after(() => rm(folder, { recursive: true }));

    it("takes files relative to the caller", async () => {
      await writeFile(join(folder, "some file"), "bytes");
      const { status, stdout } = await holdfast(["piece", "some file", "--json"], { cwd: folder });
      expect(status).to.equal(0);
      expect(JSON.parse(stdout).bytes).to.equal(5);
    });
  });
});

describe("holdfast test", () => {
  let folder: string;

  before(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), "holdfast test ")));
  });

  after(() => rm(folder, { recursive: true }));

  async function runFile(text: string, ...args: string[]): Promise<Outcome> {
    const file = join(folder, `${Math.random().toString(36).slice(2)}.test.ts`);
    await writeFile(file, text);
    return holdfast(["test", file, ...args]);
  }

  function lastLine({ stdout }: Outcome): string | undefined {
    return stdout.trimEnd().split("\n").at(-1);
  }

  it("counts what passed", async () => {
    const outcome = await runFile('it("one", () => {}); it("two", () => {});');
    expect(lastLine(outcome)).to.equal("2 passed, 0 failed");
    expect(outcome.status).to.equal(0);
  });

  it("fails where one test fails, and does not count skipped ones", async () => {
    const outcome = await runFile(
      'it("a", () => {}); it("b", () => { throw new Error("no"); }); it.skip("c", () => {});',
    );
    expect(lastLine(outcome)).to.equal("1 passed, 1 failed");
    expect(outcome.stdout).to.contain("1 passed, 1 failed, 1 skipped in");
    expect(outcome.status).to.equal(1);
  });

  it("fails where a hook fails, and counts no test that it kept from running", async () => {
    const outcome = await runFile(
      'describe("d", () => { before(() => { throw new Error("no"); }); it("a", () => {}); it("b", () => {}); });',
    );
    expect(lastLine(outcome)).to.equal("0 passed, 1 failed");
    expect(outcome.status).to.equal(1);
  });

  for (const [what, text] of [
    ["does not load", 'throw new Error("no");'],
    ["ends the process", 'it("a", () => {}); it("b", () => process.exit(0));'],
    ["leaves .only behind", 'it.only("a", () => {});'],
  ] as const) {
    it(`fails where a file ${what}`, async () => {
      const outcome = await runFile(text);
      expect(lastLine(outcome)).to.equal("0 passed, 1 failed");
      expect(outcome.stderr).to.match(/error: the suite .+ broke off/);
      expect(outcome.status).to.equal(1);
    });
  }

  it("fails where not a single test ran", async () => {
    const outcome = await runFile('it("one", () => {});', "--grep", "another");
    expect(lastLine(outcome)).to.equal("0 passed, 0 failed");
    expect(outcome.stderr).to.match(/^error: not a single test ran\nhint: /m);
    expect(outcome.status).to.equal(1);
  });

  it("counts what passed in Solidity", async () => {
    const outcome = await holdfast([
      "test",
      "test/solidity/Challenge.t.sol",
      "--grep",
      "testNoChallenges|testAPieceOfOneLeaf",
    ]);
    expect(lastLine(outcome)).to.equal("2 passed, 0 failed");
    expect(outcome.status).to.equal(0);
  });

  it("ends although a test left a server open", async () => {
    const outcome = await runFile(
      'import { createServer } from "node:http"; it("a", () => { createServer().listen(0); });',
    );
    expect(outcome.status).to.equal(0);
  });
});
