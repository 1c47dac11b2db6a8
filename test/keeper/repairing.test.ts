import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import type { Wallet } from "ethers";
import { MemoryJournal } from "../../src/chain/journal.js";
import { TransactionSender } from "../../src/chain/sender.js";
import { bountyAtLeast, type ProvingKeeper } from "../../src/keeper/index.js";
import { Status } from "../../src/protocol/index.js";
import { testLogger } from "../support/dev-chain.js";
import {
  addFiller,
  type Filling,
  Pace,
  type PostedOnNet,
  postOnNet,
  provision,
  servePiece,
  startRepairing,
} from "../support/open-market.js";
import { removeFolders, type TestPiece, testPiece } from "../support/pieces.js";
import { type StorageNet, startStorageNet } from "../support/storage-net.js";

const HOT = { period: 16, maxMisses: 6 };
const COLLATERAL = 60_000n;

describe("RepairKeeper", () => {
  let net: StorageNet;
  let client: Wallet;
  let piece: TestPiece;
  let snapshot: string;
  let seed = 50;
  const stops: (() => Promise<unknown>)[] = [];

  const addOne = async () => {
    const one = await addFiller(net);
    stops.push(() => one.close());
    return one;
  };
  const repair = async (options: Parameters<typeof startRepairing>[1] = {}) => {
    const repairing = await startRepairing(net, options);
    stops.push(() => repairing.stop());
    return repairing;
  };
  const held = (account: string) => net.contracts.vault.balanceOf(account, BigInt(net.token));
  const escrow = () => net.contracts.vault.escrowOf(net.deployment.requests, net.token);
  const statusOf = async (id: bigint) => Number(await net.contracts.market.statusOf(id)) as Status;
  const loseBytes = ({ dataDir }: Filling) => rm(join(dataDir, "pieces", `${piece.cid}.piece`));
  const dealOf = ({ id }: PostedOnNet, { wallet }: Filling) => net.contracts.requests.dealOf(id, wallet.address);
  /** Posts a request and has every provider fill it; the client's own source is gone afterwards. */
  const filledBy = async (all: readonly Filling[], changes: Parameters<typeof postOnNet>[3] = {}) => {
    const source = await servePiece(piece);
    const posted = await postOnNet(net, client, piece, {
      ...{ dataUri: source.url, replicas: all.length, repair: true },
      ...changes,
    });
    const pace = new Pace(net, ...all.flatMap(({ filler, keeper }) => [filler, keeper as ProvingKeeper]));
    await pace.until(() => all.every((one) => one.heard("filled").length === 1));
    await source.close();
    return { posted, pace };
  };

  before(async () => {
    net = await startStorageNet();
    client = await net.rich();
  });
  beforeEach(async () => {
    snapshot = await net.provider.send("evm_snapshot", []);
    piece = await testPiece(70_000, seed++);
  });
  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop();
    await net.provider.send("evm_revert", [snapshot]);
  });
  after(async () => {
    await net.stop();
    await removeFolders();
  });

  it("brings a lost replica back with no human step: default, posted again, fetched from a survivor, proven", async () => {
    const three = [await addOne(), await addOne(), await addOne()] as const;
    const [loser] = three;
    const { posted, pace } = await filledBy(three, { periods: 20, maxPeriods: 40 });
    const repairing = await repair();
    pace.add(repairing.keeper);
    const lost = await dealOf(posted, loser);
    await loseBytes(loser);
    const fourth = await addOne();
    pace.add(fourth.filler);
    pace.add(fourth.keeper as ProvingKeeper);
    const proven: { id: bigint; block: number | undefined }[] = [];
    fourth.keeper?.on("proven", (event) => void proven.push(event));
    const defaulted = await pace.until(async () => (await statusOf(lost)) === Status.Defaulted, 300, 1);
    await pace.until(() => proven.length > 0, 3 * HOT.period, 1);

    expect(repairing.heard("repaired")).to.have.length(1);
    const [repaired] = repairing.heard("repaired");
    expect(repaired).to.include({ dealId: lost, provider: loser.wallet.address, reposted: true });
    const bounty = 6n * (COLLATERAL / 6n / 20n);
    expect(repaired).to.include({ bounty });
    expect(await held(repairing.wallet.address)).to.equal(bounty);
    const [fetched] = fourth.heard("fetched") as { source: string }[];
    expect([three[1].url, three[2].url].some((url) => fetched?.source.startsWith(url))).to.equal(true);
    const deal = await dealOf(posted, fourth);
    expect(fourth.heard("filled")[0]).to.include({ slot: lost, dealId: deal });
    expect(proven[0]?.id).to.equal(deal);
    expect((proven[0]?.block ?? Infinity) - defaulted).to.be.at.most(2 * HOT.period);
    // The other two never stopped; the client owns nothing and can have everything.
    for (const one of [three[1], three[2], fourth]) {
      expect(await statusOf(await dealOf(posted, one))).to.equal(Status.Open);
      expect(one.heard("lost")).to.deep.equal([]);
    }
    expect(await escrow()).to.equal(0n);
    expect(repairing.heard("trouble")).to.deep.equal([]);
    const refund = repairing.heard("collected")[0]?.amount as bigint;
    expect(refund > 0n).to.equal(true);
  });

  it("gives everything to the client where too few periods are left, and posts nothing", async () => {
    const one = await addOne();
    const { posted, pace } = await filledBy([one], { periods: 8, maxPeriods: 8 });
    const repairing = await repair();
    pace.add(repairing.keeper);
    const before = await held(client.address);
    await loseBytes(one);
    await pace.until(() => repairing.heard("repaired").length > 0, 300);
    expect(repairing.heard("repaired")[0]).to.include({ reposted: false });
    const bounty = repairing.heard("repaired")[0]?.bounty as bigint;
    const paid = posted.request.maxPrice * 8n;
    expect((await held(client.address)) - before).to.equal(paid + COLLATERAL - bounty);
    await pace.pass(20);
    expect(repairing.told).to.have.length(2);
  });

  it("leaves a repair that is not worth its gas to others, unless it is for the operator's own client", async () => {
    const one = await addOne();
    const { posted, pace } = await filledBy([one], { periods: 20, maxPeriods: 20 });
    const deal = await dealOf(posted, one);
    await loseBytes(one);
    const policy = bountyAtLeast(new Map([[net.token, COLLATERAL]]));
    const stranger = await repair({ policy });
    pace.add(stranger.keeper);
    await pace.until(async () => (await statusOf(deal)) === Status.Defaulted, 300);
    await pace.pass(40);
    expect(stranger.told).to.deep.equal([]);
    const own = await repair({ policy, own: { client: client.address.toLowerCase() } });
    pace.add(own.keeper);
    await pace.until(() => own.heard("repaired").length > 0, 40);
    expect(own.heard("repaired")[0]).to.include({ reposted: true });
    await pace.pass(10);
    expect(stranger.told).to.deep.equal([]);
  });

  it("waits until a default is deep, and guards what it does, for others with its journal", async () => {
    const one = await addOne();
    const { posted, pace } = await filledBy([one], { periods: 20, maxPeriods: 20 });
    const deal = await dealOf(posted, one);
    await loseBytes(one);
    const journal = new MemoryJournal();
    const signer = await net.account();
    const sender = new TransactionSender({ provider: net.provider, signer, logger: testLogger(), journal, pollMs: 5 });
    const depth = 12;
    const repairing = await repair({ depth, sender });
    pace.add(repairing.keeper);
    const defaulted = await pace.until(async () => (await statusOf(deal)) === Status.Defaulted, 300, 1);
    await pace.until(() => repairing.heard("repaired").length > 0, 2 * depth, 1);
    const block = repairing.heard("repaired")[0]?.block as number;
    expect(block - defaulted).to.be.within(depth - 1, depth + 3);
    const { market, requests } = net.deployment;
    const [entry] = await journal.minedAfter(signer.address, 0);
    expect(entry?.guards).to.deep.equal([`repair ${requests} ${deal}`, `settle ${market} ${deal}`]);
    expect(repairing.heard("trouble")).to.deep.equal([]);
  });

  it("works beside another one: each replica is repaired once", async () => {
    const one = await addOne();
    const { pace } = await filledBy([one], { periods: 20, maxPeriods: 20 });
    await loseBytes(one);
    const both = [await repair(), await repair()];
    for (const { keeper } of both) pace.add(keeper);
    const repairs = () => both.flatMap(({ heard }) => heard("repaired"));
    await pace.until(() => repairs().length > 0, 300);
    await pace.pass(20);
    expect(repairs()).to.have.length(1);
    for (const { heard } of both) expect(heard("trouble").filter(({ code }) => code !== "REVERTED")).to.deep.equal([]);
  });

  it("gives back to its own client what nobody filled, originals and replicas posted again", async () => {
    const one = await addOne();
    const { posted, pace } = await filledBy([one], { periods: 20, maxPeriods: 20, replicas: 2 });
    const deal = await dealOf(posted, one);
    await loseBytes(one);
    const own = await repair({ own: { client: client.address } });
    pace.add(own.keeper);
    await pace.until(() => own.heard("repaired").length > 0, 300);
    expect((await escrow()) > 0n).to.equal(true);
    expect(own.heard("refunded")).to.deep.equal([]);
    await net.provider.send("evm_increaseTime", [300_000]);
    await pace.until(() => own.heard("refunded").length === 2, 20);
    expect(own.heard("refunded").map(({ slot }) => slot)).to.have.members([0n, deal]);
    expect(await escrow()).to.equal(0n);
    await pace.pass(10);
    expect(own.heard("refunded")).to.have.length(2);
    expect(own.heard("trouble")).to.deep.equal([]);
  });

  it("collects for its own client at the end, and unlocks its own provider's stake", async () => {
    const one = await addOne();
    await provision(net, one.wallet, net.deployment.requests, 5_000n);
    const { posted, pace } = await filledBy([one], { periods: 7, maxPeriods: 7, minStake: 5_000n });
    const theirs = await repair();
    const own = await repair({ own: { client: client.address, provider: one.wallet.address } });
    pace.add(theirs.keeper);
    pace.add(own.keeper);
    const deal = await dealOf(posted, one);
    const before = await held(client.address);
    // One window is missed, the others are proven.
    const path = join(one.dataDir, "pieces", `${piece.cid}.piece`);
    await rename(path, `${path}.away`);
    let missed = 0;
    one.keeper?.on("missed", () => missed++);
    await pace.until(() => missed === 1, 100, 1);
    await rename(`${path}.away`, path);
    await pace.until(() => own.heard("unlocked").length > 0 && own.heard("collected").length > 0, 300);
    expect(await statusOf(deal)).to.equal(Status.Completed);
    const amount = own.heard("collected")[0]?.amount as bigint;
    const share = COLLATERAL / 6n;
    expect(amount).to.equal(posted.request.maxPrice + share - share / 20n);
    expect((await held(client.address)) - before).to.equal(amount);
    expect(own.heard("unlocked")[0]).to.include({ id: posted.id, dealId: deal, amount: 5_000n });
    const { free } = await net.contracts.registry.provisionOf(one.wallet.address, net.deployment.requests, net.token);
    expect(free).to.equal(5_000n);
    await pace.pass(20);
    expect(theirs.told).to.deep.equal([]);
    expect(own.told).to.have.length(2);
  });
});
