import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import type { Wallet } from "ethers";
import { freePort } from "../../scripts/free-port.js";
import { holdfast } from "../support/cli.js";
import { actAs, commandsOn, jsonOf } from "../support/cli-net.js";
import { removeFolders, tempFolder, testPiece } from "../support/pieces.js";
import { type RunningCommand, startCommand, until, useFreePorts } from "../support/running.js";
import { STAKE, type StorageNet, startStorageNet } from "../support/storage-net.js";

describe("cli: a provider from init to its end", () => {
  let net: StorageNet;
  let owner: Wallet;
  let signer: Wallet;
  let proving: Wallet;
  let client: Wallet;
  let restore: () => void;
  let dir: string;
  let url: string;
  let running: RunningCommand | undefined;

  before(async () => {
    net = await startStorageNet({ minStake: 1_000n });
    [owner, signer, proving, client] = [await net.rich(), await net.account(), await net.account(), await net.rich()];
    restore = await commandsOn(net);
    dir = join(await tempFolder(), "node");
  });
  afterEach(async () => {
    await stop("SIGKILL");
  });
  after(async () => {
    restore();
    await net.stop();
    await removeFolders();
  });

  const init = (...more: string[]) =>
    holdfast(["provider", "init", "--dir", dir, "--url", url, "--price", "30 TUSD", "--stake", `${STAKE}`, ...more]);

  /** The node in a process of its own, when it says that it runs. */
  async function run(): Promise<void> {
    const keys = { HOLDFAST_TERMS_PRIVATE_KEY: signer.privateKey, HOLDFAST_PROVING_PRIVATE_KEY: proving.privateKey };
    const env = { ...keys, HOLDFAST_PRIVATE_KEY: "" };
    running = await startCommand(["provider", "run", "--dir", dir], env, /"provider runs"/);
  }

  async function stop(signal: NodeJS.Signals): Promise<number | null | undefined> {
    const code = await running?.stop(signal);
    running = undefined;
    return code;
  }

  it("makes a folder, registers and stakes, once", async () => {
    actAs(owner);
    url = `http://127.0.0.1:${await freePort()}`;
    const listen = ["--listen", url.slice(7), "--signer", signer.address, "--name", "Test", "--region", "NO"];
    const missing = await holdfast(["provider", "init", "--dir", dir]);
    expect(missing.status).to.equal(1);
    expect(missing.stderr).to.contain("--url is missing");
    const report = jsonOf(await init(...listen, "--token", net.token, "--json"));
    expect(report.written).to.deep.equal(["deployment.json", "policy.yaml", "node.yaml"]);
    expect(report.steps).to.deep.equal(["registered", "signer set", "stake provisioned", "stake provisioned"]);
    const profile = await net.contracts.registry.profileOf(owner.address);
    expect({ name: profile.name, url: profile.url, tiers: profile.tiers, region: profile.region }).to.deep.equal({
      ...{ name: "Test", url, tiers: 7n, region: "0x4e4f00000000" },
    });
    expect(await net.contracts.registry.signerOf(owner.address)).to.equal(signer.address);
    const again = jsonOf(await init(...listen, "--token", net.token, "--json"));
    expect([again.written, again.steps]).to.deep.equal([[], []]);
    const changes = ["--name", "Other", "--payee", client.address];
    const changed = jsonOf(await init(...listen, "--token", net.token, ...changes, "--json"));
    expect(changed.steps).to.deep.equal(["profile updated", "payee set"]);
    // What is in the files counts, also where it was changed by hand.
    const settings = join(dir, "node.yaml");
    const text = await readFile(settings, "utf8");
    await writeFile(settings, text.replace(/^publicUrl: .*$/m, 'publicUrl: "https://node.example"'));
    expect((await init("--json")).stderr).to.contain("publicUrl https://node.example");
    expect(jsonOf(await init("--url", "https://node.example", "--json")).steps).to.deep.equal(["profile updated"]);
    const now = await net.contracts.registry.profileOf(owner.address);
    expect([now.url, now.name]).to.deep.equal(["https://node.example", "Other"]);
    // Another's key makes nothing of this folder.
    actAs(client);
    const other = await init(...listen, "--token", net.token);
    expect(other.stderr).to.contain("the folder is of");
  });

  it("tells bad options and bad folders", async () => {
    actAs(owner);
    for (const [args, text] of [
      [["--url", "node.example"], "has to be an origin"],
      [["--url", "https://node.example/path"], "has to be an origin"],
      [["--region", "Norway"], "ISO 3166"],
      [["--listen", "8080"], "HOST:PORT"],
      [["--tier", "tepid"], "no tier tepid"],
      [["--price", "1 EUR"], "is no amount of TUSD"],
    ] as const) {
      const { status, stderr } = await init("--token", net.token, "--dir", join(dir, "other"), ...args);
      expect(status, stderr).to.equal(1);
      expect(stderr).to.contain(text);
      expect(stderr).not.to.contain("defect");
    }
    const nowhere = await holdfast(["provider", "run", "--dir", join(dir, "nowhere")]);
    expect(nowhere.stderr).to.contain("is no provider's folder");
    const policy = await readFile(join(dir, "policy.yaml"), "utf8");
    await writeFile(join(dir, "policy.yaml"), policy.replace("regions: [NO]", "regions: [Norway]"));
    const bad = await holdfast(["provider", "status", "--dir", dir]);
    expect(bad.stderr).to.match(/policy.yaml can't be used: line \d+: regions.0 has to be an ISO 3166 code/);
    await writeFile(join(dir, "policy.yaml"), policy);
  });

  it("sees its stake before its first deal", async () => {
    const { stdout, stderr } = await holdfast(["provider", "status", "--dir", dir]);
    expect(stdout, stderr).to.contain("stake     1000 TUSD free, 0 TUSD behind deals, 0 TUSD lost");
    expect(stdout).to.contain("stake     0.000000000000001 coin free");
    expect(stdout).to.contain("earned    0 TUSD; 0 TUSD at risk");
  });

  it("serves, signs and proves; the status tells of it", async () => {
    url = `http://127.0.0.1:${await useFreePorts(dir)}`;
    await run();
    const { payload } = await testPiece(100_000);
    const wishes = { tier: 0, periods: 6, token: net.token, maxPricePerPeriod: 300_000n, urls: [url] };
    const { deals } = await net.clientOf(client).store(new Blob([payload]), wishes);
    const deal = deals[0]!;
    const before = jsonOf(await holdfast(["provider", "status", "--dir", dir, "--json"]));
    expect(before.deals[0].next).to.include({ window: 1, state: "ahead" });
    expect(before).to.include({ registered: true, signer: signer.address, payee: client.address });
    expect(before.node.healthy).to.equal(true);
    const { firstEpoch } = await net.contracts.lens.dealOf(deal.id);
    await net.mine(Number(firstEpoch) + 2 - (await net.provider.getBlockNumber()));
    await until(async () => (await net.contracts.lens.dealOf(deal.id)).lastProven === 1n);
    const proven = await holdfast(["provider", "status", "--dir", dir]);
    expect(proven.stdout, proven.stderr).to.match(/node {6}healthy\n/);
    expect(proven.stdout).to.match(/\n0x\w{10} +Open +\S+ +1 +proven +0, \d+ left +[\d.]+ TUSD\n/);
    const due = jsonOf(await holdfast(["keeper", "status", "--dir", dir, "--json"]));
    expect(due.due).to.deep.equal([]);
    // The account that owns the stake paid for no proof.
    expect(await net.provider.getTransactionCount(proving)).to.be.greaterThan(0);
    expect(await stop("SIGTERM")).to.equal(0);
    const stopped = jsonOf(await holdfast(["provider", "status", "--dir", dir, "--json"]));
    expect(stopped.node).to.equal(null);
  });

  it("stops within ten seconds of SIGTERM whatever is on its way, and goes on with it at the next start", async () => {
    const [view] = jsonOf(await holdfast(["provider", "status", "--dir", dir, "--json"])).deals;
    const id = BigInt(view.id);
    const { firstEpoch, tier } = await net.contracts.lens.dealOf(id);
    const { period } = net.deployment.tiers[Number(tier)]!;
    await run();
    await net.automine(false);
    try {
      await net.mine(Number(firstEpoch) + period + 2 - (await net.provider.getBlockNumber()));
      const sent = async () => (await net.provider.send("txpool_status", [])).pending !== "0x0";
      await until(sent);
      const began = performance.now();
      expect(await stop("SIGTERM")).to.equal(0);
      expect(performance.now() - began).to.be.lessThan(10_000);
      await net.provider.send("anvil_dropAllTransactions", []);
      await run();
      // The same bytes, not another proof: the window is guarded.
      await until(sent);
      await net.mine();
      await until(async () => (await net.contracts.lens.dealOf(id)).lastProven === 2n);
    } finally {
      await net.automine(true);
    }
    expect(await stop("SIGTERM")).to.equal(0);
  });

  it("refuses keys that can't do what they are for", async () => {
    const env = { key: signer.privateKey };
    signer = client;
    await run().then(
      () => expect.fail("it ran"),
      (error: Error) => expect(error.message).to.contain(`signs no deals for ${owner.address}`),
    );
    expect(env.key).not.to.equal(client.privateKey);
    // Only the provider may bond its stake: told now, and not at the first miss.
    const policy = join(dir, "policy.yaml");
    const text = await readFile(policy, "utf8");
    await writeFile(policy, `${text}\nrestore: { missesPerDeal: 1, stake: { "${net.token}": "1 TUSD" } }\n`);
    const keys = { HOLDFAST_PROVING_PRIVATE_KEY: proving.privateKey, HOLDFAST_STAKE_PRIVATE_KEY: client.privateKey };
    await startCommand(["keeper", "run", "--dir", dir], { ...keys, HOLDFAST_PRIVATE_KEY: "" }, /"keeper runs"/).then(
      (ran) => ran.stop("SIGKILL").then(() => expect.fail("it ran")),
      (error: Error) => expect(error.message).to.contain(`can't bond the stake of ${owner.address}`),
    );
    // The right one pays gas, and is looked after as the one that proves.
    const right = { ...keys, HOLDFAST_STAKE_PRIVATE_KEY: owner.privateKey, HOLDFAST_PRIVATE_KEY: "" };
    running = await startCommand(["keeper", "run", "--dir", dir], right, /"keeper runs"/);
    const [, ops] = /^ops: (.*)$/m.exec(await readFile(join(dir, "node.yaml"), "utf8"))!;
    const metrics = async () => (await fetch(`http://${ops}/metrics`)).text();
    await until(async () => (await metrics()).includes(`holdfast_balance_coin{account="${owner.address}"}`));
    expect(await stop("SIGTERM")).to.equal(0);
    await writeFile(policy, text);
  });

  it("settles for anybody from a keeper's folder", async () => {
    const keeper = join(await tempFolder(), "keeper");
    const made = jsonOf(await holdfast(["keeper", "init", "--dir", keeper, "--json"]));
    expect(made.written).to.deep.equal(["deployment.json", "policy.yaml", "node.yaml"]);
    expect(await readdir(keeper)).to.include("data");
    await writeFile(join(keeper, "policy.yaml"), "gas: {}\n");
    const idle = await holdfast(["keeper", "run", "--dir", keeper]);
    expect(idle.stderr).to.contain("no deals of its own to settle");
    const status = await holdfast(["keeper", "status", "--dir", keeper]);
    expect(status.stdout, status.stderr).to.contain("does not run here");
    const none = await holdfast(["provider", "run", "--dir", keeper]);
    expect(none.stderr).to.contain("is of no provider");
    // The provider has stopped, and misses its third window.
    const [view] = jsonOf(await holdfast(["provider", "status", "--dir", dir, "--json"])).deals;
    const id = BigInt(view.id);
    await writeFile(join(keeper, "policy.yaml"), "settle: { whose: all, depth: 0 }\n");
    await useFreePorts(keeper);
    running = await startCommand(["keeper", "run", "--dir", keeper], {}, /"keeper runs"/);
    const { period } = net.deployment.tiers[0]!;
    const { firstEpoch } = await net.contracts.lens.dealOf(id);
    await net.mine(Number(firstEpoch) + 3 * period - (await net.provider.getBlockNumber()));
    await until(async () => (await net.contracts.lens.dealOf(id)).slashedMisses === 1n, 60_000, running.said);
    expect(await stop("SIGTERM")).to.equal(0);
  });
});
