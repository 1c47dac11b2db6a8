import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { type JsonRpcProvider, keccak256, Wallet } from "ethers";
import { CREATE_X, runDeployment } from "../../scripts/deploy/run.js";
import { deployTo } from "../../scripts/deploy.js";
import { startLocalChain } from "../../scripts/profiles/local-chain.js";
import { profileNamed } from "../../scripts/profiles/profiles.js";
import { type Anvil, startAnvil } from "../../src/chain/anvil.js";
import { devTiers } from "../../src/chain/deploy.js";
import { PARTS } from "../../src/chain/deployment.js";
import { readDeployment } from "../../src/chain/deployment-node.js";
import { networkNamed } from "../../src/chain/networks.js";
import { connectChain } from "../../src/chain/provider.js";
import { askToSpend } from "../../src/cli/deploy.js";
import { expectError } from "../piece/helpers.js";
import { holdfast } from "../support/cli.js";
import { jsonOf } from "../support/cli-net.js";
import { runs } from "../support/effort.js";
import { removeFolders, tempFolder } from "../support/pieces.js";
import { startRpcProxy } from "../support/rpc-proxy.js";
import { terminal } from "../support/terminal.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TSX = fileURLToPath(import.meta.resolve("tsx/esm"));
/** anvil's first account. */
const KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const SETTINGS = [
  ...[
    "HOLDFAST_NETWORK",
    "HOLDFAST_RPC",
    "LOCAL_RPC_URL",
    "SEPOLIA_RPC_URL",
    "HOLDFAST_PRIVATE_KEY",
    "BASE_SEPOLIA_RPC_URL",
  ],
  ...["HOLDFAST_KEYSTORE", "HOLDFAST_REMOTE_SIGNER"],
] as const;

