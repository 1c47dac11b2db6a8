import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import type { Wallet } from "ethers";
import { DiskRoom } from "../../src/provider/disk-room.js";
import { PullDesk, type PullDeskOptions } from "../../src/provider/index.js";
import { BlobPieceStore } from "../../src/store/index.js";
import { expectError } from "../piece/helpers.js";
import { testLogger } from "../support/dev-chain.js";
import { removeFolders, type TestPiece, tempFolder, testPiece } from "../support/pieces.js";
import { besideNode, type StorageNet, startStorageNet, type TestProvider } from "../support/storage-net.js";

const SIZE = 3_000;

describe("provider: pulling pieces", () => {
  let net: StorageNet;
  let from: TestProvider;
  let owner: Wallet;
  let source: Server;
  let waiting: ServerResponse[];
  let pieces: TestPiece[];
  let ids: bigint[];

  const deskOf = async (changes: Partial<PullDeskOptions> = {}) =>
    new PullDesk({
      provider: owner.address,
      contracts: net.contracts,
      store: await BlobPieceStore.open(await tempFolder()),
      maxPieceBytes: SIZE,
      fetching: { allowAddress: () => true, connections: 1 },
      logger: testLogger(),
      ...changes,
    });
  const asked = async (count: number) => {
    const until = Date.now() + 5_000;
    while (waiting.length < count && Date.now() < until) await sleep(5);
    expect(waiting).to.have.length(count);
  };

  before(async () => {
    net = await startStorageNet();
    from = await net.addProvider();
    owner = await net.rich();
    pieces = [await testPiece(SIZE, 1), await testPiece(SIZE, 2)];
    const wishes = { tier: 0, periods: 6, token: net.token, maxPricePerPeriod: BigInt(SIZE), urls: [from.url] };
    ids = [];
    for (const { payload } of pieces) {
      const { deals } = await net.clientOf(owner).store(new Blob([payload]), wishes);
      ids.push(deals[0]?.id as bigint);
    }
    source = createServer((_, response) => void waiting.push(response)).listen(0, "127.0.0.1");
    await once(source, "listening");
    const url = `http://127.0.0.1:${(source.address() as AddressInfo).port}`;
    const profile = { name: "", url, peerId: "", region: "0x000000000000", tiers: 3, offerUri: "" };
    await besideNode(() => net.contracts.registry.connect(from.wallet).updateProfile(profile));
  });
  beforeEach(() => {
    waiting = [];
  });
  after(async () => {
    source.closeAllConnections();
    source.close();
    await net.stop();
    await removeFolders();
  });

  it("fetches a piece once, however many ask, and no more pieces at a time than it may", async () => {
    const desk = await deskOf({ maxPulls: 1 });
    for (let i = 0; i < 3; i++) expect(await desk.pull(ids[0]!)).to.deep.equal({});
    await asked(1);
    expect([desk.isComing(ids[0]!), desk.isComing(ids[1]!)]).to.deep.equal([true, false]);
    await expectError("TOO_MANY_UPLOADS", () => desk.pull(ids[1]!));
    waiting[0]!.end(pieces[0]!.payload);
    let answer = await desk.pull(ids[0]!);
    while (answer.pieceCid === undefined) {
      await sleep(5);
      answer = await desk.pull(ids[0]!);
    }
    expect(answer.pieceCid).to.equal(pieces[0]!.cid);
    expect(await desk.pull(ids[1]!)).to.deep.equal({});
    await desk.close();
    expect(waiting.length).to.be.within(1, 2);
  });

  it("tells a failure for a while, then tries again", async () => {
    const desk = await deskOf({ retryMs: 300 });
    await desk.pull(ids[0]!);
    await asked(1);
    waiting[0]!.end("something else");
    let failed: Error | undefined;
    while (failed === undefined) {
      await sleep(5);
      failed = await desk.pull(ids[0]!).then(
        () => undefined,
        (error: Error) => error,
      );
    }
    expect(failed.message).to.match(/could not be fetched: no source served the piece/);
    expect(waiting).to.have.length(1);
    await sleep(350);
    expect(await desk.pull(ids[0]!)).to.deep.equal({});
    await asked(2);
    await desk.close();
  });

  it("breaks off when the provider stops", async () => {
    const desk = await deskOf();
    await desk.pull(ids[1]!);
    await asked(1);
    const cut = once(waiting[0]!, "close");
    await desk.close();
    await cut;
  });

  it("fetches nothing that the disk has no room for", async () => {
    const room = new DiskRoom({ freeBytes: async () => 2 * SIZE, minFreeBytes: SIZE / 2 });
    const desk = await deskOf({ fetching: { allowAddress: () => true, connections: 1, room } });
    expect(await desk.pull(ids[0]!)).to.deep.equal({});
    await asked(1);
    await expectError("DISK_FULL", () => desk.pull(ids[1]!));
    await desk.close();
    expect(waiting).to.have.length(1);
  });
});
