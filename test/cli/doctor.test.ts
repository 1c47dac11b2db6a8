import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { Wallet } from "ethers";
import { type Anvil, startAnvil } from "../../src/chain/anvil.js";
import { readDeployment } from "../../src/chain/deployment-node.js";
import { connectChain } from "../../src/chain/provider.js";
import type { DoctorReport } from "../../src/cli/doctor.js";
import { writeKeystore } from "../../src/keys/index.js";
import { holdfast } from "../support/cli.js";
import { jsonOf } from "../support/cli-net.js";
import { removeFolders, tempFolder } from "../support/pieces.js";
import { startRemoteSigner } from "../support/remote-signer.js";
import { startRpcProxy, wrongChain } from "../support/rpc-proxy.js";

/** anvil's first account. */
const KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const PASSWORD = "correct horse";
const SETTINGS = [
  ...["HOLDFAST_NETWORK", "HOLDFAST_RPC", "HOLDFAST_DEPLOYMENT", "HOLDFAST_DEPLOYMENTS", "LOCAL_RPC_URL"],
  ...["SEPOLIA_RPC_URL", "HOLDFAST_PRIVATE_KEY", "HOLDFAST_KEYSTORE", "HOLDFAST_PASSWORD_FILE"],
  ...["HOLDFAST_KEY_PASSWORD", "HOLDFAST_REMOTE_SIGNER", "HOLDFAST_ACCOUNT"],
] as const;

