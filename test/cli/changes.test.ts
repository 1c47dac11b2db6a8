import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import type { Wallet } from "ethers";
import { dealIdText, readDeal } from "../../src/client/index.js";
import { holdfast } from "../support/cli.js";
import { actAs, commandsOn, jsonOf } from "../support/cli-net.js";
import { removeFolders, type TestPiece, tempFolder, testPiece } from "../support/pieces.js";
import { priced, type StorageNet, startStorageNet, type TestProvider } from "../support/storage-net.js";

const SIZE = 5_000;

describe("cli: changing deals", () => {
  let net: StorageNet;
  let node: TestProvider;
  let other: TestProvider;
  let owner: Wallet;
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
    owner = await net.rich();
    restore = await commandsOn(net);
    actAs(owner);
    larger = await testPiece(8_000, 5);
    file = join(await tempFolder(), "larger.bin");
    await writeFile(file, larger.payload);
  });
  after(async () => {
    restore();
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

  it("says what is wrong with what was asked", async () => {
    const missing = await holdfast(["deal", "amend", "0x12345678", join(file, "not"), "--max-price", "1"]);
    expect(missing.stderr).to.match(/^error: .+ cannot be read\nhint: /);
    const region = await holdfast(["deal", "migrate", "0x12345678", "--region", "germany"]);
    expect(region.stderr).to.contain("ISO 3166");
  });
});
