/** docs/ops/runbook.md, walked through: from nothing to a stored file, under Calibration's chain id. */
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { type JsonRpcProvider, toQuantity, Wallet } from "ethers";
import { freePort } from "../../scripts/free-port.js";
import { startLocalChain } from "../../scripts/profiles/local-chain.js";
import { profileNamed } from "../../scripts/profiles/profiles.js";
import type { Anvil } from "../../src/chain/anvil.js";
import { connect } from "../../src/chain/contracts.js";
import { readDeployment } from "../../src/chain/deployment-node.js";
import { networkNamed } from "../../src/chain/networks.js";
import { connectChain } from "../../src/chain/provider.js";
import { PowerActor__factory, TestToken__factory } from "../../typechain-types/index.js";
import { holdfast } from "../support/cli.js";
import { jsonOf } from "../support/cli-net.js";
import { aliasOf } from "../support/filecoin.js";
import { removeFolders, tempFolder } from "../support/pieces.js";
import { type RunningCommand, startCommand, until } from "../support/running.js";

const NETWORK = networkNamed("calibration");
const COIN = toQuantity(10n ** 22n);
const PASSWORD = "a password of the runbook";
const KEYS = ["owner", "terms", "proving", "client", "payout"] as const;
const MINER = 1_234n;

describe("the runbook", function () {
  this.timeout(400_000);
  let chain: Anvil;
  let provider: JsonRpcProvider;
  let dir: string;
  let running: RunningCommand | undefined;
  const accounts = {} as Record<(typeof KEYS)[number], string>;
  const before = { ...process.env };
  const file = (...path: string[]) => join(dir, ...path);

  beforeEach(async () => {
    dir = await tempFolder();
    chain = await startLocalChain({ ...profileNamed("filecoin"), chainId: NETWORK.chainId });
    provider = await connectChain(chain.url, NETWORK.chainId);
    await provider.send("evm_setIntervalMining", [0.2]);
    await mkdir(file("deployments"));
    await writeFile(file("password"), PASSWORD);
    await chmod(file("password"), 0o600);
    Object.assign(process.env, {
      ...{ HOLDFAST_NETWORK: NETWORK.name, CALIBRATION_RPC_URL: chain.url, HOLDFAST_KEYS: file("keys") },
      ...{ HOLDFAST_PASSWORD_FILE: file("password"), HOLDFAST_DEPLOYMENTS: file("deployments") },
    });
  });
  afterEach(async () => {
    await running?.stop("SIGKILL");
    provider.destroy();
    await chain.stop();
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before);
  });
  after(removeFolders);

  /** What the network has that an empty chain has not: tokens at their addresses, and a miner. */
  async function furnish(payer: Wallet): Promise<void> {
    for (const { symbol, address, decimals } of NETWORK.tokens) {
      const token = await new TestToken__factory(payer).deploy(symbol, symbol, decimals);
      await token.waitForDeployment();
      const from = await token.getAddress();
      await provider.send("anvil_setCode", [address, await provider.getCode(from)]);
      // ERC20 keeps its name and symbol in the fourth word and the fifth.
      for (const slot of [3, 4]) {
        await provider.send("anvil_setStorageAt", [address, toQuantity(slot), await provider.getStorage(from, slot)]);
      }
    }
    await (await PowerActor__factory.connect(aliasOf(4n), payer).createMiner(MINER)).wait();
  }

  /** A command by a key. */
  async function as(key: (typeof KEYS)[number], ...args: string[]) {
    process.env.HOLDFAST_KEYSTORE = key;
    const outcome = await holdfast(args);
    expect(outcome.status, `${args.join(" ")}\n${outcome.stdout}\n${outcome.stderr}`).to.equal(0);
    return outcome;
  }

  it("leads from a funded key to a provider that proves what a client has stored", async () => {
    for (const key of KEYS) {
      const made = jsonOf(await holdfast(["keys", "new", key, "--json"]));
      accounts[key] = made.address;
      await provider.send("anvil_setBalance", [made.address, COIN]);
    }
    const payer = Wallet.createRandom(provider) as unknown as Wallet;
    await provider.send("anvil_setBalance", [payer.address, COIN]);
    await furnish(payer);
    const { address: usdfc } = NETWORK.tokens[0]!;
    for (const key of ["owner", "client"] as const) {
      await (await TestToken__factory.connect(usdfc, payer).mint(accounts[key], 10n ** 22n)).wait();
    }

    const dry = await as("owner", "deploy", "--dry-run");
    expect(dry.stderr).to.contain("tFIL");
    await as("owner", "deploy");
    await as("owner", "verify-deployment");
    const deployment = await readDeployment(file("deployments", `${NETWORK.chainId}.json`));
    const { lens, sectors } = connect(provider, deployment);
    const doctor = await as("proving", "doctor");
    expect(doctor.stdout).not.to.match(/^failed/m);

    const url = `http://127.0.0.1:${await freePort()}`;
    process.env.HOLDFAST_TERMS_KEYSTORE = "terms";
    const offer = ["--region", "DE", "--price", "0.02 USDFC", "--stake", "500 USDFC", "--token", usdfc];
    const where = ["--dir", file("node"), "--url", url, "--listen", url.slice(7), "--payee", accounts.payout];
    await as("owner", "provider", "init", ...where, ...offer, "--name", "Runbook");
    const node = await readFile(file("node", "node.yaml"), "utf8");
    const ops = await freePort();
    await writeFile(file("node", "node.yaml"), node.replace(/^ops: .*$/m, `ops: 127.0.0.1:${ops}`));
    const keys = { HOLDFAST_KEYSTORE: "", HOLDFAST_PROVING_KEYSTORE: "proving" };
    running = await startCommand(["provider", "run", "--dir", file("node")], keys, /"provider runs"/);

    const photo = file("photo.jpg");
    await writeFile(
      photo,
      Uint8Array.from({ length: 200_000 }, (_, i) => (i * 7 + (i >> 9)) & 0xff),
    );
    const provide = ["--provider", accounts.owner, "--tier", "0", "--periods", "6", "--token", usdfc];
    const stored = jsonOf(await as("client", "store", photo, ...provide, "--max-price", "1 USDFC", "--json"));
    await as("client", "fetch", stored.pieceCid, "--output", file("back.jpg"));
    expect(await readFile(file("back.jpg"))).to.deep.equal(await readFile(photo));

    const id = BigInt(stored.deals[0].id);
    const { firstEpoch } = await lens.dealOf(id);
    await provider.send("anvil_mine", [toQuantity(Number(firstEpoch) + 2 - (await provider.getBlockNumber()))]);
    await until(
      async () => (await lens.dealOf(id)).proven === 1n,
      90_000,
      () => running!.said().slice(-2_000),
    );
    const status = await as("owner", "provider", "status", "--dir", file("node"));
    expect(status.stdout).to.contain("healthy").and.to.contain("USDFC").and.to.contain("t410f");
    expect((await fetch(`http://127.0.0.1:${ops}/health`)).status).to.equal(200);

    const bound = await as("owner", "provider", "bind", `t0${MINER}`);
    expect(bound.stdout).to.contain("payload 0x");
    expect(await sectors!.isBound(accounts.owner, MINER)).to.equal(true);
    expect(await running.stop("SIGTERM")).to.equal(0);
  });
});
