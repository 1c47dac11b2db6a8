import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { Wallet } from "ethers";
import { type Anvil, startAnvil } from "../../src/chain/anvil.js";
import { PARTS } from "../../src/chain/deployment.js";
import { connectChain } from "../../src/chain/provider.js";
import { holdfast, type Outcome } from "../support/cli.js";
import { jsonOf } from "../support/cli-net.js";
import { removeFolders, tempFolder } from "../support/pieces.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const HARDHAT = join(ROOT, "node_modules", "hardhat", "dist", "src", "cli.js");
/** anvil's first account. */
const KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
/** Those that make Hardhat leave its keystore alone, and those that would win over it. */
const UNSET = [
  ...["HH_TEST", "CI", "GITHUB_ACTIONS", "NOW", "DEPLOYMENT_ID", "CODEBUILD_BUILD_NUMBER", "CONTINUOUS_INTEGRATION"],
  ...["BUILD_NUMBER", "RUN_ID", "HOLDFAST_NETWORK", "HOLDFAST_RPC", "LOCAL_RPC_URL", "SEPOLIA_RPC_URL"],
  ...["HOLDFAST_PRIVATE_KEY", "HOLDFAST_KEYSTORE", "HOLDFAST_REMOTE_SIGNER", "XDG_CONFIG_HOME"],
];

describe("settings from Hardhat's keystore", function () {
  this.timeout(300_000);
  let anvil: Anvil;
  let [config, out] = ["", ""];
  const environment = new Map(UNSET.map((name) => [name, process.env[name]]));

  before(async () => {
    anvil = await startAnvil({ chainId: 31_337 });
  });
  beforeEach(async () => {
    for (const name of UNSET) delete process.env[name];
    config = await tempFolder();
    out = join(await tempFolder(), "31337.json");
    process.env.XDG_CONFIG_HOME = config;
  });
  after(async () => {
    for (const [name, value] of environment) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    await anvil.stop();
    await removeFolders();
  });

  const deploy = (...more: string[]): Promise<Outcome> =>
    holdfast(["deploy", "--network", "local", "--out", out, "--json", ...more]);

  it("deploys with endpoint and key of the development keystore, which asks for no password", async () => {
    await keystore(["set", "--dev", "LOCAL_RPC_URL"], [anvil.url]);
    await keystore(["set", "--dev", "HOLDFAST_PRIVATE_KEY"], [KEY]);
    // As a copy of .env.example leaves it: a setting that is empty is none.
    process.env.LOCAL_RPC_URL = "";
    const { stdout, stderr } = await deploy();
    expect(JSON.parse(stdout).outcome, stderr).to.equal("deployed");
    expect(stdout + stderr).not.to.include(KEY.slice(2));
    const provider = await connectChain(anvil.url, 31_337);
    expect(await provider.getTransactionCount(new Wallet(KEY).address)).to.equal(PARTS.length);
    provider.destroy();
    // The environment wins.
    process.env.LOCAL_RPC_URL = "http://127.0.0.1:1";
    expect((await deploy()).stderr).to.match(/^error: The node at http:\/\/127.0.0.1:1 does not answer$/m);
    process.env.LOCAL_RPC_URL = anvil.url;
    process.env.HOLDFAST_PRIVATE_KEY = Wallet.createRandom().privateKey;
    process.env.HOLDFAST_DEPLOYMENTS = await tempFolder();
    expect((await deploy("--out", join(process.env.HOLDFAST_DEPLOYMENTS, "1.json"))).stderr).to.match(
      /has 0 base units/,
    );
    delete process.env.HOLDFAST_DEPLOYMENTS;
  });

  it("warns of a key of the development keystore on a chain that is not a developer's own: its password lies beside it", async () => {
    const live = await startAnvil({ chainId: 11_155_111 });
    try {
      process.env.SEPOLIA_RPC_URL = live.url;
      await keystore(["set", "--dev", "HOLDFAST_PRIVATE_KEY"], [KEY]);
      const { stderr } = await holdfast(["deploy", "--network", "sepolia", "--out", out, "--dry-run"]);
      expect(stderr).to.match(/^warning: HOLDFAST_PRIVATE_KEY of Hardhat's development keystore is in the clear/m);
    } finally {
      await live.stop();
    }
  });

  it("asks for a password only where the keystore has the setting, and says so where it can't", async () => {
    await keystore(["set", "SEPOLIA_RPC_URL"], ["correct horse", "correct horse", "http://127.0.0.1:1/x"]);
    process.env.LOCAL_RPC_URL = anvil.url;
    expect((await deploy("--dry-run")).stderr).to.match(/^error: there is no key to act with$/m);
    process.env.HOLDFAST_PRIVATE_KEY = KEY;
    expect(jsonOf(await deploy("--dry-run")).outcome).to.equal("refused");
    const sepolia = () => holdfast(["deploy", "--network", "sepolia", "--out", out, "--json"]);
    const asked = await sepolia();
    expect([asked.status, asked.stdout]).to.deep.equal([1, ""]);
    expect(asked.stderr).to.match(
      /^error: SEPOLIA_RPC_URL is in Hardhat's keystore.*\nhint: set SEPOLIA_RPC_URL in the env/m,
    );
    process.env.SEPOLIA_RPC_URL = anvil.url;
    expect((await sepolia()).stderr).to.match(/serves chain 31337, not 11155111/);
    expect((await deploy("--rpc", anvil.url, "--dry-run")).status).to.equal(0);
  });

  it("says so where the keystore is damaged, and names the setting", async () => {
    await keystore(["set", "--dev", "HOLDFAST_PRIVATE_KEY"], ["nonsense"]);
    process.env.LOCAL_RPC_URL = anvil.url;
    expect((await deploy()).stderr).to.match(/^error: HOLDFAST_PRIVATE_KEY is no private key$/m);
    const file = join(config, "hardhat-nodejs", "dev.keystore.json");
    const stored = JSON.parse(await readFile(file, "utf8"));
    await writeFile(file, JSON.stringify({ ...stored, hmac: stored.hmac.replace(/^../, "00") }));
    for (const broken of [undefined, "{"]) {
      if (broken !== undefined) await writeFile(file, broken);
      const { status, stderr } = await deploy();
      expect([status, /^error: Hardhat's keystore does not give HOLDFAST_PRIVATE_KEY/m.test(stderr)]).to.deep.equal([
        1,
        true,
      ]);
    }
  });
});

/** `npx hardhat keystore …`, with an answer to each of its questions. */
async function keystore(args: readonly string[], answers: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [HARDHAT, "keystore", ...args], {
    cwd: ROOT,
    stdio: ["pipe", "pipe", "inherit"],
  });
  let said = "";
  const left = [...answers];
  child.stdout.on("data", (text) => {
    said += text;
    // Each question ends so, and is asked when the one before is answered.
    if (!/: $/.test(said) || left.length === 0) return;
    child.stdin.write(`${left.shift()}\n`);
    if (left.length === 0) child.stdin.end();
  });
  const status = await new Promise((resolve) => child.once("close", resolve));
  expect([status, left], said).to.deep.equal([0, []]);
}
