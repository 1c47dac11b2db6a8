import { expect } from "chai";
import { openChain } from "../../src/chain/chain.js";
import { Status } from "../../src/protocol/index.js";
import { EndedKeeper, type EndedKeeperOptions, UnpaidKeeper, UnpaidPieces } from "../../src/provider/index.js";
import {
  type Database,
  DatabasePaidNotes,
  DatabasePieceIndex,
  DatabaseUnpaidNotes,
} from "../../src/store/database/index.js";
import { BlobPieceStore } from "../../src/store/index.js";
import { describeDatabases } from "../support/databases.js";
import { testLogger } from "../support/dev-chain.js";
import { inChunks, removeFolders, type TestPiece, tempFolder, testPiece } from "../support/pieces.js";
import { type StorageNet, startStorageNet, type TestProvider } from "../support/storage-net.js";
import { until } from "./pdp/node.js";

const HOUR_MS = 3_600_000;
const KEEP_MS = 7 * 24 * HOUR_MS;

describeDatabases("provider: pieces whose deals are over", (databases) => {
  let net: StorageNet;
  let node: TestProvider;
  let store: BlobPieceStore;
  let unpaid: UnpaidPieces;
  let paid: DatabasePaidNotes;
  let database: Database;
  let now: number;
  let stop: AbortController;
  let over: string[];
  let deleted: string[];
  let running: Promise<unknown>[];
  let seed = 700;

  const fresh = () => testPiece(2_000, seed++);
  const bring = async (piece: TestPiece) => {
    const id = await store.beginUpload();
    await store.writeUpload(id, inChunks(piece.payload), 1 << 20);
    await store.finishUpload(id, piece.cid);
  };
  const wishes = (periods: number, tier = 0) => ({
    ...{ tier, periods, token: net.token, maxPricePerPeriod: 1_000_000n, urls: [node.url] },
  });
  /** A deal of the provider on a piece that is here. */
  const deal = async (piece: TestPiece, periods = 6, tier = 0) => {
    await bring(piece);
    const client = net.clientOf(await net.rich());
    const { deals } = await client.store(new Blob([piece.payload]), wishes(periods, tier));
    return { id: deals[0]!.id, client };
  };
  const statusOf = async (id: bigint) => Number((await net.contracts.lens.standingOf(id)).status);
  /** Past its last window, at once: what was not proven by then is missed. */
  const end = async (id: bigint) => {
    const { periods } = await net.contracts.lens.dealOf(id);
    const [, lastBlock] = await net.contracts.lens.windowOf(id, periods);
    await net.mine(Number(lastBlock) + 1 - (await net.provider.getBlockNumber()));
    expect(await statusOf(id)).to.be.at.least(Status.Completed);
  };
  const runEnded = async (options: Partial<EndedKeeperOptions> = {}) => {
    const chain = await openChain(net.anvil.url, net.deployment, { logger: testLogger(), pollMs: 10 });
    const parts = { chain, provider: node.wallet.address, store, unpaid, logger: testLogger(), now: () => now };
    const keeper = new EndedKeeper({ ...parts, notes: paid, ...options });
    keeper.on("over", ({ pieceCid }) => over.push(pieceCid));
    running.push(keeper.run(stop.signal).finally(() => chain.provider.destroy()));
  };
  const runUnpaid = async (change: (chain: Awaited<ReturnType<typeof openChain>>) => void = () => undefined) => {
    const chain = await openChain(net.anvil.url, net.deployment, { logger: testLogger(), pollMs: 10 });
    change(chain);
    const parts = { chain, provider: node.wallet.address, store, unpaid, logger: testLogger(), now: () => now };
    const keeper = new UnpaidKeeper({ ...parts, tokens: [net.token] }).on("deleted", ({ pieceCid }) =>
      deleted.push(pieceCid),
    );
    running.push(keeper.run(stop.signal).finally(() => chain.provider.destroy()));
  };
  const run = async (options: Partial<EndedKeeperOptions> = {}) => {
    await runEnded(options);
    await runUnpaid();
  };
  /** Some heads, so that the keepers have looked. */
  const look = async () => {
    for (let i = 0; i < 3; i++) {
      await net.mine();
      await new Promise((go) => setTimeout(go, 60));
    }
  };
  const noted = async (pieceCid: string) => (await paid.list()).find((note) => note.pieceCid === pieceCid);
  /** Waits for something while blocks come and time goes: ten minutes a block, so that every head is looked at. */
  const inTime = (holds: () => Promise<boolean> | boolean) =>
    until(async () => {
      if (await holds()) return true;
      now += 600_000;
      await net.mine();
      return false;
    });
  const hasEnd = (pieceCid: string) => inTime(async () => (await noted(pieceCid))?.end !== undefined);

  before(async () => {
    net = await startStorageNet();
    node = await net.addProvider();
  });
  beforeEach(async () => {
    database = await databases.empty();
    paid = new DatabasePaidNotes(database);
    store = await BlobPieceStore.open(await tempFolder(), { index: new DatabasePieceIndex(database) });
    now = 1_000;
    unpaid = await UnpaidPieces.open({ notes: new DatabaseUnpaidNotes(database), store, now: () => now });
    stop = new AbortController();
    [over, deleted, running] = [[], [], []];
  });
  afterEach(async () => {
    stop.abort();
    await Promise.all(running);
    await store.close();
  });
  after(async () => {
    await net.stop();
    await removeFolders();
  });

  it("stay for seven days and an hour, count for nobody, and go", async () => {
    const piece = await fresh();
    const { id } = await deal(piece);
    await runEnded();
    await inTime(async () => (await noted(piece.cid)) !== undefined);
    await end(id);
    await hasEnd(piece.cid);
    now = (await noted(piece.cid))!.end!.at + KEEP_MS - 1;
    await look();
    expect(over).to.deep.equal([]);
    await inTime(() => over.length === 1);
    expect(over).to.deep.equal([piece.cid]);
    expect([...unpaid.holdings()]).to.deep.equal([]);
    await runUnpaid();
    await look();
    expect(await store.list()).to.deep.equal([piece.cid]);
    await inTime(() => deleted.length === 1);
    expect(await store.list()).to.deep.equal([]);
    await inTime(async () => (await paid.list()).length === 0);
  });

  it("stay where another deal has them, or came meanwhile", async () => {
    const piece = await fresh();
    const first = await deal(piece);
    await run();
    await end(first.id);
    await hasEnd(piece.cid);
    const second = await first.client.store(new Blob([piece.payload]), wishes(40));
    await inTime(async () => (await noted(piece.cid))?.end === undefined);
    now += 2 * KEEP_MS;
    await look();
    expect([over, deleted]).to.deep.equal([[], []]);
    expect(await statusOf(second.deals[0]!.id)).to.equal(Status.Open);
    expect(await store.list()).to.deep.equal([piece.cid]);
  });

  it("are those of an amendment that is in force, too", async () => {
    const [first, next] = [await fresh(), await fresh()];
    const { id, client } = await deal(first, 6, 1);
    await run();
    const { firstEpoch } = await net.contracts.lens.dealOf(id);
    await net.mine(Number(firstEpoch) + 1 - (await net.provider.getBlockNumber()));
    await inTime(async () => (await noted(first.cid)) !== undefined);
    await bring(next);
    const { from } = await client.amend(id, new Blob([next.payload]), { maxPricePerPeriod: 1_000_000n });
    const { period } = net.deployment.tiers[1]!;
    const due = Number(firstEpoch) + (Number(from) - 1) * period;
    await net.mine(Math.max(1, due + 2 - (await net.provider.getBlockNumber())));
    await hasEnd(first.cid);
    expect((await noted(next.cid))?.end).to.equal(undefined);
    now += KEEP_MS;
    await inTime(() => over.length === 1);
    expect(over).to.deep.equal([first.cid]);
  });

  it("are none that never had a deal, as far as is known, nor those that strangers left", async () => {
    const [own, stranger, ended] = [await fresh(), await fresh(), await fresh()];
    await bring(own);
    await unpaid.during(stranger.cid, "203.0.113.9", () => bring(stranger));
    const { id } = await deal(ended);
    await end(id);
    await runEnded({ keepMs: 4_000, depth: 0 });
    await hasEnd(ended.cid);
    await inTime(() => over.length === 1);
    expect(over).to.deep.equal([ended.cid]);
    expect((await paid.list()).map(({ pieceCid }) => pieceCid)).to.deep.equal([ended.cid]);
    expect(unpaid.list().find(({ pieceCid }) => pieceCid === stranger.cid)?.owner).to.equal("203.0.113.9");
  });

  it("stay until the block that saw the end is so deep that nothing takes it back", async () => {
    const piece = await fresh();
    const { id } = await deal(piece);
    await end(id);
    await runEnded({ keepMs: 4_000, depth: 40 });
    await hasEnd(piece.cid);
    const { block } = (await noted(piece.cid))!.end!;
    now += 10_000;
    await look();
    expect(over).to.deep.equal([]);
    await net.mine(block + 38 - (await net.provider.getBlockNumber()));
    now += 10_000;
    await new Promise((go) => setTimeout(go, 100));
    expect(over).to.deep.equal([]);
    await inTime(() => over.length === 1);
  });

  it("are not deleted while a deal is hidden: stake is locked for it that no known deal has", async () => {
    const piece = await fresh();
    await deal(piece, 40);
    await unpaid.add(piece.cid, "203.0.113.9");
    let hides = true;
    let asked = 0;
    await runUnpaid((chain) => {
      const logs = chain.follower.logs.bind(chain.follower);
      chain.follower.logs = async function* (...args) {
        asked++;
        for await (const each of logs(...args)) yield hides ? { ...each, logs: [] } : each;
      };
    });
    now += 2 * HOUR_MS;
    await look();
    expect(deleted).to.deep.equal([]);
    expect(asked).to.be.greaterThan(0);
    // When nothing is hidden any more, all of it is read again, ten minutes later.
    hides = false;
    now += HOUR_MS;
    await inTime(() => unpaid.list().length === 0);
    expect(deleted).to.deep.equal([]);
    expect(await store.list()).to.include(piece.cid);
  });

  it("go from a provider that runs, as its policy says", async () => {
    const brief = await net.addProvider({}, undefined, { keepMs: 200, graceMs: 200 });
    const piece = await fresh();
    const client = net.clientOf(await net.rich());
    const { deals } = await client.store(new Blob([piece.payload]), { ...wishes(6), urls: [brief.url] });
    expect((await fetch(`${brief.url}/piece/${piece.cid}`, { method: "HEAD" })).status).to.equal(200);
    await end(deals[0]!.id);
    // No signature for it can be used any more.
    await net.provider.send("evm_increaseTime", [10_000]);
    await inTime(async () => (await fetch(`${brief.url}/piece/${piece.cid}`, { method: "HEAD" })).status === 404);
  });
});
