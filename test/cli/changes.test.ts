import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import type { Wallet } from "ethers";
import { type Deployment, formatDeployment } from "../../src/chain/deployment.js";
import { carryDeal, dealIdText, findDeals, readDeal } from "../../src/client/index.js";
import { Status } from "../../src/protocol/index.js";
import { expectError } from "../piece/helpers.js";
import { holdfast } from "../support/cli.js";
import { actAs, commandsOn, jsonOf } from "../support/cli-net.js";
import { filesIn, removeFolders, type TestPiece, tempFolder, testPiece } from "../support/pieces.js";
import {
  priced,
  type StorageNet,
  startMarketBeside,
  startStorageNet,
  type TestProvider,
} from "../support/storage-net.js";

const SIZE = 5_000;

async function deploymentFile(deployment: Deployment): Promise<string> {
  const path = join(await tempFolder(), "beside.json");
  await writeFile(path, formatDeployment(deployment));
  return path;
}

describe("cli: changing deals", () => {
  let net: StorageNet;
  let node: TestProvider;
  let other: TestProvider;
  let owner: Wallet;
  /** Another market on the same chain. */
  let beside: StorageNet;
  let there: TestProvider;
  let besideFile: string;
  let larger: TestPiece;
  let file: string;
  let restore: () => void;

  const store = async (seed: number) => {
    const { payload } = await testPiece(SIZE, seed);
    const wishes = { tier: 0, periods: 9, token: net.token, maxPricePerPeriod: BigInt(SIZE), urls: [node.url] };
    const { deals } = await net.clientOf(owner).store(new Blob([payload]), wishes);
    return dealIdText(deals[0]?.id as bigint);
  };

  before(async () => {
    net = await startStorageNet();
    node = await net.addProvider();
    other = await net.addProvider(priced(net.token, 2n));
    beside = await startMarketBeside(net);
    there = await beside.addProvider();
    besideFile = await deploymentFile(beside.deployment);
    owner = await net.rich();
    restore = await commandsOn(net);
    actAs(owner);
    larger = await testPiece(8_000, 5);
    file = join(await tempFolder(), "larger.bin");
    await writeFile(file, larger.payload);
  });
  after(async () => {
    restore();
    await beside.stop();
    await net.stop();
    await removeFolders();
  });

  it("puts another file in the place of a deal's, within a price", async () => {
    const id = await store(1);
    const dear = await holdfast(["deal", "amend", id, file, "--max-price", "7999"]);
    expect(dear.status).to.equal(1);
    expect(dear.stderr).to.contain("a period of the new piece costs 8000 base units, over 7999");
    const outcome = await holdfast(["deal", "amend", id.slice(0, 14), file, "--max-price", "0.008 TUSD", "--json"]);
    const report = jsonOf(outcome);
    expect(report).to.deep.include({ id, pieceCid: larger.cid, url: node.url, pricePerPeriod: "8000", nonce: 0 });
    expect(outcome.stderr).to.contain("the provider has signed amendment 0");
    const deal = await readDeal(net, BigInt(id));
    expect(deal.amendments).to.equal(1);
    const shown = await holdfast(["deal", "show", id]);
    if (deal.pending) expect(shown.stdout).to.contain(`amended     from window ${deal.pending.from} on: 0x`);
  });

  it("moves a deal to another provider, within a price", async () => {
    const id = await store(2);
    const to = ["--to", other.wallet.address];
    const dear = await holdfast(["deal", "migrate", id, ...to]);
    expect(dear.status).to.equal(1);
    expect(dear.stderr).to.match(/no provider took over deal 0x.+a period costs \d+, over 5000/);
    const outcome = await holdfast(["deal", "migrate", id, ...to, "--max-price", "11000", "--periods", "6", "--json"]);
    const report = jsonOf(outcome);
    expect(report).to.deep.include({ id, provider: other.wallet.address, url: other.url, periods: 6 });
    expect(outcome.stderr).to.match(/takes 0.01\d* TUSD a period\n.+ has bafkz/);
    expect(await readDeal(net, BigInt(report.successor))).to.include({ provider: other.wallet.address, periods: 6 });
    const shown = await holdfast(["deal", "show", id]);
    expect(shown.stdout).to.contain(`moved to    ${report.successor}`);
    const again = await holdfast(["deal", "migrate", id]);
    expect(again.stderr).to.match(/is not open any more: (Ending|Migrated)/);
  });

  it("moves a deal to another market, and leaves nothing of the piece behind", async () => {
    const id = await store(3);
    const temp = join(await tempFolder(), "tmp");
    await mkdir(temp);
    const { TMPDIR } = process.env;
    process.env.TMPDIR = temp;
    const outcome = await holdfast(["deal", "migrate", id, "--into", besideFile, "--json"]);
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
    const report = jsonOf(outcome);
    const { market } = beside.deployment;
    expect(report).to.deep.include({ id, market, provider: there.wallet.address, url: there.url, resumed: false });
    expect(report).to.deep.include({ token: net.token, pricePerPeriod: String(SIZE) });
    expect(outcome.stderr).to.match(
      /5000 bytes from .+, verified\ncommitment bafkz.+\n.+ has the bytes.+\ndeal 0x.+ is open/,
    );
    expect((await filesIn(temp)).filter((name) => name.startsWith("holdfast-"))).to.deep.equal([]);
    const [old, next] = [await readDeal(net, BigInt(id)), await readDeal(beside, BigInt(report.successor))];
    expect(old.status).to.equal(Status.Ending);
    expect(next).to.include({ status: Status.Open, owner: owner.address, root: old.root, periods: report.periods });
    expect(report.refund).to.equal(String((9 - old.periods) * SIZE));
    const again = await holdfast(["deal", "migrate", id, "--into", besideFile]);
    expect(again.stderr).to.match(/^error: deal 0x.+ is not open any more: Ending\nhint: .+\n$/);
  });

  it("goes on with a move that was cut off, and says so", async () => {
    const id = await store(4);
    const sender = net.senderOf(owner);
    const cut = {
      address: () => sender.address(),
      send: async (...args: Parameters<typeof sender.send>) => {
        if (args[1] === "terminate a deal") throw new Error("cut off");
        return sender.send(...args);
      },
    };
    const { deployment, contracts } = net;
    const access = { address: owner.address, sender: cut, deployment, contracts };
    const before = (await findDeals(beside, { owner: owner.address })).length;
    await expectError("OLD_DEAL_OPEN", () => carryDeal(access, beside, BigInt(id)));
    const outcome = await holdfast(["deal", "migrate", id.slice(0, 14), "--into", besideFile]);
    expect(outcome.status, outcome.stderr).to.equal(0);
    const deals = await findDeals(beside, { owner: owner.address });
    expect(deals.length).to.equal(before + 1);
    const next = dealIdText(deals.at(-1) as bigint);
    expect(outcome.stderr).to.contain(`deal ${next} was opened by an earlier run, and is taken`);
    expect(outcome.stdout).to.match(
      new RegExp(`^deal ${id.slice(0, 12)} has ended, ${next} of market .+ goes on\nwith .+\n.+ TUSD is back in`),
    );
    expect((await readDeal(net, BigInt(id))).status).to.equal(Status.Ending);
  });

  it("refuses another market that is none", async () => {
    const into = async (path: string, ...more: string[]) => {
      const { status, stdout, stderr } = await holdfast(["deal", "migrate", "0x12345678", "--into", path, ...more]);
      expect([status, stdout]).to.deep.equal([1, ""]);
      expect(stderr).to.match(/^error: .+\nhint: .+\n$/);
      return stderr;
    };
    const { deployment } = beside;
    expect(await into(await deploymentFile(net.deployment))).to.match(/the deal is in market .+ already/);
    expect(await into(await deploymentFile({ ...deployment, chainId: 314 }))).to.contain("on chain 314, the deal on");
    expect(await into(await deploymentFile({ ...deployment, feeBps: 7 }))).to.contain(
      "differs from the deployment file",
    );
    expect(await into(join(file, "none"))).to.contain("can't be read");
    expect(await into(besideFile)).to.contain("no deal of this market begins with 0x12345678");
  });

  it("says what is wrong with what was asked", async () => {
    const missing = await holdfast(["deal", "amend", "0x12345678", join(file, "not"), "--max-price", "1"]);
    expect(missing.stderr).to.match(/^error: .+ cannot be read\nhint: /);
    const region = await holdfast(["deal", "migrate", "0x12345678", "--region", "germany"]);
    expect(region.stderr).to.contain("ISO 3166");
  });
});
