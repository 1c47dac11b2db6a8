import { expect } from "chai";
import { hexlify } from "ethers";
import { devTiers } from "../../../src/chain/deploy.js";
import { encodePieceCid } from "../../../src/piece/index.js";
import { DiskRoom } from "../../../src/provider/disk-room.js";
import { SpeculativeStock, type StockOptions } from "../../../src/provider/filling/stock.js";
import { BlobPieceStore } from "../../../src/store/index.js";
import { expectError } from "../../piece/helpers.js";
import {
  addFiller,
  FETCHING,
  Pace,
  postOnNet,
  type Source,
  servePiece,
  serveSource,
} from "../../support/open-market.js";
import { inChunks, removeFolders, tempFolder, testPiece } from "../../support/pieces.js";
import { type StorageNet, startStorageNet } from "../../support/storage-net.js";

describe("FillingKeeper: what goes wrong around it", () => {
  const stops: (() => Promise<unknown>)[] = [];
  let net: StorageNet;

  const begin = async (options: Parameters<typeof startStorageNet>[0] = {}) => {
    net = await startStorageNet(options);
    stops.push(() => net.stop());
  };
  const open = async (opening: Promise<Source>) => {
    const source = await opening;
    stops.push(() => source.close());
    return source;
  };
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });
  after(removeFolders);

  it("fills again what a reorganisation undid, from the bytes that it has", async () => {
    await begin();
    const piece = await testPiece(70_000, 80);
    const source = await open(servePiece(piece));
    const one = await addFiller(net);
    const { id } = await postOnNet(net, await net.rich(), piece, { dataUri: source.url });
    const pace = new Pace(net, one.filler);
    await pace.until(() => one.heard("filled").length === 1);
    const block = one.heard("filled")[0]?.block as number;
    const head = await net.mine(2);
    await net.provider.send("anvil_reorg", [head - block + 1, []]);
    const dealId = () => net.contracts.requests.dealOf(id, one.wallet.address);
    // By the same transaction, sent again, or by another one where the filler was faster.
    await pace.until(async () => (await dealId()) !== 0n, 100, 1);
    await pace.pass(3);
    expect(one.heard("filled").map((filled) => filled.dealId)).to.include(await dealId());
    expect(source.asked).to.equal(1);
    expect(one.heard("dropped")).to.deep.equal([]);
  });

  it("checkpoints the seed of its proof on a chain whose randomness needs that", async () => {
    await begin({ randomnessKind: "randao", tiers: devTiers(), anvilArgs: ["--hardfork", "cancun"] });
    const piece = await testPiece(70_000, 81);
    const { url } = await open(servePiece(piece));
    const one = await addFiller(net);
    const { id } = await postOnNet(net, await net.rich(), piece, { dataUri: url });
    const pace = new Pace(net, one.filler);
    await pace.until(() => one.heard("filled").length === 1);
    expect(await net.contracts.requests.dealOf(id, one.wallet.address)).to.equal(one.heard("filled")[0]?.dealId);
    expect(one.heard("trouble")).to.deep.equal([]);
  });

  it("fetches past a provider whose registered URL is no UTF-8", async () => {
    await begin();
    const piece = await testPiece(70_000, 82);
    const source = await open(servePiece(piece));
    const [first, second] = [await addFiller(net), await addFiller(net)];
    const client = await net.rich();
    const { id } = await postOnNet(net, client, piece, { dataUri: source.url, replicas: 3 });
    const pace = new Pace(net, first.filler, second.filler);
    await pace.until(() => [first, second].every((one) => one.heard("filled").length === 1));
    await source.close();
    const { registry } = net.contracts;
    const profile = {
      name: "",
      url: "BADBADBA",
      peerId: "",
      region: hexlify(new Uint8Array(6)),
      tiers: 3,
      offerUri: "",
    };
    const call = registry.interface.encodeFunctionData("updateProfile", [profile]);
    const data = call.replace(Buffer.from(profile.url).toString("hex"), "ff".repeat(8));
    await (await first.wallet.connect(net.provider).sendTransaction({ to: net.deployment.registry, data })).wait();
    const third = await addFiller(net);
    pace.add(third.filler);
    await pace.until(() => third.heard("filled").length === 1);
    expect((third.heard("fetched")[0] as { source: string }).source).to.match(new RegExp(`^${second.url}/`));
    expect((await net.contracts.requests.stateOf(id)).unfilled).to.equal(0n);
  });
});

