import { expect } from "chai";
import { openChain } from "../../src/chain/chain.js";
import { upload } from "../../src/client/index.js";
import { promise } from "../../src/provider/checks.js";
import { UnpaidKeeper, type UnpaidKeeperOptions, UnpaidPieces } from "../../src/provider/index.js";
import { type Database, DatabasePieceIndex, DatabaseUnpaidNotes } from "../../src/store/database/index.js";
import { BlobPieceStore, FileBlobs } from "../../src/store/index.js";
import { expectError } from "../piece/helpers.js";
import { describeDatabases } from "../support/databases.js";
import { testLogger } from "../support/dev-chain.js";
import { inChunks, removeFolders, type TestPiece, tempFolder, testPiece } from "../support/pieces.js";
import { type StorageNet, startStorageNet, type TestProvider } from "../support/storage-net.js";
import { until } from "./pdp/node.js";

const HOUR_MS = 3_600_000;

describeDatabases("provider: pieces that nobody pays for", (databases) => {
  let net: StorageNet;
  let node: TestProvider;
  let dir: string;
  let store: BlobPieceStore;
  let unpaid: UnpaidPieces;
  let notes: DatabaseUnpaidNotes;
  let database: Database;
  let now: number;
  let stop: AbortController;
  let deleted: string[];
  let paid: string[];
  let running: Promise<void>;
  let seed = 100;

  const open = async () => UnpaidPieces.open({ notes, store, now: () => now });
  const bring = async (piece: TestPiece) => {
    const id = await store.beginUpload();
    await store.writeUpload(id, inChunks(piece.payload), 1 << 20);
    await store.finishUpload(id, piece.cid);
  };
  const leave = async (piece: TestPiece) => unpaid.during(piece.cid, "203.0.113.9", () => bring(piece));
  const run = async (options: Partial<UnpaidKeeperOptions> = {}) => {
    const chain = await openChain(net.anvil.url, net.deployment, { logger: testLogger(), pollMs: 10 });
    const provider = node.wallet.address;
    const parts = { chain, provider, store, unpaid, logger: testLogger(), now: () => now };
    const keeper = new UnpaidKeeper({ ...parts, ...options });
    keeper.on("deleted", ({ pieceCid }) => deleted.push(pieceCid)).on("paid", ({ pieceCid }) => paid.push(pieceCid));
    running = keeper.run(stop.signal).finally(() => chain.provider.destroy());
  };
  /** A head or two, so that the keeper has looked. */
  const look = async () => {
    for (let i = 0; i < 3; i++) {
      await net.mine();
      await new Promise((go) => setTimeout(go, 60));
    }
  };
  const noted = async () => (await notes.list()).map(({ pieceCid }) => pieceCid);
  const blobs = async () => {
    const names = [];
    for await (const { name } of new FileBlobs(dir).list("pieces")) names.push(name);
    return names;
  };
  const chainTime = async () => (await net.provider.getBlock("latest"))!.timestamp;
  const later = (seconds: number) => net.provider.send("evm_increaseTime", [seconds]);

  before(async () => {
    net = await startStorageNet();
    node = await net.addProvider();
  });
  beforeEach(async () => {
    dir = await tempFolder();
    database = await databases.empty();
    notes = new DatabaseUnpaidNotes(database);
    store = await BlobPieceStore.open(dir, { index: new DatabasePieceIndex(database) });
    now = 1_000;
    unpaid = await open();
    stop = new AbortController();
    [deleted, paid] = [[], []];
    running = Promise.resolve();
  });
  afterEach(async () => {
    stop.abort();
    await running;
    await store.close();
  });
  after(async () => {
    await net.stop();
    await removeFolders();
  });
  const fresh = () => testPiece(2_000, seed++);

  it("go when their hour is over, and not before", async () => {
    const piece = await fresh();
    await leave(piece);
    await run();
    now += HOUR_MS - 1;
    await look();
    expect(deleted).to.deep.equal([]);
    now += 1;
    await net.mine();
    await until(() => deleted.length === 1);
    expect(deleted).to.deep.equal([piece.cid]);
    expect(await blobs()).to.deep.equal([]);
    expect(await noted()).to.deep.equal([]);
    expect([...unpaid.holdings()]).to.deep.equal([]);
  });

  it("stay for another hour where somebody asked for them", async () => {
    const piece = await fresh();
    await leave(piece);
    await run();
    now += HOUR_MS - 1;
    await unpaid.touch(piece.cid);
    now += HOUR_MS - 1;
    await look();
    expect(deleted).to.deep.equal([]);
    now += 1;
    await net.mine();
    await until(() => deleted.length === 1);
  });

  it("stay while a signature can be used, and a quarter of an hour for what a chain takes back", async () => {
    const piece = await fresh();
    await leave(piece);
    const until1 = (await chainTime()) + 1_000;
    await promise({ store }, piece.commitment, BigInt(until1));
    await run();
    now += HOUR_MS;
    await look();
    await later(1_100);
    await look();
    expect(deleted).to.deep.equal([]);
    await later(900);
    await net.mine();
    await until(() => deleted.length === 1);
  });

  it("stay for good once they have a deal", async () => {
    const wallet = await net.rich();
    const piece = await fresh();
    const wishes = { tier: 0, periods: 6, token: net.token, maxPricePerPeriod: 1_000_000n, urls: [node.url] };
    await leave(piece);
    await run();
    await net.clientOf(wallet).store(new Blob([piece.payload]), wishes);
    await until(async () => {
      await net.mine();
      return paid.length === 1;
    });
    expect(paid).to.deep.equal([piece.cid]);
    now += 2 * HOUR_MS;
    await look();
    expect(deleted).to.deep.equal([]);
    expect(await noted()).to.deep.equal([]);
    expect(await store.list()).to.deep.equal([piece.cid]);
  });

  it("count for nobody as soon as they have a deal, and again where that is reorganised away", async () => {
    const wallet = await net.rich();
    const [piece, kept] = [await fresh(), await fresh()];
    const wishes = { tier: 0, periods: 6, token: net.token, maxPricePerPeriod: 1_000_000n, urls: [node.url] };
    for (const one of [piece, kept]) await leave(one);
    await run({ depth: 20 });
    await net.clientOf(wallet).store(new Blob([kept.payload]), wishes);
    await until(async () => {
      await net.mine();
      return paid.length === 1;
    });
    expect(paid).to.deep.equal([kept.cid]);
    const before = await net.provider.getBlockNumber();
    await net.clientOf(wallet).store(new Blob([piece.payload]), wishes);
    await until(() => [...unpaid.holdings()].length === 0);
    await look();
    // Its hour is over, and still nothing is decided.
    now += HOUR_MS;
    await look();
    expect([paid, deleted]).to.deep.equal([[kept.cid], []]);
    expect(await noted()).to.deep.equal([piece.cid]);
    await net.provider.send("anvil_reorg", [(await net.provider.getBlockNumber()) - before, []]);
    now += HOUR_MS;
    await net.mine();
    await until(() => deleted.length === 1);
    expect(deleted).to.deep.equal([piece.cid]);
    expect(await store.list()).to.deep.equal([kept.cid]);
  });

  it("stay while a deal is about to have them by an amendment, and for good when it has", async () => {
    const wallet = await net.rich();
    const [first, next] = [await fresh(), await fresh()];
    const wishes = { tier: 1, periods: 6, token: net.token, maxPricePerPeriod: 1_000_000n, urls: [node.url] };
    const { deals } = await net.clientOf(wallet).store(new Blob([first.payload]), wishes);
    const id = deals[0]!.id;
    const { firstEpoch, tier } = await net.contracts.lens.dealOf(id);
    // In its first window: an amendment before that is in force at once.
    await net.mine(Number(firstEpoch) + 1 - (await net.provider.getBlockNumber()));
    await leave(next);
    const most = { maxPricePerPeriod: 1_000_000n };
    const { from } = await net.clientOf(wallet).amend(id, new Blob([next.payload]), most);
    await run();
    for (let hour = 0; hour < 3; hour++) {
      now += HOUR_MS;
      await look();
    }
    expect([paid, deleted]).to.deep.equal([[], []]);
    expect(await noted()).to.deep.equal([next.cid]);
    expect([...unpaid.holdings()]).to.deep.equal([]);
    const { period } = net.deployment.tiers[Number(tier)]!;
    const due = Number(firstEpoch) + (Number(from) - 1) * period;
    await net.mine(Math.max(1, due + 2 - (await net.provider.getBlockNumber())));
    now += HOUR_MS;
    await net.mine();
    await until(() => paid.length === 1);
    expect(await noted()).to.deep.equal([]);
    expect(deleted).to.deep.equal([]);
  });

  it("stay where their deal was there before them", async () => {
    const wallet = await net.rich();
    const piece = await fresh();
    const wishes = { tier: 0, periods: 6, token: net.token, maxPricePerPeriod: 1_000_000n, urls: [node.url] };
    await net.clientOf(wallet).store(new Blob([piece.payload]), wishes);
    const first = await fresh();
    await leave(first);
    await run();
    await look();
    await leave(piece);
    now += HOUR_MS;
    await net.mine();
    await until(() => deleted.length === 1 && paid.length === 1);
    expect(deleted).to.deep.equal([first.cid]);
    expect(paid).to.deep.equal([piece.cid]);
  });

  it("stay after a restart while a signature can be used that was given before it", async () => {
    const [piece, other] = [await fresh(), await fresh()];
    for (const one of [piece, other]) await leave(one);
    await promise({ store }, piece.commitment, BigInt((await chainTime()) + 3_600));
    await store.close();
    store = await BlobPieceStore.open(dir, { index: new DatabasePieceIndex(database) });
    unpaid = await open();
    expect([...unpaid.holdings()]).to.have.deep.members([1, 2].map(() => ({ owner: "203.0.113.9", bytes: 2_000 })));
    await run();
    now += 2 * HOUR_MS;
    await net.mine();
    await until(() => deleted.length === 1);
    expect(deleted).to.deep.equal([other.cid]);
    await later(3_700);
    await look();
    expect(deleted).to.have.length(1);
    await later(1_000);
    await net.mine();
    await until(() => deleted.length === 2);
  });

  it("are none that were here before, nor those that nobody brought in the end", async () => {
    const [here, never] = [await fresh(), await fresh()];
    await bring(here);
    await leave(here);
    await unpaid.during(never.cid, "x", async () => undefined);
    const failed = await unpaid.during(never.cid, "x", () => Promise.reject(new Error("no"))).catch((error) => error);
    expect(failed).to.have.property("message", "no");
    expect(unpaid.list()).to.deep.equal([]);
    expect(await noted()).to.deep.equal([]);
  });

  it("are noted before they are here, once, whoever fails to bring them too", async () => {
    const piece = await fresh();
    let owner: string | undefined;
    const slow = unpaid.during(piece.cid, "first", async () => {
      owner = (await notes.get(piece.cid))?.owner ?? "nobody";
      await new Promise((go) => setTimeout(go, 50));
      await bring(piece);
    });
    await until(() => owner !== undefined);
    await unpaid.during(piece.cid, "second", () => Promise.reject(new Error("no"))).catch(() => undefined);
    await slow;
    expect(owner).to.equal("first");
    expect((await notes.list()).map((note) => note.owner)).to.deep.equal(["first"]);
  });

  it("get no signature while they are being deleted, and are not deleted once they have one", async () => {
    const piece = await fresh();
    await leave(piece);
    const time = await chainTime();
    await run();
    // The deletion stands still half-way.
    let begun = false;
    let go: () => void = () => undefined;
    const slow = FileBlobs.prototype.delete;
    FileBlobs.prototype.delete = async function (name) {
      begun = true;
      await new Promise<void>((resume) => {
        go = resume;
      });
      FileBlobs.prototype.delete = slow;
      await slow.call(this, name);
    };
    now += HOUR_MS;
    await net.mine();
    await until(() => begun);
    await expectError("DEAL_REFUSED", () => promise({ store }, piece.commitment, BigInt(time + 100)));
    go();
    await until(() => deleted.length === 1);
    const late = await expectError("DEAL_REFUSED", () => promise({ store }, piece.commitment, BigInt(time + 100)));
    expect(late.message).to.match(/not here any more/);
    await leave(piece);
    await promise({ store }, piece.commitment, BigInt(time + 10_000_000));
    now += HOUR_MS;
    await look();
    expect(deleted).to.have.length(1);
  });

  it("keep their note where somebody brings them again while they are deleted", async () => {
    const piece = await fresh();
    await leave(piece);
    await run();
    const { remove } = store;
    let again: Promise<void> | undefined;
    store.remove = async (...args) => {
      const removed = await remove.apply(store, args);
      again = leave(piece);
      await again;
      return removed;
    };
    now += HOUR_MS;
    await net.mine();
    await until(() => deleted.length === 1);
    await again;
    expect(await store.list()).to.deep.equal([piece.cid]);
    expect(unpaid.list().map(({ pieceCid }) => pieceCid)).to.deep.equal([piece.cid]);
    expect(await noted()).to.deep.equal([piece.cid]);
  });

  it("count at a node that another has taken them for, and stay where another was asked for them", async () => {
    const piece = await fresh();
    const other = await UnpaidPieces.open({ notes, store, now: () => now });
    await leave(piece);
    expect([...other.holdings()]).to.deep.equal([]);
    await other.refresh();
    expect([...other.holdings()]).to.deep.equal([{ owner: "203.0.113.9", bytes: 2_000 }]);
    await run();
    now += HOUR_MS - 1;
    await other.touch(piece.cid);
    now += HOUR_MS - 1;
    await look();
    expect(deleted).to.deep.equal([]);
    now += 1;
    await net.mine();
    await until(() => deleted.length === 1);
  });

  it("are what strangers leave at a provider that runs", async () => {
    const brief = await net.addProvider({}, 0n, { graceMs: 300 });
    const piece = await fresh();
    await upload(brief.url, piece.cid, new Blob([piece.payload]));
    expect((await fetch(`${brief.url}/piece/${piece.cid}`, { method: "HEAD" })).status).to.equal(200);
    const wallet = await net.rich();
    const kept = await fresh();
    const wishes = { tier: 0, periods: 6, token: net.token, maxPricePerPeriod: 1_000_000n, urls: [node.url] };
    await net.clientOf(wallet).store(new Blob([kept.payload]), wishes);
    await new Promise((go) => setTimeout(go, 350));
    await until(async () => {
      await net.mine();
      return (await fetch(`${brief.url}/piece/${piece.cid}`, { method: "HEAD" })).status === 404;
    });
    expect((await fetch(`${node.url}/piece/${kept.cid}`, { method: "HEAD" })).status).to.equal(200);
  });
});
