import { rm } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { hexlify, type Wallet, ZeroAddress } from "ethers";
import { devTiers } from "../../src/chain/deploy.js";
import type { Deployment } from "../../src/chain/deployment.js";
import { carriedSalt } from "../../src/client/carried.js";
import {
  type CarriedDeal,
  type CarryOptions,
  type CarryStep,
  type ChainAccess,
  type ChainSender,
  carryDeal,
  findDeals,
  type HoldfastClient,
  readDeal,
} from "../../src/client/index.js";
import { HoldfastError } from "../../src/errors.js";
import type { ProvingKeeper } from "../../src/keeper/index.js";
import { blobSpool, type CarSpool } from "../../src/piece/car/index.js";
import { Status, windowOf } from "../../src/protocol/index.js";
import { expectError } from "../piece/helpers.js";
import { stepTo } from "../support/keeping.js";
import { removeFolders, type TestPiece, testPiece } from "../support/pieces.js";
import {
  priced,
  type StorageNet,
  startMarketBeside,
  startStorageNet,
  type TestProvider,
} from "../support/storage-net.js";

const SIZE = 6_000;
type Tiers = [Deployment["tiers"][number], Deployment["tiers"][number]];
const [HOT, WARM] = devTiers() as unknown as Tiers;
/** Nothing like {@link HOT}: half as often. */
const SLOW = { ...HOT, period: 2 * HOT.period, maxMisses: 3 };