describe("SpeculativeStock", () => {
  let store: BlobPieceStore;
  const sources: Source[] = [];
  const signal = new AbortController().signal;

  const stockOf = (changes: Partial<StockOptions> = {}) => {
    const limits = { minFreeBytes: 0, maxSpeculativeBytes: 1 << 20, maxFetches: 2 };
    return new SpeculativeStock({ store, freeBytes: async () => 1 << 30, ...limits, fetching: FETCHING, ...changes });
  };
  const open = async (opening: Promise<Source>) => {
    const source = await opening;
    sources.push(source);
    return source.url;
  };
  const never = () => open(serveSource(() => undefined));

  beforeEach(async () => {
    store = await BlobPieceStore.open(await tempFolder());
  });
  afterEach(async () => {
    await Promise.all(sources.splice(0).map((source) => source.close()));
  });
  after(removeFolders);

  it("fetches so many pieces at once, each of them once", async () => {
    const stock = stockOf({ fetching: { ...FETCHING, stallMs: 200 } });
    const [a, b, c] = [await testPiece(1_000, 1), await testPiece(1_000, 2), await testPiece(1_000, 3)];
    const url = await never();
    const failing = [a, b].map(({ commitment }) =>
      expectError("PIECE_UNAVAILABLE", () => stock.fetch(commitment, [url], signal)),
    );
    expect(await stock.fetch(a.commitment, [url], signal)).to.equal(undefined);
    expect(await stock.fetch(c.commitment, [url], signal)).to.equal(undefined);
    expect(stock.bytes).to.be.within(2_000, 2_064);
    await Promise.all(failing);
    expect(stock.bytes).to.equal(0);
    expect(sources[0]?.asked).to.equal(2);
  });

  it("deletes only what it has fetched, and only what nobody needs", async () => {
    const stock = stockOf();
    const [own, uploaded] = [await testPiece(1_000, 4), await testPiece(1_000, 5)];
    const id = await store.beginUpload();
    await store.writeUpload(id, inChunks(uploaded.payload), 1_000);
    await store.finishUpload(id, uploaded.cid);
    for (const piece of [own, uploaded]) {
      const fetched = await stock.fetch(piece.commitment, [await open(servePiece(piece))], signal);
      expect(fetched?.pieceCid).to.equal(encodePieceCid(piece.commitment).toString());
    }
    const no = async () => false;
    const yes = async () => true;
    expect(await stock.drop(() => true, no, 10_000)).to.deep.equal([]);
    expect(await stock.drop(() => false, yes, 10_000)).to.deep.equal([]);
    expect(stock.bytes).to.be.within(1_000, 1_032);
    await store.promise(own.commitment.root, own.commitment.leafCount, 9_500n);
    expect(await stock.drop(() => false, no, 10_000), "a reorganisation can take the time back").to.deep.equal([]);
    expect(await stock.drop(() => false, no, 10_401)).to.deep.equal([own.cid]);
    expect(await store.list()).to.deep.equal([uploaded.cid]);
    expect(stock.bytes).to.equal(0);
  });

  it("leaves a piece alone for which a deal was won", async () => {
    const stock = stockOf();
    const piece = await testPiece(1_000, 6);
    await stock.fetch(piece.commitment, [await open(servePiece(piece))], signal);
    stock.keep(piece.commitment);
    expect(stock.bytes).to.equal(0);
    expect(
      await stock.drop(
        () => false,
        async () => false,
        0,
      ),
    ).to.deep.equal([]);
    expect(await stock.has(piece.commitment)).to.equal(true);
  });

  it("stops fetching what nobody wants any more", async () => {
    const stock = stockOf({ fetching: { ...FETCHING, stallMs: 60_000 } });
    const piece = await testPiece(1_000, 7);
    const url = await never();
    const stopped = expectError("NOT_WANTED", () => stock.fetch(piece.commitment, [url], signal));
    await new Promise((go) => setTimeout(go, 50));
    expect(
      await stock.drop(
        () => false,
        async () => true,
        0,
      ),
    ).to.deep.equal([]);
    await stopped;
    expect(stock.bytes).to.equal(0);
  });

  it("keeps to its limits of bytes and of disk", async () => {
    const piece = await testPiece(1_000, 8);
    const url = await open(servePiece(piece));
    await expectError("TOO_MANY_BYTES", () =>
      stockOf({ maxSpeculativeBytes: 999 }).fetch(piece.commitment, [url], signal),
    );
    const full = stockOf({ minFreeBytes: 1 << 30 });
    await expectError("DISK_FULL", () => full.fetch(piece.commitment, [url], signal));
    expect(full.bytes).to.equal(0);
    expect(sources[0]?.asked).to.equal(0);
  });

  it("fetches no two pieces at once that the disk has room for one of, nor one beside what others announced", async () => {
    const [a, b] = [await testPiece(1_000, 9), await testPiece(1_000, 10)];
    const disk = { freeBytes: async () => 1_900, minFreeBytes: 0 };
    const url = await open(servePiece(a));
    const stock = stockOf(disk);
    const fetching = stock.fetch(a.commitment, [url], signal);
    await expectError("DISK_FULL", () => stock.fetch(b.commitment, [url], signal));
    expect((await fetching)?.pieceCid).to.equal(a.cid);
    const room = new DiskRoom({ ...disk, minFreeBytes: 1_000 });
    const beside = stockOf({ ...disk, fetching: { ...FETCHING, room } });
    await room.during(900, async () => {
      await expectError("DISK_FULL", () => beside.fetch(b.commitment, [url], signal));
    });
  });
});
