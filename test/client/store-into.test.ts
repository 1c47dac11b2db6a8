import { expect } from "chai";
import type { Wallet } from "ethers";
import { type DealInfo, folderSink, type HoldfastClient, holders, readDeal } from "../../src/client/index.js";
import type { ProvingKeeper } from "../../src/keeper/index.js";
import { blobSpool, type CarSpool } from "../../src/piece/car/index.js";
import { decodePieceCid } from "../../src/piece/index.js";
import { windowOf } from "../../src/protocol/index.js";
import { entriesOf, type Tree, text, treeOf } from "../piece/car/helpers.js";
import { expectError, pseudoRandom } from "../piece/helpers.js";
import { stepTo } from "../support/keeping.js";
import { removeFolders, testPiece } from "../support/pieces.js";
import { type StorageNet, startStorageNet, type TestProvider } from "../support/storage-net.js";

const OLD: Tree = { "a.txt": text("a"), "b/c.bin": pseudoRandom(50_000), "b/d.txt": text("d") };
const NEW: Tree = { "a.txt": text("another"), "b/e.txt": text("e"), "f/g.txt": text("g") };

describe("client: more files into a deal", () => {
  let net: StorageNet;
  let node: TestProvider;
  let owner: Wallet;
  let client: HoldfastClient;
  const spools: { discarded: number }[] = [];

  const makeSpool = (): CarSpool => {
    const kept = blobSpool();
    const counted = { ...kept, discarded: 0, discard: async () => void counted.discarded++ };
    spools.push(counted);
    return counted;
  };
  const most = { maxPricePerPeriod: 10_000_000n };
  const store = async (tree: Tree) => {
    const wishes = { tier: 0, periods: 8, token: net.token, ...most };
    const { deals, pieceCid, rootCid } = await client.storeFolder(entriesOf(tree), wishes);
    return { id: deals[0]?.id as bigint, pieceCid, rootCid };
  };
  const into = (id: bigint, tree: Tree, as = client) =>
    as.storeInto(id, entriesOf(tree), { ...most, makeSpool, spool: makeSpool() });
  const fetch = async (pieceCid: string) => {
    const urls = await holders(net, decodePieceCid(pieceCid));
    const { value } = await client.fetch(pieceCid, urls, () => folderSink());
    return treeOf(value.archive);
  };
  const read = (id: bigint): Promise<DealInfo> => readDeal(net, id);

  before(async () => {
    net = await startStorageNet();
    node = await net.addProvider();
    owner = await net.rich();
    client = net.clientOf(owner);
  });
  afterEach(() => {
    expect(spools.map(({ discarded }) => discarded).filter((count) => count === 0)).to.deep.equal([]);
    spools.splice(0);
  });
  after(async () => {
    await net.stop();
    await removeFolders();
  });

  it("amends the deal to both folders, which can be fetched at once and are proven from a window on", async () => {
    const { id, pieceCid: before } = await store(OLD);
    const keeper = node.keeper as ProvingKeeper;
    const { firstEpoch, tier } = await read(id);
    const window = (k: number) => windowOf(firstEpoch, net.deployment.tiers[tier]!, k);
    await stepTo(net, window(1).firstBlock, keeper);
    const { pieceCid, from, files, bytes } = await into(id, NEW);
    expect([files, bytes]).to.deep.equal([3, 9n]);
    expect(pieceCid).to.not.equal(before);
    expect(await fetch(pieceCid)).to.deep.equal({ ...OLD, ...NEW });
    expect(await fetch(before)).to.deep.equal(OLD);
    const deal = await read(id);
    expect(deal.pending?.from).to.equal(from);
    await expectError("AMENDMENT_PENDING", () => into(id, { "z.txt": text("z") }));
    for (let k = 1; k <= from + 1; k++) {
      await stepTo(net, window(k).lastBlock, keeper);
      expect((await read(id)).proven, `window ${k}`).to.equal(k);
    }
    const turned = await read(id);
    expect(turned.pending).to.equal(undefined);
    expect(turned.leafCount).to.equal(decodePieceCid(pieceCid).leafCount);
    const again = await into(id, { "h.txt": text("h") });
    expect(await fetch(again.pieceCid)).to.deep.equal({ ...OLD, ...NEW, "h.txt": text("h") });
  });

  it("does nothing where there is nothing new", async () => {
    const { id } = await store(OLD);
    await expectError("NOTHING_NEW", () => into(id, { "a.txt": text("a") }));
    expect((await read(id)).amendments).to.equal(0);
  });

  it("leaves the deal as it was where anything is wrong", async () => {
    const { id } = await store(OLD);
    const stranger = net.clientOf(await net.rich());
    await expectError("NOT_OWNER", () => into(id, NEW, stranger));
    await expectError("PATH_CONFLICT", () => into(id, { b: text("b") }));
    await expectError("INVALID_PATH", () => into(id, { "../b": text("b") }));
    await expectError("PRICE_TOO_HIGH", () =>
      client.storeInto(id, entriesOf(NEW), { maxPricePerPeriod: 1n, makeSpool, spool: makeSpool() }),
    );
    expect((await read(id)).amendments).to.equal(0);
  });

  it("refuses a deal on what is no folder", async () => {
    const { payload } = await testPiece(9_000, 3);
    const wishes = { tier: 0, periods: 8, token: net.token, ...most };
    const { deals } = await client.store(new Blob([payload]), wishes);
    await expectError("CAR_MALFORMED", () => into(deals[0]?.id as bigint, NEW));
  });

  it("asks another holder where one is gone, and says so where none is left", async () => {
    const { id } = await store(OLD);
    const profile = await net.contracts.registry.profileOf(node.wallet.address);
    const registry = net.contracts.registry.connect(node.wallet);
    const { name, peerId, region, tiers, offerUri } = profile;
    const moved = { name, url: "http://127.0.0.1:1", peerId, region, tiers, offerUri };
    await (await registry.updateProfile(moved)).wait();
    const { message } = await expectError("PIECE_UNAVAILABLE", () => into(id, NEW));
    expect(message).to.contain("http://127.0.0.1:1");
    await (await registry.updateProfile({ ...moved, url: profile.url })).wait();
    await into(id, NEW);
  });
});