describe("client: a deal goes to another market", () => {
  let net: StorageNet;
  let from: TestProvider;
  /** On the same vault and registry. */
  let shared: StorageNet;
  let to: TestProvider;
  /** With everything of its own, and other tiers. */
  let apart: StorageNet;
  let distant: TestProvider;
  let owner: Wallet;
  let client: HoldfastClient;
  let piece: TestPiece;
  let seed = 100;

  const store = async (tier = 0, node = from) => {
    piece = await testPiece(SIZE, seed++);
    return storeAgain(tier, node);
  };
  const storeAgain = async (tier = 0, node = from) => {
    const wishes = { tier, periods: 9, token: net.token, maxPricePerPeriod: BigInt(SIZE), urls: [node.url] };
    const { deals } = await client.store(new Blob([piece.payload]), wishes);
    return deals[0]?.id as bigint;
  };
  const access = (wallet = owner, sender: ChainSender = net.senderOf(wallet)): ChainAccess => {
    const { deployment, contracts } = net;
    return { address: wallet.address, sender, deployment, contracts };
  };
  const carry = (id: bigint, options: CarryOptions = {}, market = shared): Promise<CarriedDeal> =>
    carryDeal(access(), market, id, options);
  const dealsThere = (market = shared) => findDeals(market, { owner: owner.address });
  /** A sender that fails at what a test names. */
  const failingAt = (doing: string): ChainSender => {
    const sender = net.senderOf(owner);
    return {
      address: () => sender.address(),
      send: async (...args) => {
        if (args[1] === doing) throw new HoldfastError("CUT_OFF", "the connection is gone", "connect again");
        return sender.send(...args);
      },
    };
  };

  before(async () => {
    net = await startStorageNet();
    from = await net.addProvider();
    const { vault, registry } = net.deployment;
    shared = await startMarketBeside(net, { shared: { vault, registry } });
    apart = await startMarketBeside(net, { tiers: [WARM, SLOW] });
    [to, distant] = [await shared.addProvider(), await apart.addProvider(priced(net.token, 2n))];
  });
  beforeEach(async () => {
    owner = await net.rich();
    client = net.clientOf(owner);
  });
  after(async () => {
    for (const market of [apart, shared, net]) await market.stop();
    await removeFolders();
  });

  it("opens it there on the fetched piece, ends it here, and both markets keep their books", async () => {
    const id = await store();
    const before = await readDeal(net, id);
    const wealth = (await net.tokensOf(owner.address)) + (await client.balance(net.token));
    const steps: CarryStep["step"][] = [];
    const spools: CarSpool[] = [];
    let discarded = 0;
    const makeSpool = () => {
      const kept = blobSpool();
      spools.push(kept);
      return { ...kept, discard: async () => void discarded++ };
    };
    const { deal, url, refund, resumed } = await carry(id, { makeSpool, onProgress: ({ step }) => steps.push(step) });
    expect(steps).to.deep.equal(["fetched", "committed", "uploaded", "opened"]);
    expect([spools.length, discarded]).to.deep.equal([1, 1]);
    expect({ url, resumed }).to.deep.equal({ url: to.url, resumed: false });
    expect(deal).to.include({
      ...{ status: Status.Open, owner: owner.address, provider: to.wallet.address, tier: 0, missed: 0 },
      ...{ root: hexlify(piece.commitment.root), leafCount: piece.commitment.leafCount, pricePerPeriod: BigInt(SIZE) },
    });
    const old = await readDeal(net, id);
    expect(old.status).to.equal(Status.Ending);
    // What the old one gives back, or a period more where one began on the way.
    expect(deal.periods - (before.periods - old.periods)).to.be.within(0, 1);
    expect(refund).to.equal(BigInt(before.periods - old.periods) * BigInt(SIZE));
    // One vault: what came back is there, and what the new deal is funded with is gone.
    const left = (await net.tokensOf(owner.address)) + (await client.balance(net.token));
    expect(wealth - left).to.equal(deal.totals.funded - refund);
    // Never without a copy: the new deal was opened in an earlier block than the old one was ended in.
    const opened = await shared.contracts.market.queryFilter(shared.contracts.market.filters.Opened(deal.id));
    const ended = await net.contracts.market.queryFilter(net.contracts.market.filters.Terminated(id));
    expect(opened[0]?.blockNumber).to.be.lessThan(ended[0]?.blockNumber as number);
    const { value } = await client.fetch(piece.cid, [url]);
    expect(value).to.deep.equal(piece.payload);
    const keepers = [from.keeper, to.keeper] as ProvingKeeper[];
    await stepTo(net, windowOf(deal.firstEpoch, HOT, deal.periods).lastBlock + 1, ...keepers);
    expect(await readDeal(shared, deal.id)).to.include({ status: Status.Completed, missed: 0, proven: deal.periods });
    expect(await readDeal(net, id)).to.include({ status: Status.Completed, missed: 0, proven: old.periods });
  });

  it("goes to a market with its own vault: the tier that is alike, the piece handed over where nobody serves it", async () => {
    const lossy = await net.addProvider();
    const id = await store(1, lossy);
    await rm(join(lossy.dataDir, "pieces", `${piece.cid}.piece`));
    const price = { maxPricePerPeriod: BigInt(2 * SIZE) };
    const lost = await expectError("PIECE_UNAVAILABLE", () => carry(id, price, apart));
    expect(lost.hint).to.match(/hand the piece over/);
    const wrong = new Blob([(await testPiece(SIZE, 1)).payload]);
    await expectError("PIECE_MISMATCH", () => carry(id, { ...price, payload: wrong }, apart));
    const payload = new Blob([piece.payload]);
    const dear = await expectError("TOO_FEW_PROVIDERS", () => carry(id, { payload }, apart));
    expect(dear.message).to.contain(`a period costs ${2 * SIZE}, over ${SIZE}`);
    expect(await dealsThere(apart)).to.deep.equal([]);
    expect((await readDeal(net, id)).status).to.equal(Status.Open);
    const { deal, url } = await carry(id, { ...price, payload }, apart);
    expect(url).to.equal(distant.url);
    expect(apart.deployment.tiers[deal.tier]).to.deep.equal(WARM);
    expect(deal.tier).to.equal(0);
    expect((await readDeal(net, id)).status).to.equal(Status.Ending);
    // In the other vault nothing came back.
    expect(await apart.clientOf(owner).balance(net.token)).to.equal(0n);
  });

  it("asks for the tier where none is alike, and keeps time and price for each block in another one", async () => {
    const id = await store();
    const unclear = await expectError("TIER_UNCLEAR", () => carry(id, {}, apart));
    expect(unclear.hint).to.match(
      /--tier.: 0: 5 challenges every 32 blocks, proven within 16; 1: 3 challenges every 32 blocks/,
    );
    const { deal } = await carry(id, { tier: 1 }, apart);
    const { periods } = await readDeal(net, id);
    expect(deal.pricePerPeriod).to.equal(BigInt(2 * SIZE));
    expect(deal.periods - Math.ceil((9 - periods) / 2)).to.be.within(0, 1);
  });

  it("goes on where it was cut off before the old deal was ended, and opens nothing twice", async () => {
    const id = await store();
    const failed = await expectError("OLD_DEAL_OPEN", () =>
      carryDeal(access(owner, failingAt("terminate a deal")), shared, id),
    );
    const [first, ...others] = await dealsThere();
    expect(others).to.deep.equal([]);
    expect(failed.message).to.match(/is open, but 0x.* could not be ended: the connection is gone/);
    expect((await readDeal(net, id)).status).to.equal(Status.Open);
    expect((await readDeal(shared, first as bigint)).status).to.equal(Status.Open);
    const steps: CarryStep[] = [];
    const { deal, resumed, url } = await carry(id, { onProgress: (step) => steps.push(step) });
    expect({ id: deal.id, resumed, url }).to.deep.equal({ id: first, resumed: true, url: to.url });
    expect(steps).to.deep.equal([{ step: "resumed", id: first }]);
    expect(await dealsThere()).to.deep.equal([first]);
    expect((await readDeal(net, id)).status).to.equal(Status.Ending);
  });

  it("leaves the old deal where it was cut off before the new one was open", async () => {
    const id = await store();
    await expectError("TOO_FEW_PROVIDERS", () => carry(id, { maxPricePerPeriod: 1n }));
    await expectError("CUT_OFF", () => carryDeal(access(owner, failingAt("open a deal")), shared, id));
    expect((await readDeal(net, id)).status).to.equal(Status.Open);
    expect(await dealsThere()).to.deep.equal([]);
    const { deal } = await carry(id);
    expect(await dealsThere()).to.deep.equal([deal.id]);
  });

  it("waits for what a run that was cut off has sent, and takes the deal that it opens", async () => {
    const id = await store();
    const own = net.senderOf(owner);
    // It sends what opens the deal, and is gone before that is in a block.
    const cutOff: ChainSender = {
      address: () => own.address(),
      send: async (call, doing, ...rest) => {
        if (doing !== "open a deal") return own.send(call, doing, ...rest);
        await net.provider.send("evm_setAutomine", [false]);
        await owner.connect(net.provider).sendTransaction({ ...call, gasLimit: 2_000_000n });
        throw new HoldfastError("CUT_OFF", "the connection is gone", "connect again");
      },
    };
    try {
      await expectError("CUT_OFF", () => carryDeal(access(owner, cutOff), shared, id));
      await expectError("TRANSACTION_PENDING", () => carry(id, { pendingMs: 600 }));
      expect(await dealsThere()).to.deep.equal([]);
      const carrying = carry(id);
      await net.provider.send("evm_mine", []);
      await net.provider.send("evm_setAutomine", [true]);
      const { deal, resumed } = await carrying;
      expect(resumed).to.equal(true);
      expect(await dealsThere()).to.deep.equal([deal.id]);
    } finally {
      await net.provider.send("evm_setAutomine", [true]);
    }
  });

  it("takes neither the copy of another deal nor a stranger's gift for its own", async () => {
    const id = await store();
    const copy = await storeAgain();
    const giver = await net.rich();
    const { vault, market } = shared.contracts;
    await shared.register(giver, "http://127.0.0.1:9");
    await (await vault.connect(giver).setOperator(shared.deployment.market, true)).wait();
    const { root, leafCount } = await readDeal(net, id);
    const terms = {
      ...{ client: owner.address, provider: giver.address, root, leafCount, tier: 0, periods: 9, maxPeriods: 9 },
      ...{ token: net.token, pricePerPeriod: 0n, collateral: 0n, egressPricePerGiB: 0n },
      ...{ validUntil: BigInt(Math.floor(Date.now() / 1_000)) + 100_000n, salt: carriedSalt(net.deployment, id) },
    };
    await (await market.connect(giver).open(terms, "0x", "0x")).wait();
    const [gift] = await dealsThere();
    const carried = [await carry(id), await carry(copy)];
    expect(carried.map(({ resumed }) => resumed)).to.deep.equal([false, false]);
    expect(new Set([gift, ...carried.map(({ deal }) => deal.id)]).size).to.equal(3);
    expect(await dealsThere()).to.deep.equal([gift, ...carried.map(({ deal }) => deal.id)]);
  });

  it("refuses what can't be moved, and leaves it as it was", async () => {
    const id = await store();
    const { deployment, contracts } = shared;
    const chain = { contracts, deployment: { ...deployment, chainId: 1 } };
    expect((await expectError("OTHER_CHAIN", () => carryDeal(access(), chain, id))).message).to.match(
      /chain 1,.*31337/,
    );
    await expectError("SAME_MARKET", () => carryDeal(access(), net, id));
    await expectError("UNKNOWN_DEAL", () => carry(1n));
    const stranger = await net.rich();
    await expectError("NOT_OWNER", () => carryDeal(access(stranger), shared, id));
    await expectError("MISSING_PRICE", () => carry(id, { token: ZeroAddress }));
    await expectError("UNKNOWN_TIER", () => carry(id, { tier: 9 }));
    await expectError("INVALID_PERIODS", () => carry(id, { periods: 1 }));
    // What a client stored for somebody else is no reason to end anything.
    const foreign = shared.clientOf(stranger);
    await expectError("NOT_CARRIED", () => carryDeal(access(), shared, id, {}, foreign));
    expect(await dealsThere()).to.deep.equal([]);
    const { firstEpoch } = await readDeal(net, id);
    await stepTo(net, firstEpoch + 1, from.keeper as ProvingKeeper);
    await client.amend(id, new Blob([(await testPiece(SIZE, 3)).payload]), { maxPricePerPeriod: BigInt(SIZE) });
    await expectError("AMENDMENT_PENDING", () => carry(id));
    expect((await readDeal(net, id)).status).to.equal(Status.Open);
    await client.terminate(id);
    await expectError("DEAL_NOT_OPEN", () => carry(id));
    expect(await dealsThere()).to.deep.equal([]);
  });
});