describe("holdfast deploy", function () {
  this.timeout(600_000);
  let anvil: Anvil;
  let provider: JsonRpcProvider;
  let dir: string;
  let file: string;
  const before = new Map(SETTINGS.map((name) => [name, process.env[name]]));

  const fresh = async () => {
    anvil = await startAnvil({ chainId: 31_337 });
    provider = await connectChain(anvil.url, 31_337);
    process.env.LOCAL_RPC_URL = anvil.url;
  };
  const end = async () => {
    provider.destroy();
    await anvil.stop();
  };
  const deploy = (...more: string[]) => holdfast(["deploy", "--network", "local", "--out", file, "--json", ...more]);
  const nonce = () => provider.getTransactionCount(new Wallet(KEY).address);

  beforeEach(async () => {
    for (const name of SETTINGS) delete process.env[name];
    process.env.HOLDFAST_PRIVATE_KEY = KEY;
    dir = await tempFolder();
    file = join(dir, "31337.json");
    await fresh();
  });
  afterEach(end);
  after(async () => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    await removeFolders();
  });

  it("says what it costs and sends nothing, deploys within 25 million gas, and once", async () => {
    const dry = await deploy("--dry-run");
    expect(jsonOf(dry).outcome).to.equal("refused");
    expect(BigInt(jsonOf(dry).estimate.gas)).to.be.below(25_000_000n);
    for (const { name, size } of jsonOf(dry).estimate.contracts) expect(size, name).to.be.within(1, 24_576);
    expect([await nonce(), existsSync(file)]).to.deep.equal([0, false]);
    const first = jsonOf(await deploy());
    expect(first.outcome).to.equal("deployed");
    expect(await nonce()).to.equal(PARTS.length);
    const deployment = await readDeployment(file);
    expect(JSON.parse(await readFile(file, "utf8"))).to.deep.equal(first.deployment);
    let gas = 0n;
    for (const part of PARTS) {
      const code = await provider.getCode(deployment[part]);
      expect(keccak256(code)).to.equal(deployment.build?.codeHashes[part]);
      const block = await provider.getBlock(deployment.build!.blocks[part]!);
      const receipt = (await provider.getTransactionReceipt(block!.transactions[0]!))!;
      expect(receipt.contractAddress).to.equal(deployment[part]);
      gas += receipt.gasUsed;
    }
    expect(gas).to.equal(BigInt(first.estimate.gas));
    expect(deployment.block).to.equal(Math.min(...Object.values(deployment.build!.blocks)));
    const verify = () => holdfast(["verify-deployment", "--network", "local", "--deployment", file, "--json"]);
    const { contracts } = jsonOf(await verify());
    expect(contracts).to.have.length(PARTS.length + 3);
    for (const { name, differs } of contracts) expect(differs, name).to.equal(undefined);
    expect(jsonOf(await deploy()).outcome).to.equal("there");
    expect(await nonce()).to.equal(PARTS.length);
    const other = await deploy("--min-stake", "7");
    expect([other.status, other.stderr.includes("--out")]).to.deep.equal([1, true]);
    // One byte of the code that only the market knows of.
    const { address } = contracts.find(({ name }: { name: string }) => name === "MarketChanges");
    const changes = await provider.getCode(address);
    await provider.send("anvil_setCode", [address, `${changes.slice(0, 40)}00${changes.slice(42)}`]);
    const changed = await verify();
    expect([changed.status, changed.stderr.includes("MarketChanges")]).to.deep.equal([1, true]);
  });

  it("goes on wherever it was killed: the same addresses, nothing twice", async () => {
    jsonOf(await deploy());
    const undisturbed = await readDeployment(file);
    await end();
    dir = await tempFolder();
    file = join(dir, "31337.json");
    await fresh();
    let child: ChildProcess;
    let [left, sends, kills, run] = [0, 0, 0, 0];
    const proxy = await startRpcProxy(anvil.url, (methods) => {
      const sending = methods.includes("eth_sendRawTransaction");
      if (--left > 0 && !(sending && run % 2 === 1)) return undefined;
      child.kill("SIGKILL");
      if (sending) sends++;
      // The node has not done it, or it has: whoever asked never hears.
      return run % 4 === 1 ? "cut" : "lost";
    });
    const args = ["deploy", "--network", "local", "--out", file, "--json"];
    const env = { ...process.env, LOCAL_RPC_URL: proxy.url };
    for (; ; run++) {
      // Somewhere on its way, and each other time just where it sends.
      left = run % 2 === 0 && run < runs(24) ? 8 + ((run * 7) % 30) : Number.POSITIVE_INFINITY;
      const half = run % 3 === 2;
      if (half) await breakLine(dir);
      child = spawn(process.execPath, ["--import", TSX, join(ROOT, "src/cli/main.ts"), ...args], {
        ...{ cwd: ROOT, env, stdio: ["ignore", "ignore", "pipe"] },
      });
      let said = "";
      child.stderr?.on("data", (text) => {
        said += text;
      });
      const [status, signal] = await once(child, "close");
      if (signal === "SIGKILL") {
        kills++;
        expect(existsSync(file)).to.equal(false);
        continue;
      }
      expect(status, said).to.equal(0);
      break;
    }
    await proxy.stop();
    expect(kills).to.be.at.least(10);
    expect(sends).to.be.at.least(5);
    expect(await nonce()).to.equal(PARTS.length);
    const deployment = await readDeployment(file);
    for (const part of PARTS) expect(deployment[part], part).to.equal(undisturbed[part]);
    expect(deployment.build?.codeHashes).to.deep.equal(undisturbed.build?.codeHashes);
  });

  it("gives an account the same addresses on every chain with a CREATE2 factory, and another its own", async () => {
    const code = await factoryCode(anvil, await tempFolder());
    const deployed = [];
    const wallet = Wallet.createRandom();
    for (const [name, chainId, setting] of [
      ["sepolia", 11_155_111, "SEPOLIA_RPC_URL"],
      ["baseSepolia", 84_532, "BASE_SEPOLIA_RPC_URL"],
    ] as const) {
      await end();
      anvil = await startAnvil({ chainId });
      provider = await connectChain(anvil.url, chainId);
      await provider.send("anvil_setCode", [CREATE_X, code]);
      await provider.send("anvil_setBalance", [wallet.address, "0xde0b6b3a7640000"]);
      process.env[setting] = anvil.url;
      process.env.HOLDFAST_PRIVATE_KEY = wallet.privateKey;
      const args = ["deploy", "--network", name, "--out", join(dir, `${name}.json`), "--confirmations", "1", "--json"];
      deployed.push(jsonOf(await holdfast(args)).deployment);
      expect(await provider.getTransactionCount(wallet.address)).to.equal(PARTS.length);
    }
    const [first, second] = deployed;
    for (const part of ["vault", "registry", "randomness"] as const) expect(first[part]).to.equal(second[part]);
    // Its tiers are in blocks of the chain.
    expect(first.market).not.to.equal(second.market);
    // The same once more on a chain that has it.
    process.env.HOLDFAST_PRIVATE_KEY = KEY;
    const again = ["--out", join(dir, "again.json"), "--confirmations", "1", "--json"];
    const other = jsonOf(await holdfast(["deploy", "--network", "baseSepolia", ...again])).deployment;
    for (const part of PARTS) expect(other[part], part).not.to.equal(second[part]);
  });

  it("says what is wrong in a line, sends nothing and writes nothing", async () => {
    const poor = Wallet.createRandom();
    const cases: [string, string[], Record<string, string>, RegExp][] = [
      ["no network", ["deploy", "--out", file], {}, /no network is named/],
      ["an unknown network", ["deploy", "--network", "nowhere"], {}, /there is no network "nowhere"/],
      ["no key", ["deploy", "--network", "local", "--out", file], { HOLDFAST_PRIVATE_KEY: "" }, /key/],
      [
        "a key that is none",
        ["deploy", "--network", "local"],
        { HOLDFAST_PRIVATE_KEY: "0x12" },
        /HOLDFAST_PRIVATE_KEY/,
      ],
      [
        "an account without coin",
        ["deploy", "--network", "local", "--out", file],
        { HOLDFAST_PRIVATE_KEY: poor.privateKey },
        /has 0 base units/,
      ],
      [
        "another chain",
        ["deploy", "--network", "sepolia", "--out", file],
        { SEPOLIA_RPC_URL: anvil.url },
        /serves chain 31337, not 11155111/,
      ],
      [
        "nobody there",
        ["deploy", "--network", "local", "--out", file],
        { LOCAL_RPC_URL: "http://127.0.0.1:1" },
        /does not answer/,
      ],
      ["a fee for nobody", ["deploy", "--network", "local", "--out", file, "--fee-bps", "50"], {}, /nobody gets it/],
      ["a fee that is too high", ["deploy", "--network", "local", "--fee-bps", "101"], {}, /100 at most/],
    ];
    for (const [what, args, settings, words] of cases) {
      const was = new Map(Object.keys(settings).map((name) => [name, process.env[name]]));
      Object.assign(process.env, settings);
      const { status, stderr, stdout } = await holdfast(args);
      for (const [name, value] of was) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
      expect(status, what).to.equal(1);
      expect(stderr, what).to.match(words);
      expect(stdout, what).to.equal("");
    }
    expect(await nonce()).to.equal(0);
    expect(await readdir(dir)).to.deep.equal([]);
    await writeFile(file, "{");
    const invalid = await deploy();
    expect([invalid.status, invalid.stderr.includes("it is not JSON")]).to.deep.equal([1, true]);
  });

  it("tells an account without coin what it costs, and that it has none where the node won't say", async () => {
    process.env.HOLDFAST_PRIVATE_KEY = Wallet.createRandom().privateKey;
    expect(BigInt(jsonOf(await deploy("--dry-run")).estimate.cost)).to.be.above(0n);
    const message = "failed to estimate gas: actor not found";
    const proxy = await startRpcProxy(anvil.url, (methods) =>
      methods.includes("eth_estimateGas") ? { refuses: { code: 1, message } } : undefined,
    );
    process.env.LOCAL_RPC_URL = proxy.url;
    const { status, stderr } = await deploy("--dry-run");
    await proxy.stop();
    expect([status, /has 0 base units .* takes some\n/.test(stderr)], stderr).to.deep.equal([1, true]);
  });

  describe("to a main net", () => {
    let chain: Anvil;
    beforeEach(async () => {
      chain = await startLocalChain({ ...profileNamed("filecoin"), chainId: 314 });
      process.env.FILECOIN_RPC_URL = chain.url;
    });
    afterEach(async () => {
      delete process.env.FILECOIN_RPC_URL;
      await chain.stop();
    });
    const args = () => ["deploy", "--network", "filecoin", "--out", file, "--confirmations", "1", "--json"];
    const sent = async () => {
      const filecoin = await connectChain(chain.url, 314);
      const count = await filecoin.getTransactionCount(new Wallet(KEY).address);
      filecoin.destroy();
      return count;
    };
    /** Deploys where somebody sits at a terminal, and types this. */
    const typing = async (answer: string) => {
      const filecoin = await connectChain(chain.url, 314);
      const { streams, said } = terminal([answer]);
      const network = networkNamed("filecoin");
      try {
        const { outcome } = await deployTo({
          ...{ network, provider: filecoin, signer: new Wallet(KEY), file, salt: "salt", confirmations: 1, pollMs: 50 },
          ...{ options: { randomnessKind: "drand" as const, tiers: network.tiers } },
          agree: (plan) => askToSpend(plan.network, streams).then(() => true),
        });
        return { outcome, said: said() };
      } finally {
        filecoin.destroy();
      }
    };

    it("asks before it spends, and can't where nobody sits at a terminal", async () => {
      const asked = await holdfast(args());
      expect([asked.status, /--yes/.test(asked.stderr)], asked.stderr).to.deep.equal([1, true]);
      await expectError("NOT_AGREED", () => typing("calibration"));
      await expectError("NOT_AGREED", () => typing("yes"));
      expect([await sent(), existsSync(file)]).to.deep.equal([0, false]);
    });

    it("deploys where its name is typed", async () => {
      const { outcome, said } = await typing("filecoin");
      expect(outcome).to.equal("deployed");
      expect(said).to.include("This spends FIL. Type filecoin to go on: ");
      expect(await sent()).to.equal(PARTS.length);
    });

    it("asks nothing with --yes", async () => {
      expect(jsonOf(await holdfast([...args(), "--yes"])).outcome).to.equal("deployed");
    });
  });
});

/** The code of CreateX, which Ignition itself puts on a developer's chain where a strategy needs it. */
async function factoryCode(anvil: Anvil, dir: string): Promise<string> {
  const provider = await connectChain(anvil.url, 31_337);
  const signer = new Wallet(KEY, provider);
  const options = { randomnessKind: "blockhash" as const, tiers: devTiers() };
  const salt = `0x${"11".repeat(32)}`;
  try {
    await runDeployment({ provider, signer, chainId: 31_337, options, dir, salt, confirmations: 1, pollMs: 50 });
    return await provider.getCode(CREATE_X);
  } finally {
    provider.destroy();
  }
}

/** Half of a line more in the journal, as a process leaves it that ends while it writes. */
async function breakLine(dir: string): Promise<void> {
  const path = join(dir, ".ignition", "31337", "journal.jsonl");
  if (existsSync(path)) await writeFile(path, '\n{"futureId":"Holdfast#Va', { flag: "a" });
}