describe("holdfast doctor", function () {
  this.timeout(600_000);
  let anvil: Anvil;
  let [dir, file] = ["", ""];
  const environment = new Map(SETTINGS.map((name) => [name, process.env[name]]));

  before(async () => {
    for (const name of SETTINGS) delete process.env[name];
    anvil = await startAnvil({ chainId: 31_337 });
    dir = await tempFolder();
    process.env.LOCAL_RPC_URL = anvil.url;
    process.env.HOLDFAST_PRIVATE_KEY = KEY;
    process.env.HOLDFAST_DEPLOYMENTS = dir;
    jsonOf(await holdfast(["deploy", "--network", "local", "--json"]));
    file = join(dir, "31337.json");
  });
  beforeEach(() => {
    for (const name of SETTINGS) delete process.env[name];
    process.env.LOCAL_RPC_URL = anvil.url;
  });
  after(async () => {
    for (const [name, value] of environment) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    await anvil.stop();
    await removeFolders();
  });

  const doctor = (...more: string[]) => holdfast(["doctor", "--network", "local", "--deployment", file, ...more]);
  /** The report, and what is wrong in it, `check state` each. */
  const examined = async (settings: Readonly<Record<string, string>> = {}, ...more: string[]) => {
    Object.assign(process.env, settings);
    const { status, stdout, stderr } = await doctor("--json", ...more);
    for (const name of Object.keys(settings)) delete process.env[name];
    process.env.LOCAL_RPC_URL = anvil.url;
    const report = JSON.parse(stdout) as DoctorReport;
    expect(status).to.equal(report.failed === 0 ? 0 : 1);
    expect(/^error: \d+ of \d+ checks failed\nhint: ./m.test(stderr)).to.equal(report.failed > 0);
    const wrong = report.findings.filter(({ state }) => state !== "ok" && state !== "note");
    const seenOf = (what: string) => report.findings.find((one) => one.what === what)?.seen ?? "";
    return { report, seenOf, stdout, stderr, wrong: wrong.map(({ what, state }) => `${what} ${state}`) };
  };

  it("finds all well after a deployment, in a line each, with the code of the build that was deployed", async () => {
    process.env.HOLDFAST_PRIVATE_KEY = KEY;
    const { status, stdout, stderr } = await doctor();
    expect([status, stderr]).to.deep.equal([0, ""]);
    expect(stdout).to.match(/^ok .* code +that of the file's build in all 7 contracts$/m);
    expect(stdout).to.match(/^ok +local build +the code on the chain is that of these sources$/m);
    expect(stdout).to.match(/^ok +balance +\d+(\.\d+)? ETH; 300 proofs cost about/m);
    expect(stdout).to.match(/\n\d+ checks, 0 failed, 0 warnings\n$/);
    // Found without being named too, and by the chain that answers.
    process.env.HOLDFAST_DEPLOYMENTS = dir;
    for (const args of [
      ["--network", "local"],
      ["--rpc", anvil.url],
      ["--rpc", anvil.url, "--deployment", file],
    ]) {
      expect(jsonOf(await holdfast(["doctor", ...args, "--json"]))).to.deep.include({ network: "local", failed: 0 });
    }
  });

  it("needs no key, and looks at one as commands would find it", async () => {
    const none = await examined();
    expect(none.wrong).to.deep.equal([]);
    expect(none.seenOf("key")).to.match(/^none is set/);
    const wallet = new Wallet(KEY);
    const { path } = await writeKeystore(await tempFolder(), "acting", wallet, PASSWORD, { N: 1_024, r: 8, p: 1 });
    const asked = await examined({ HOLDFAST_KEYSTORE: path });
    expect(asked.seenOf("key")).to.equal(`${wallet.address}, the keystore ${path}; its password will be asked for`);
    expect(asked.seenOf("balance")).not.to.equal("");
    const opened = await examined({ HOLDFAST_KEYSTORE: path, HOLDFAST_KEY_PASSWORD: PASSWORD });
    expect([opened.wrong, opened.seenOf("key")]).to.deep.equal([[], `${wallet.address}, the keystore ${path}`]);
    const shut = await examined({ HOLDFAST_KEYSTORE: path, HOLDFAST_KEY_PASSWORD: "wrong horse" });
    expect([shut.wrong, /does not open with this password/.test(shut.seenOf("key"))]).to.deep.equal([
      ["key failed"],
      true,
    ]);
    await chmod(path, 0o644);
    expect((await examined({ HOLDFAST_KEYSTORE: path })).wrong).to.deep.equal(["key failed"]);
    const signer = await startRemoteSigner([wallet]);
    const remote = { HOLDFAST_REMOTE_SIGNER: signer.url, HOLDFAST_ACCOUNT: wallet.address };
    expect((await examined(remote)).seenOf("key")).to.match(/the remote signer at http:/);
    const stranger = await examined({ ...remote, HOLDFAST_ACCOUNT: Wallet.createRandom().address });
    expect([stranger.wrong, /has no key of/.test(stranger.seenOf("key"))]).to.deep.equal([["key failed"], true]);
    await signer.stop();
    expect((await examined(remote)).wrong).to.deep.equal(["key failed"]);
    for (const wrong of [
      { HOLDFAST_PRIVATE_KEY: "0x12" },
      { HOLDFAST_PRIVATE_KEY: KEY, HOLDFAST_KEYSTORE: path },
      { HOLDFAST_REMOTE_SIGNER: signer.url },
    ]) {
      const { wrong: found, stdout } = await examined(wrong as Record<string, string>);
      expect(found).to.deep.equal(["key failed"]);
      expect(stdout).not.to.include(KEY.slice(2));
    }
  });

  it("tells of an empty account, of endpoints that are no use, and of deployment files that are wrong, and looks at the rest", async () => {
    const { privateKey } = Wallet.createRandom();
    expect((await examined({ HOLDFAST_PRIVATE_KEY: privateKey })).wrong).to.deep.equal(["balance failed"]);
    const proxy = await startRpcProxy(anvil.url, () => wrongChain);
    const several = await examined({
      LOCAL_RPC_URL: `http://127.0.0.1:1/secretsecretsecret,${proxy.url},${anvil.url}`,
    });
    expect(several.wrong).to.deep.equal(["endpoint failed", "endpoint failed"]);
    expect(several.seenOf("randomness")).to.include("is there");
    expect(several.stdout + several.stderr).not.to.include("secretsecretsecret");
    const alone = await examined({ LOCAL_RPC_URL: proxy.url });
    expect([alone.wrong, alone.seenOf("endpoint")]).to.deep.equal([
      ["endpoint failed"],
      `The node at ${proxy.url} serves chain 1, not 31337`,
    ]);
    await proxy.stop();
    const deployment = JSON.parse(await readFile(file, "utf8"));
    const hash = `0x${"ab".repeat(32)}`;
    const another = { ...deployment.build, codeHashes: { ...deployment.build.codeHashes, market: hash } };
    for (const [change, wrong, words] of [
      [undefined, ["deployment failed"], /can't be read/],
      ["{", ["deployment failed"], /it is not JSON/],
      [{ lens: "0x1" }, ["deployment failed"], /lens: not an address/],
      [{ chainId: 1 }, ["deployment failed"], /on chain 1, not on chain 31337/],
      [{ build: another }, ["code failed"], /market is of another build/],
      [{ feeBps: 9 }, ["parameters failed", "local build failed"], /feeBps is 0 there, 9 in the file/],
    ] as const) {
      const path = join(dir, "changed.json");
      if (change !== undefined) {
        await writeFile(path, typeof change === "string" ? change : JSON.stringify({ ...deployment, ...change }));
      }
      const found = await examined({}, "--deployment", change === undefined ? join(dir, "none.json") : path);
      expect(found.wrong).to.deep.equal(wrong);
      expect(found.seenOf(wrong[0].split(" ")[0]!)).to.match(words);
      expect(found.seenOf("head")).to.match(/^block/);
    }
    process.env.HOLDFAST_PRIVATE_KEY = KEY;
    const sepolia = await holdfast([
      "doctor",
      "--network",
      "sepolia",
      "--rpc",
      anvil.url,
      "--deployment",
      file,
      "--json",
    ]);
    const { findings } = JSON.parse(sepolia.stdout) as DoctorReport;
    const failed = findings.filter(({ state }) => state === "failed" || state === "warning").map(({ what }) => what);
    expect([sepolia.status, failed]).to.deep.equal([1, ["deployment", "key", "endpoint"]]);
  });

  it("says in a line what it can't begin with", async () => {
    delete process.env.LOCAL_RPC_URL;
    for (const [args, words] of [
      [["doctor"], /^error: no JSON-RPC endpoint is named\nhint: .*--network/],
      [["doctor", "--network", "nowhere"], /^error: there is no network "nowhere"\nhint: known are /],
      [["doctor", "--network", "local", "--rpc", "ftp://x"], /^error: a JSON-RPC endpoint is no http/],
      [["doctor", "--rpc", "http://127.0.0.1:1"], /^error: The node at http:\/\/127.0.0.1:1 does not answer\nhint: /],
    ] as const) {
      const { status, stdout, stderr } = await holdfast([...args]);
      expect([status, stdout]).to.deep.equal([1, ""]);
      expect(stderr).to.match(words);
    }
  });

  it("notices code that was compiled from other sources", async () => {
    const { market } = await readDeployment(file);
    const provider = await connectChain(anvil.url, 31_337);
    try {
      const code = await provider.getCode(market);
      await provider.send("anvil_setCode", [market, `${code.slice(0, 60)}00${code.slice(62)}`]);
      const { wrong, seenOf } = await examined();
      expect(wrong).to.include.members(["code failed", "local build failed"]);
      expect(seenOf("local build")).to.match(/^StorageMarket: it differs from byte 29 on/);
    } finally {
      provider.destroy();
    }
  });
});
