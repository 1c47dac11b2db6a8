import { expect } from "chai";
import type { Wallet } from "ethers";
import { dealIdText, readDeal, readState } from "../../src/client/index.js";
import { holdfast } from "../support/cli.js";
import { actAs, commandsOn, jsonOf } from "../support/cli-net.js";
import { removeFolders, testPiece } from "../support/pieces.js";
import { type StorageNet, startStorageNet, type TestProvider } from "../support/storage-net.js";

const SIZE = 500_000;

describe("cli: deals", () => {
  let net: StorageNet;
  let node: TestProvider;
  let owner: Wallet;
  let friend: Wallet;
  let ids: string[];
  let restore: () => void;

  before(async () => {
    net = await startStorageNet();
    node = await net.addProvider();
    [owner, friend] = [await net.rich(), await net.rich()];
    restore = await commandsOn(net);
    const wishes = { tier: 0, periods: 6, maxPeriods: 20, token: net.token, maxPricePerPeriod: BigInt(SIZE) };
    ids = [];
    for (const [seed, wallet] of [owner, friend].entries()) {
      const { payload } = await testPiece(SIZE, seed);
      const stored = await net.clientOf(wallet).store(new Blob([payload]), { ...wishes, urls: [node.url] });
      ids.push(dealIdText(stored.deals[0]?.id as bigint));
    }
  });
  after(async () => {
    restore();
    await net.stop();
    await removeFolders();
  });

  it("lists all deals, a client's, a provider's", async () => {
    const all = await holdfast(["deals"]);
    expect(all.stderr).to.equal("");
    const [head, ...rows] = all.stdout.trimEnd().split("\n");
    expect(head).to.match(/^deal +status +piece +provider +proven +missed +paid until +escrow$/);
    expect(rows.map((row) => row.split(/ +/)[0])).to.deep.equal(ids.map((id) => id.slice(0, 12)));
    expect(rows[0]).to.match(/ Open +0x\w{10} +0x\w{40} +\d of \d +0 of \d+ +block \d+ +[\d.]+ TUSD$/);
    const mine = jsonOf(await holdfast(["deals", "--client", owner.address, "--json"]));
    expect(mine.deals).to.have.length(1);
    expect(mine.deals[0]).to.deep.include({
      id: ids[0],
      status: "Open",
      owner: owner.address,
      pricePerPeriod: String(SIZE),
      periods: 6,
    });
    expect(mine.deals[0].totals.funded).to.equal(String(6 * SIZE));
    const served = jsonOf(
      await holdfast(["deals", "--provider", node.wallet.address, "--client", friend.address, "--json"]),
    );
    expect(served.deals.map(({ id }: { id: string }) => id)).to.deep.equal([ids[1]]);
    expect((await holdfast(["deals", "--provider", owner.address])).stdout).to.equal("no deals\n");
  });

  it("shows one deal by its first digits, with the state to bind a transfer to", async () => {
    const id = ids[0] as string;
    const { stateHash } = await readState(net, BigInt(id));
    const shown = await holdfast(["deal", "show", id.slice(0, 12)]);
    expect(shown.status, shown.stderr).to.equal(0);
    expect(shown.stdout).to.contain(`deal        ${id}\nstatus      Open\nowner       ${owner.address}\n`);
    expect(shown.stdout).to.contain("price       0.5 TUSD a period\nperiods     6, at most 20\n");
    expect(shown.stdout).to.match(/^paid until {2}block \d+, in \d+ blocks$/m);
    expect(shown.stdout).to.contain(`state       ${stateHash}\n`);
    const report = jsonOf(await holdfast(["deal", "show", id, "--json"]));
    expect(report).to.deep.include({ id, stateHash, owner: owner.address });
    const none = await holdfast(["deal", "show", `0x${"0".repeat(63)}1`]);
    expect(none.status).to.equal(1);
    expect(none.stderr).to.match(/^error: the market has no deal 0x0+1\nhint: /);
  });

  it("extends a deal of somebody else, within a cost", async () => {
    actAs(friend);
    const args = ["deal", "extend", ids[0] as string, "--periods", "2"];
    const dear = await holdfast([...args, "--max-cost", "0.999999 TUSD"]);
    expect(dear.status).to.equal(1);
    expect(dear.stderr).to.contain("2 periods cost 1000000 base units, over 999999");
    const outcome = await holdfast([...args, "--max-cost", "1000000"]);
    expect(outcome.stdout, outcome.stderr).to.match(/^deal 0x\w{10} has 8 periods now, paid until block \d+\n$/);
    expect((await readDeal(net, BigInt(ids[0] as string))).periods).to.equal(8);
  });

  it("hands a deal over in the state that was agreed on, and shows that", async () => {
    actAs(owner);
    const id = ids[0] as string;
    const stale = await holdfast(["deal", "transfer", id, friend.address, "--if", `0x${"11".repeat(32)}`]);
    expect(stale.status).to.equal(1);
    expect(stale.stderr).to.contain("StateChanged");
    const { stateHash } = await readState(net, BigInt(id));
    const done = await holdfast(["deal", "transfer", id, friend.address, "--if", stateHash, "--json"]);
    expect(jsonOf(done)).to.deep.equal({ id, from: owner.address, to: friend.address, stateHash });
    expect(done.stderr).to.contain("price       0.5 TUSD a period");
    expect((await readDeal(net, BigInt(id))).owner).to.equal(friend.address);
  });

  it("ends a deal, and says what came back", async () => {
    actAs(owner);
    const notMine = await holdfast(["deal", "terminate", ids[1] as string]);
    expect(notMine.status).to.equal(1);
    expect(notMine.stderr).to.contain("NotOwner");
    actAs(friend);
    const outcome = await holdfast(["deal", "terminate", ids[1] as string]);
    expect(outcome.stdout, outcome.stderr).to.match(
      /^deal 0x\w{10} ends after \d of 6 periods\n[\d.]+ TUSD is back in your account in the vault\n$/,
    );
    const deal = await readDeal(net, BigInt(ids[1] as string));
    const back = await net.contracts.vault.balanceOf(friend.address, BigInt(net.token));
    expect(back).to.equal(deal.totals.refunded);
    expect(back).to.equal(BigInt((6 - deal.periods) * SIZE));
  });
});
