import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { openChain } from "../../src/chain/chain.js";
import { upload } from "../../src/client/index.js";
import { promise } from "../../src/provider/checks.js";
import { PromisedPieces, UnpaidKeeper, type UnpaidKeeperOptions, UnpaidPieces } from "../../src/provider/index.js";
import { FilePieceStore } from "../../src/store/index.js";
import { expectError } from "../piece/helpers.js";
import { testLogger } from "../support/dev-chain.js";
import { inChunks, removeFolders, type TestPiece, tempFolder, testPiece } from "../support/pieces.js";
import { type StorageNet, startStorageNet, type TestProvider } from "../support/storage-net.js";
import { until } from "./pdp/node.js";

const HOUR_MS = 3_600_000;

describe("provider: pieces that nobody pays for", () => {
  let net: StorageNet;
  let node: TestProvider;
  let dir: string;
  let store: FilePieceStore;
  let unpaid: UnpaidPieces;
  let promised: PromisedPieces;
  let now: number;
  let stop: AbortController;
  let deleted: string[];
  let paid: string[];
  let running: Promise<void>;
  let seed = 100;

  const open = async () => UnpaidPieces.open({ dir: join(dir, "unpaid"), store, now: () => now });
  const bring = async (piece: TestPiece) => {
    const id = await store.beginUpload();
    await store.writeUpload(id, inChunks(piece.payload), 1 << 20);
    await store.finishUpload(id, piece.cid);
  };
  const leave = async (piece: TestPiece) => unpaid.during(piece.cid, "203.0.113.9", () => bring(piece));
  const run = async (options: Partial<UnpaidKeeperOptions> = {}) => {
    const chain = await openChain(net.anvil.url, net.deployment, { logger: testLogger(), pollMs: 10 });
    const provider = node.wallet.address;
    const parts = { chain, provider, store, unpaid, promised, logger: testLogger(), now: () => now };
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
  const chainTime = async () => (await net.provider.getBlock("latest"))!.timestamp;
  const later = (seconds: number) => net.provider.send("evm_increaseTime", [seconds]);

  before(async () => {
    net = await startStorageNet();
    node = await net.addProvider();
  });
  beforeEach(async () => {
    dir = await tempFolder();
    store = await FilePieceStore.open(dir);
    now = 1_000;
    unpaid = await open();
    promised = new PromisedPieces();
    stop = new AbortController();
    [deleted, paid] = [[], []];
    running = Promise.resolve();
  });
  afterEach(async () => {
    stop.abort();
    await running;
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
    for (const sub of ["pieces", "unpaid"]) expect(await readdir(join(dir, sub))).to.deep.equal([]);
    expect([...unpaid.holdings()]).to.deep.equal([]);
  });

  it("stay for another hour where somebody asked for them", async () => {
    const piece = await fresh();
    await leave(piece);
    await run();
    now += HOUR_MS - 1;
    unpaid.touch(piece.cid);
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
    promised.promise(piece.commitment, BigInt(until1));
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
    await until(() => paid.length === 1);
    expect(paid).to.deep.equal([piece.cid]);
    now += 2 * HOUR_MS;
    await look();
    expect(deleted).to.deep.equal([]);
    expect(await readdir(join(dir, "unpaid"))).to.deep.equal([]);
    expect(await store.list()).to.deep.equal([piece.cid]);
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

  it("wait after a restart until nothing can be used any more that was signed before it", async () => {
    const piece = await fresh();
    await leave(piece);
    unpaid = await open();
    expect([...unpaid.holdings()]).to.deep.equal([{ owner: "203.0.113.9", bytes: 2_000 }]);
    await run();
    await look();
    now += 2 * HOUR_MS;
    await later(3_600);
    await look();
    expect(deleted).to.deep.equal([]);
    await later(1_000);
    await net.mine();
    await until(() => deleted.length === 1);
  });

  it("are none that were here before, nor those that nobody brought in the end", async () => {
    const [here, never] = [await fresh(), await fresh()];
    await bring(here);
    await leave(here);
    await unpaid.during(never.cid, "x", async () => undefined);
    const failed = await unpaid.during(never.cid, "x", () => Promise.reject(new Error("no"))).catch((error) => error);
    expect(failed).to.have.property("message", "no");
    expect(unpaid.list()).to.deep.equal([]);
    expect(await readdir(join(dir, "unpaid"))).to.deep.equal([]);
    await writeFile(join(dir, "unpaid", never.cid), "x");
    await writeFile(join(dir, "unpaid", "notes"), "x");
    unpaid = await open();
    expect(unpaid.list()).to.deep.equal([]);
    expect(await readdir(join(dir, "unpaid"))).to.deep.equal([]);
  });

  it("are noted before they are here, once, whoever fails to bring them too", async () => {
    const piece = await fresh();
    let noted = "";
    const slow = unpaid.during(piece.cid, "first", async () => {
      noted = await readFile(join(dir, "unpaid", piece.cid), "utf8");
      await new Promise((go) => setTimeout(go, 50));
      await bring(piece);
    });
    await unpaid.during(piece.cid, "second", () => Promise.reject(new Error("no"))).catch(() => undefined);
    await slow;
    expect(noted).to.equal("first");
    expect(unpaid.list().map(({ owner }) => owner)).to.deep.equal(["first"]);
  });

  it("get no signature while they are being deleted, and are not deleted once they have one", async () => {
    const piece = await fresh();
    await leave(piece);
    const parts = { promised, store };
    const time = await chainTime();
    await run();
    // The deletion stands still half-way.
    const { remove } = store;
    let go: () => void = () => undefined;
    store.remove = async (cid) => {
      await new Promise<void>((resume) => {
        go = resume;
      });
      await remove.call(store, cid);
    };
    now += HOUR_MS;
    let begun = false;
    const { condemn } = promised;
    promised.condemn = (one, at) => {
      begun = condemn.call(promised, one, at);
      return begun;
    };
    await net.mine();
    await until(() => begun);
    await expectError("DEAL_REFUSED", () => promise(parts, piece.commitment, BigInt(time + 100)));
    go();
    await until(() => deleted.length === 1);
    const late = await expectError("DEAL_REFUSED", () => promise(parts, piece.commitment, BigInt(time + 100)));
    expect(late.message).to.match(/not here any more/);
    await leave(piece);
    await promise(parts, piece.commitment, BigInt(time + 10_000_000));
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
    store.remove = async (cid) => {
      await remove.call(store, cid);
      again = leave(piece);
    };
    now += HOUR_MS;
    await net.mine();
    await until(() => deleted.length === 1);
    await again;
    expect(await store.list()).to.deep.equal([piece.cid]);
    expect(unpaid.list().map(({ pieceCid }) => pieceCid)).to.deep.equal([piece.cid]);
    expect(await readdir(join(dir, "unpaid"))).to.deep.equal([piece.cid]);
    for (let round = 0; round < 20; round++) {
      await Promise.all([unpaid.forget(piece.cid), unpaid.add(piece.cid, "x")]);
      expect(await readFile(join(dir, "unpaid", piece.cid), "utf8")).to.equal("x");
    }
  });

  it("are what strangers leave at a provider that runs", async () => {
    const brief = await net.addProvider({}, 0n, { graceMs: 300 });
    const piece = await fresh();
    await upload(brief.url, piece.cid, new Blob([piece.payload]));
    expect(await readdir(join(brief.dataDir, "unpaid"))).to.deep.equal([piece.cid]);
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
    await until(async () => (await readdir(join(node.dataDir, "unpaid"))).length === 0);
  });
});
