import { join } from "node:path";
import { expect } from "chai";
import { BaseWallet, type Wallet } from "ethers";
import type { PostedRequest } from "../../../src/keeper/requests.js";
import { firstFillBlock, priceAt } from "../../../src/protocol/index.js";
import { type FetchOptions, payloadBounds } from "../../../src/provider/fetching/index.js";
import {
  addFiller,
  deposit,
  FETCHING,
  type Filling,
  Pace,
  pay,
  postOnNet,
  provision,
  type Source,
  servePiece,
  serveSource,
} from "../../support/open-market.js";
import { filesIn, removeFolders, type TestPiece, testPiece } from "../../support/pieces.js";
import { STAKE, type StorageNet, startStorageNet } from "../../support/storage-net.js";

type FillerArguments = Parameters<typeof addFiller> extends [StorageNet, ...infer Rest] ? Rest : never;

describe("FillingKeeper", () => {
  let net: StorageNet;
  let client: Wallet;
  let piece: TestPiece;
  let seed = 1;
  let snapshot: string;
  const sources: Source[] = [];
  const fillers: Filling[] = [];

  const addOne = async (...options: FillerArguments) => {
    const one = await addFiller(net, ...options);
    fillers.push(one);
    return one;
  };
  const open = async (opening: Promise<Source>) => {
    const source = await opening;
    sources.push(source);
    return source;
  };
  const post = (changes: Partial<PostedRequest> = {}) => postOnNet(net, client, piece, changes);
  /** Files that a provider has, of pieces and of what is on its way. */
  const files = async ({ dataDir }: Filling) =>
    (await Promise.all(["pieces", "uploads"].map((folder) => filesIn(join(dataDir, folder))))).flat();
  const stakeOf = async ({ wallet }: Filling, where = net.deployment.market) => {
    const { free, locked } = await net.contracts.registry.provisionOf(wallet.address, where, net.token);
    return [free, locked];
  };

  before(async () => {
    net = await startStorageNet();
    client = await net.rich();
  });
  beforeEach(async () => {
    // Requests of one test are none of the next one's.
    snapshot = await net.provider.send("evm_snapshot", []);
    piece = await testPiece(70_000, seed++);
  });
  afterEach(async () => {
    await Promise.all([...fillers.splice(0).map((one) => one.close()), ...sources.splice(0).map((one) => one.close())]);
    await net.provider.send("evm_revert", [snapshot]);
  });
  after(async () => {
    await net.stop();
    await removeFolders();
  });

  it("fetches, fills at the price of the block, and proves the deal", async () => {
    const { url } = await open(servePiece(piece));
    const one = await addOne();
    const { id, request, block } = await post({ dataUri: url });
    const pace = new Pace(net, one.filler, one.keeper!);
    await pace.until(() => one.heard("filled").length > 0);
    const [filled] = one.heard("filled");
    const dealId = await net.contracts.requests.dealOf(id, one.wallet.address);
    expect(filled).to.include({ id, slot: 0n, dealId, price: request.maxPrice });
    expect(filled?.block).to.be.at.least(firstFillBlock(block, net.deployment.challengeFinality));
    expect(one.heard("fetched")).to.have.length(1);
    expect(one.filler.speculativeBytes).to.equal(0);
    expect(await net.contracts.market.ownerOf(dealId)).to.equal(client.address);
    const proven: unknown[] = [];
    one.keeper!.on("proven", (event) => void proven.push(event));
    await pace.until(() => proven.length > 0);
    expect(proven[0]).to.include({ id: dealId, window: 1, own: true });
    expect(one.heard("trouble")).to.deep.equal([]);
  });

  it("waits for the price to rise to its floor, with the bytes in hand before", async () => {
    const source = await open(servePiece(piece));
    const one = await addOne({ prefetchBlocks: 10 });
    // One base unit a byte, of the largest payload with this leafCount.
    const asks = payloadBounds(piece.commitment.leafCount).most;
    const ramp = { startPrice: 0n, maxPrice: 100_000n, rampEpochs: 300 };
    const { request, block } = await post({ ...ramp, dataUri: source.url });
    const due = block + Math.ceil((Number(asks) * ramp.rampEpochs) / 100_000);
    const pace = new Pace(net, one.filler);
    const fetchedAt = await pace.until(() => one.heard("fetched").length > 0, 400, 1);
    expect(fetchedAt).to.be.within(due - 10, due);
    const [wanted] = one.heard("wanted");
    expect(wanted).to.include({ floor: asks });
    await pace.until(() => one.heard("filled").length > 0, 100, 1);
    const [filled] = one.heard("filled") as { block: number; price: bigint }[];
    // A block of leeway for where the grid of seeds turns over.
    expect(filled!.block).to.be.within(due + 1, due + 5);
    expect(filled!.price).to.be.at.least(asks);
    expect(filled!.price).to.be.at.most(priceAt(request, block, filled!.block));
  });

  it("leaves alone what does not pay, and does not even fetch it", async () => {
    const source = await open(servePiece(piece));
    const one = await addOne();
    const nonce = await one.wallet.getNonce();
    const { id } = await post({ startPrice: 1n, maxPrice: 69_000n, dataUri: source.url });
    const pace = new Pace(net, one.filler);
    await pace.pass(80);
    expect(one.told).to.have.length(1);
    expect(one.told[0]).to.include({ event: "declined", id, slot: 0n, code: "UNPROFITABLE" });
    expect(source.asked).to.equal(0);
    expect(await one.wallet.getNonce()).to.equal(nonce);
  });

  it("counts its own gas at the rate that the operator set", async () => {
    const { url } = await open(servePiece(piece));
    // A coin worth so much that a fill costs more than the request ever pays.
    const dear = await addOne({ coinPrice: 10n ** 18n });
    const cheap = await addOne({ coinPrice: 1n });
    await post({ dataUri: url });
    const pace = new Pace(net, dear.filler, cheap.filler);
    await pace.until(() => cheap.heard("filled").length > 0);
    expect(dear.heard("declined")[0]).to.include({ code: "UNPROFITABLE" });
  });

  /** Two providers that fetch, send at the same head, and are put into one block. Gives the loser's transaction, too. */
  const race = async () => {
    const { url } = await open(servePiece(piece));
    const both = [await addOne(), await addOne()];
    const { id, block } = await post({ dataUri: url });
    const first = firstFillBlock(block, net.deployment.challengeFinality);
    const pace = new Pace(net, ...both.map(({ filler }) => filler));
    const fetchedAt = await pace.until(
      () => both.every((one) => one.heard("fetched").length > 0),
      first - block - 2,
      1,
    );
    await net.mine(first - 1 - fetchedAt);
    await net.automine(false);
    const apart = signTogether(both.map(({ wallet }) => wallet.address));
    try {
      await net.mine();
      const sent = (one: Filling) => net.provider.getTransactionCount(one.wallet.address, "pending");
      const before = await Promise.all(both.map(({ wallet }) => net.provider.getTransactionCount(wallet.address)));
      await expectSoon(async () => (await Promise.all(both.map(sent))).every((count, i) => count > before[i]!), 60_000);
      await net.mine();
    } finally {
      apart();
      await net.automine(true);
    }
    await pace.until(() => both.every((one) => one.heard("filled").length + one.heard("lost").length === 1));
    const winner = both.find((one) => one.heard("filled").length === 1)!;
    const loser = both.find((one) => one.heard("lost").length === 1)!;
    const mined = await net.provider.getBlock(Number(winner.heard("filled")[0]?.block), true);
    const data = mined?.prefetchedTransactions.find(({ from }) => from === loser.wallet.address)?.data ?? "";
    return { id, pace, winner, loser, data };
  };

  it("races another provider for the last replica: one wins, the other loses gas at most", async () => {
    const { id, pace, winner, loser } = await race();
    expect(loser.heard("lost")[0]).to.include({ id, slot: 0n, reason: "NothingToFill" });
    expect(await net.contracts.requests.dealOf(id, winner.wallet.address)).to.not.equal(0n);
    expect(await net.contracts.requests.dealOf(id, loser.wallet.address)).to.equal(0n);
    expect(await stakeOf(loser)).to.deep.equal([STAKE, 0n]);
    // Whoever saw the loser's transaction could open a deal by its signature, for ten minutes; on another branch, even later.
    await pace.pass(3);
    expect(await files(loser)).to.have.length(1);
    await net.provider.send("evm_increaseTime", [1_700]);
    await pace.until(() => loser.heard("dropped").length > 0, 20);
    expect(loser.heard("dropped")[0]).to.include({ pieceCid: piece.cid });
    expect(await files(loser)).to.deep.equal([]);
    expect(loser.filler.speculativeBytes).to.equal(0);
    expect(await files(winner)).to.have.length(1);
  });

  it("keeps the bytes of a lost race where somebody opens the deal by its signature", async () => {
    const { pace, loser, data } = await race();
    const [request, , terms, signature] = net.contracts.requests.interface.decodeFunctionData("fill", data);
    const cost = BigInt(request.maxPrice) * BigInt(request.periods);
    await deposit(net, client, cost, net.deployment.market);
    await (await net.contracts.market.connect(client).open([...terms] as never, "0x", signature)).wait();
    await net.provider.send("evm_increaseTime", [1_700]);
    await pace.pass(10);
    expect(loser.heard("dropped")).to.deep.equal([]);
    expect(await files(loser)).to.have.length(1);
    expect((await stakeOf(loser))[1]).to.equal(60_000n);
  });

  it("keeps what it fetched where its deal desk has signed for it", async () => {
    const { url } = await open(servePiece(piece));
    const one = await addOne({ prefetchBlocks: 1_000 });
    const { request } = await post({ startPrice: 0n, maxPrice: 140_000n, rampEpochs: 1_000, dataUri: url });
    const pace = new Pace(net, one.filler);
    await pace.until(() => one.heard("fetched").length > 0);
    const wishes = { tier: 0, periods: 6, token: net.token, maxPricePerPeriod: 300_000n, urls: [one.url] };
    await net.clientOf(client).store(new Blob([piece.payload]), wishes);
    await (await net.contracts.requests.connect(client).cancel(request)).wait();
    await pace.pass(10);
    expect(one.heard("dropped")).to.deep.equal([]);
    expect(await files(one)).to.have.length(1);
  });

  it("drops what it has fetched, or is fetching, when the client cancels", async () => {
    const served = await open(servePiece(piece));
    const stalling = await open(serveSource((_, response) => void response.write("x")));
    const one = await addOne({ prefetchBlocks: 1_000 }, {}, STAKE, { fetching: { ...FETCHING, stallMs: 60_000 } });
    const ramp = { startPrice: 0n, maxPrice: 140_000n, rampEpochs: 1_000 };
    const first = await post({ ...ramp, dataUri: served.url });
    const other = await testPiece(50_000, seed++);
    const second = await postOnNet(net, client, other, { ...ramp, dataUri: stalling.url });
    await expectSoon(() => one.heard("fetched").length === 1 && stalling.asked === 1);
    expect(one.filler.speculativeBytes).to.be.greaterThan(100_000);
    for (const { request } of [first, second]) {
      await (await net.contracts.requests.connect(client).cancel(request)).wait();
    }
    await net.mine(4);
    await expectSoon(async () => (await files(one)).length === 0);
    await net.mine();
    await expectSoon(() => one.filler.speculativeBytes === 0);
    expect(one.heard("dropped")).to.have.length(1);
    expect(one.heard("trouble")).to.deep.equal([]);
  });

  it("fetches no more for deals to come than it may", async () => {
    const { url } = await open(servePiece(piece));
    const other = await testPiece(60_000, seed++);
    const second = await open(servePiece(other));
    const one = await addOne({ maxSpeculativeBytes: 100_000, prefetchBlocks: 10_000 });
    const ramp = { startPrice: 0n, maxPrice: 140_000n, rampEpochs: 10_000 };
    const pace = new Pace(net, one.filler);
    await post({ ...ramp, dataUri: url });
    await pace.until(() => one.heard("fetched").length === 1);
    const { id } = await postOnNet(net, client, other, { ...ramp, dataUri: second.url });
    await pace.until(() => one.heard("trouble").length > 0);
    expect(one.heard("trouble")[0]).to.include({ id, code: "TOO_MANY_BYTES" });
    expect(second.asked).to.equal(0);
  });

  it("leaves the operator's disk as much as it wants for itself", async () => {
    const source = await open(servePiece(piece));
    const one = await addOne({ minFreeBytes: Number.MAX_SAFE_INTEGER });
    await post({ dataUri: source.url });
    await new Pace(net, one.filler).until(() => one.heard("trouble").length > 0);
    expect(one.heard("trouble")[0]).to.include({ code: "DISK_FULL" });
    expect(source.asked).to.equal(0);
  });

  it("does not fetch without the stake, and fills once it is there", async () => {
    const source = await open(servePiece(piece));
    const one = await addOne({}, {}, 60_000n);
    const { request } = await post({ dataUri: source.url, minStake: 5_000n });
    const pace = new Pace(net, one.filler);
    await pace.until(() => one.heard("trouble").length > 0);
    expect(one.heard("trouble")[0]).to.include({ code: "NO_STAKE" });
    expect(source.asked).to.equal(0);
    await provision(net, one.wallet, net.deployment.requests, 5_000n);
    await pace.until(() => one.heard("filled").length > 0);
    expect(await stakeOf(one)).to.deep.equal([0n, request.collateral]);
    expect(await stakeOf(one, net.deployment.requests)).to.deep.equal([0n, 5_000n]);
  });

  it("has one replica of a request, and goes on after a restart", async () => {
    const source = await open(servePiece(piece));
    const one = await addOne();
    const { id } = await post({ dataUri: source.url, replicas: 2 });
    const pace = new Pace(net, one.filler);
    await pace.until(() => one.heard("filled").length > 0);
    await pace.pass(70);
    expect(
      one.told.filter(({ event }) => event !== "filled" && event !== "fetched" && event !== "wanted"),
    ).to.deep.equal([]);
    expect(one.heard("filled")).to.have.length(1);
    const two = await addOne();
    pace.add(two.filler);
    await pace.until(() => two.heard("filled").length > 0);
    expect((await net.contracts.requests.stateOf(id)).unfilled).to.equal(0n);
    expect(source.asked).to.equal(2);
  });

  describe("a dataUri that is no good costs nothing on chain", () => {
    /** 127.0.0.2 stands for the internet. */
    const internet: FetchOptions = { ...FETCHING, allowAddress: (address) => address === "127.0.0.2" };
    const kinds: Record<string, { uri: () => Promise<string>; reason: RegExp; fetching?: FetchOptions }> = {
      "serves other bytes": {
        uri: async () => (await open(serveSource((_, response) => response.end(piece.payload.toReversed())))).url,
        reason: /serves another piece/,
      },
      "serves forever": {
        uri: async () =>
          (
            await open(
              serveSource((_, response) => {
                const more = () => {
                  while (!response.destroyed && response.write(new Uint8Array(65_536)));
                  response.once("drain", more);
                };
                more();
              }),
            )
          ).url,
        reason: /sends more bytes/,
      },
      "is too slow": {
        uri: async () => (await open(serveSource((_, response) => void response.write("x")))).url,
        reason: /takes too long/,
      },
      "dies half-way": {
        uri: async () =>
          (
            await open(
              serveSource((_, response) => response.write(piece.payload.subarray(9), () => response.socket?.end())),
            )
          ).url,
        reason: /can't go on after \d+ bytes|broke before the last byte/,
      },
      "is at a private address": {
        uri: async () => (await open(servePiece(piece))).url,
        reason: /no address of the public internet/,
        fetching: {},
      },
      "redirects to a private address": {
        uri: async () => {
          const { url } = await open(servePiece(piece));
          return (
            await open(serveSource((_, response) => response.writeHead(302, { location: url }).end(), "127.0.0.2"))
          ).url;
        },
        reason: /127\.0\.0\.1, which is no address of the public internet/,
        fetching: internet,
      },
      "is no URL": { uri: async () => "ipfs://bafy", reason: /no http: or https: URL/ },
      "is empty": { uri: async () => "", reason: /none is named/ },
    };
    for (const [kind, { uri, reason, fetching = FETCHING }] of Object.entries(kinds)) {
      it(kind, async () => {
        const dataUri = await uri();
        const one = await addOne({ fetchTries: 2 }, {}, STAKE, { fetching });
        const standing = async () => [
          await one.wallet.getNonce(),
          await net.provider.getBalance(one.wallet),
          await stakeOf(one),
        ];
        const untouched = await standing();
        const { id } = await post({ dataUri });
        const pace = new Pace(net, one.filler);
        await pace.until(() => one.heard("trouble").length === 2);
        for (const trouble of one.heard("trouble")) {
          expect(trouble).to.include({ id, code: "PIECE_UNAVAILABLE" });
          expect(trouble.message).to.match(reason);
        }
        expect(one.heard("trouble")[1]).to.include({ retryAt: Infinity });
        const asked = sources.at(-1)?.asked;
        await pace.pass(70);
        expect(sources.at(-1)?.asked).to.equal(asked);
        expect(await files(one)).to.deep.equal([]);
        expect(one.filler.speculativeBytes).to.equal(0);
        expect(await standing()).to.deep.equal(untouched);
      });
    }
  });

  it("is not thrown off by a request whose dataUri is no UTF-8", async () => {
    const { url } = await open(servePiece(piece));
    const one = await addOne();
    const { requests } = net.contracts;
    const marker = "SAY WHAT";
    const { request } = await post({ dataUri: url });
    const call = requests.interface.encodeFunctionData("post", [{ ...request, dataUri: marker }]);
    const hex = (text: string) => Buffer.from(text).toString("hex");
    const data = call.replace(hex(marker), "ff".repeat(marker.length));
    await pay(net, client, request);
    await (await client.sendTransaction({ to: net.deployment.requests, data })).wait();
    const pace = new Pace(net, one.filler);
    await pace.until(() => one.heard("filled").length > 0);
    expect(one.heard("wanted")).to.have.length(1);
  });
});

/**
 * Lets none of these accounts sign a transaction before all of them are about to. They simulate theirs before, and anvil
 * simulates on top of what waits for a block: whoever came second would see that it has lost, and send nothing. Gives
 * what ends it.
 */
function signTogether(accounts: readonly string[]): () => void {
  const { signTransaction } = BaseWallet.prototype;
  const waiting = new Set(accounts);
  let meet = () => {};
  const all = new Promise<void>((go) => {
    meet = go;
  });
  BaseWallet.prototype.signTransaction = async function (this: BaseWallet, transaction) {
    waiting.delete(this.address);
    if (waiting.size === 0) meet();
    if (accounts.includes(this.address)) await all;
    return signTransaction.call(this, transaction);
  };
  return () => {
    BaseWallet.prototype.signTransaction = signTransaction;
    meet();
  };
}

async function expectSoon(isSo: () => boolean | Promise<boolean>, milliseconds = 20_000): Promise<void> {
  const deadline = Date.now() + milliseconds;
  while (!(await isSo())) {
    if (Date.now() > deadline) expect.fail(`not so within ${milliseconds} ms`);
    await new Promise((go) => setTimeout(go, 10));
  }
}
