import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import {
  access,
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readFile,
  readlink,
  realpath,
  rm,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const LAUNCHER = fileURLToPath(new URL("../../holdfast", import.meta.url));

// Stands in for npm: what the launcher needs of an install, and a line in a log for each run. With a file `slow` beside
// it, it stops half-way until that file goes; with a file `broken`, it fails.
const NPM = `
const fs = require("node:fs"), path = require("node:path");
const home = path.dirname(__filename);
fs.appendFileSync(home + "/log", "npm " + process.argv.slice(2).join(" ") + "\\n");
if (fs.existsSync(home + "/broken")) { console.error("npm error: no network"); process.exit(1); }
const write = (file, text) => { fs.mkdirSync(path.dirname(file), { recursive: true }); fs.writeFileSync(file, text); };
const prefix = process.argv.indexOf("--prefix");
if (prefix > 0) {
  const name = process.argv.at(-1).split("@")[0];
  const bin = process.argv[prefix + 1] + "/node_modules/" + name + "/bin";
  fs.mkdirSync(bin, { recursive: true });
  fs.symlinkSync(process.execPath, bin + "/node");
} else {
  fs.rmSync("node_modules", { recursive: true, force: true });
  write("node_modules/half", "");
  while (fs.existsSync(home + "/slow")) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
  write("node_modules/tsx/dist/esm/index.mjs", "");
  write("node_modules/hardhat/package.json", '{"type":"commonjs"}');
  write("node_modules/hardhat/dist/src/cli.js", \`
    const fs = require("node:fs");
    fs.appendFileSync(\${JSON.stringify(home + "/log")}, "hardhat " + process.argv.slice(2).join(" ") + "\\\\n");
    if (fs.readFileSync("contracts/A.sol", "utf8").includes("wrong")) { console.log("Error HHE: A.sol is wrong"); process.exit(1); }
    fs.mkdirSync("typechain-types", { recursive: true });
  \`);
}
`;

// Stands in for the command line: tells how it was called. `type` of package.json makes it an ES module.
const MAIN = `
const nodeOptions = process.env.NODE_OPTIONS;
console.log(JSON.stringify({ args: process.argv.slice(2), cwd: process.cwd(), node: process.version, nodeOptions }));
process.exit(process.argv[2] === "fail" ? 7 : 0);
`;

interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

describe("launcher", () => {
  let root: string;
  let bin: string;

  beforeEach(async () => {
    const folder = await realpath(await mkdtemp(join(tmpdir(), "holdfast launcher ")));
    root = join(folder, "project");
    bin = join(folder, "bin");
    await mkdir(join(root, "contracts"), { recursive: true });
    await mkdir(join(root, "src/cli"), { recursive: true });
    await mkdir(bin);
    await cp(LAUNCHER, join(root, "holdfast"));
    await writeFile(join(root, "package.json"), '{"type":"module"}');
    await writeFile(join(root, "src/cli/main.ts"), MAIN);
    for (const file of [
      "package-lock.json",
      "contracts/A.sol",
      "hardhat.config.ts",
      "remappings.txt",
      "tsconfig.json",
    ]) {
      await writeFile(join(root, file), "{}");
    }
    await writeFile(join(bin, "npm.js"), NPM, { mode: 0o755 });
    await symlink("npm.js", join(bin, "npm"));
    await symlink(process.execPath, join(bin, "node"));
  });

  afterEach(() => rm(join(root, ".."), { recursive: true }));

  /** @param path where commands are found: our stand-ins come before the machine's own. */
  function start(args: string[] = [], cwd = root, script = join(root, "holdfast"), path = `${bin}:/usr/bin:/bin`) {
    return spawn("/bin/sh", [script, ...args], {
      cwd,
      env: { HOME: root, PATH: path },
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  function finish(child: ChildProcess): Promise<Outcome> {
    return new Promise((done) => {
      const outcome: Outcome = { status: null, stdout: "", stderr: "" };
      child.stdout?.on("data", (text) => {
        outcome.stdout += text;
      });
      child.stderr?.on("data", (text) => {
        outcome.stderr += text;
      });
      child.on("close", (status) => done({ ...outcome, status }));
    });
  }

  const launch = (...args: Parameters<typeof start>) => finish(start(...args));

  /** What npm and Hardhat were called for since the last time. */
  async function work(): Promise<string[]> {
    const text = await readFile(join(bin, "log"), "utf8").catch(() => "");
    await rm(join(bin, "log"), { force: true });
    return text
      .trimEnd()
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => line.split(" ").slice(0, 2).join(" "));
  }

  async function until(condition: () => Promise<unknown>): Promise<void> {
    for (let i = 0; i < 500; i++) {
      if (await condition().then(Boolean, () => false)) return;
      await sleep(20);
    }
    throw new Error("the condition never held");
  }

  it("installs and compiles once, with a line each on stderr", async () => {
    const first = await launch(["a b", "--c", ""]);
    expect(first.status).to.equal(0);
    expect(first.stderr).to.equal("holdfast: installing packages (npm ci) ...\nholdfast: compiling contracts ...\n");
    expect(JSON.parse(first.stdout).args).to.deep.equal(["a b", "--c", ""]);
    expect(await work()).to.deep.equal(["npm ci", "hardhat build"]);
    const second = await launch();
    expect(second.stderr).to.equal("");
    expect(await work()).to.deep.equal([]);
  });

  it("runs in the caller's directory, also through symbolic links, and hands on the exit status", async () => {
    const elsewhere = join(root, "..", "else where");
    await mkdir(elsewhere);
    await symlink("../project/holdfast", join(elsewhere, "link"));
    await symlink(join(elsewhere, "link"), join(elsewhere, "link to link"));
    const { status, stdout } = await launch(["fail"], elsewhere, "link to link");
    expect(status).to.equal(7);
    expect(JSON.parse(stdout)).to.deep.include({ args: ["fail"], cwd: elsewhere });
  });

  it("starts what runs for long with little memory for what is young, and nothing else so", async () => {
    for (const [args, flag] of [
      [["provider", "run"], "--max-semi-space-size=4 --max-old-space-size=1024 "],
      [["keeper", "run", "--dir", "x"], "--max-semi-space-size=4 --max-old-space-size=1024 "],
      [["provider", "status"], undefined],
    ] as const) {
      expect(JSON.parse((await launch([...args])).stdout).nodeOptions).to.equal(flag);
    }
  });

  it("installs again when the lockfile changes, and only then", async () => {
    await launch();
    await work();
    await utimes(join(root, "package-lock.json"), new Date(), new Date());
    await launch();
    expect(await work()).to.deep.equal([]);
    await writeFile(join(root, "package-lock.json"), "{ }");
    await launch();
    expect(await work()).to.deep.equal(["npm ci", "hardhat build"]);
  });

  it("compiles again when a source changes, comes or goes, even to an older date", async () => {
    await launch();
    await work();
    const added = join(root, "contracts/B C.sol");
    const steps = [
      async () => {
        await writeFile(join(root, "contracts/A.sol"), "older");
        await utimes(join(root, "contracts/A.sol"), new Date(0), new Date(0));
      },
      () => writeFile(added, ""),
      () => rm(added),
      () => writeFile(join(root, "remappings.txt"), "a/=b/"),
      () => rm(join(root, "typechain-types"), { recursive: true }),
    ];
    for (const step of steps) {
      await step();
      await launch();
      expect(await work(), step.toString()).to.deep.equal(["hardhat build"]);
    }
  });

  it("says what npm said when it fails, and tries again the next time", async () => {
    await writeFile(join(bin, "broken"), "");
    const { status, stdout, stderr } = await launch();
    expect(status).to.equal(1);
    expect(stdout).to.equal("");
    expect(stderr).to.contain("npm error: no network\nerror: npm ci failed\nhint: check the network");
    await rm(join(bin, "broken"));
    expect((await launch()).status).to.equal(0);
  });

  it("asks for npm where there is none", async () => {
    await rm(join(bin, "npm"));
    for (const tool of ["cat", "cksum", "dirname", "ln", "mkdir", "readlink", "rm", "uname"]) {
      const found = [`/usr/bin/${tool}`, `/bin/${tool}`].find((file) => existsSync(file));
      if (found !== undefined) await symlink(found, join(bin, tool));
    }
    const { status, stderr } = await launch([], root, join(root, "holdfast"), bin);
    expect(status).to.equal(1);
    expect(stderr).to.equal(
      "error: npm was not found on PATH\nhint: install Node.js, which brings npm: https://nodejs.org\n",
    );
  });

  it("says what the compiler said when it fails, and tries again the next time", async () => {
    await writeFile(join(root, "contracts/A.sol"), "wrong");
    const { status, stderr } = await launch();
    expect(status).to.equal(1);
    expect(stderr).to.contain("A.sol is wrong\nerror: the contracts do not compile\nhint: ");
    await writeFile(join(root, "contracts/A.sol"), "right");
    expect((await launch()).status).to.equal(0);
  });

  it("starts over after an install that was interrupted, and leaves no lock", async () => {
    await writeFile(join(bin, "slow"), "");
    const child = start();
    const ended = finish(child);
    await until(() => access(join(root, "node_modules/half")).then(() => true));
    child.kill("SIGTERM");
    await rm(join(bin, "slow"));
    expect((await ended).status).to.equal(143);
    await work();
    expect((await launch()).status).to.equal(0);
    expect(await work()).to.deep.equal(["npm ci", "hardhat build"]);
  });

  it("lets only one of many install", async () => {
    await writeFile(join(bin, "slow"), "");
    const all = [1, 2, 3].map(() => launch());
    await until(() => access(join(root, "node_modules/half")).then(() => true));
    await sleep(200);
    await rm(join(bin, "slow"));
    const outcomes = await Promise.all(all);
    expect(outcomes.map(({ status }) => status)).to.deep.equal([0, 0, 0]);
    expect(outcomes.filter(({ stderr }) => stderr.includes("waiting for another holdfast"))).to.have.length(2);
    expect((await work()).sort()).to.deep.equal(["hardhat build", "npm ci"]);
  });

  it("breaks the lock of a process that is gone", async () => {
    const gone = start(["--version"]);
    await finish(gone);
    await writeFile(join(root, "package-lock.json"), "{ }");
    await symlink(String(gone.pid), join(root, ".holdfast/lock"));
    expect((await launch()).status).to.equal(0);
    expect(await readlink(join(root, ".holdfast/lock")).catch(() => "none")).to.equal("none");
  });

  describe("with too old a Node", () => {
    beforeEach(async () => {
      await rm(join(bin, "node"));
      await writeFile(
        join(bin, "node"),
        `#!/bin/sh\nif [ "$1" = --version ]; then echo v20.20.2; else exec '${process.execPath}' "$@"; fi\n`,
      );
      await chmod(join(bin, "node"), 0o755);
    });

    it("brings one from npm, once, and runs npm and the command under it", async () => {
      const first = await launch();
      expect(first.status).to.equal(0);
      expect(first.stderr).to.match(
        /^holdfast: bringing Node 24\.\d+\.\d+ from npm \(found v20\.20\.2, need >= 22\.13\)/,
      );
      expect(JSON.parse(first.stdout).node).to.equal(process.version);
      expect(await work()).to.deep.equal(["npm install", "npm ci", "hardhat build"]);
      expect((await launch()).stderr).to.equal("");
    });

    it("says what npm said when it cannot", async () => {
      await writeFile(join(bin, "broken"), "");
      const { status, stderr } = await launch();
      expect(status).to.equal(1);
      expect(stderr).to.match(/npm error: no network\nerror: could not fetch \S+\nhint: check the network/);
    });
  });
});
