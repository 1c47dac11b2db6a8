import { expect } from "chai";
import type { Wallet } from "ethers";
import type { Chain } from "../../src/chain/chain.js";
import { type Journal, MemoryJournal } from "../../src/chain/journal.js";
import { TransactionSender } from "../../src/chain/sender.js";
import { Doppelganger, type DoppelgangerEvents, ProvingKeeper } from "../../src/keeper/index.js";
import { type DevChain, startDevChain, testLogger } from "../support/dev-chain.js";
import { bytesOf, Parties, serviceChain, stepTo, stepUntil } from "../support/keeping.js";

describe("Doppelganger", () => {
  let dev: DevChain;
  let chain: Chain;
  let key: Wallet;
  let seen: DoppelgangerEvents["doppelganger"][0][];
  const stops: (() => unknown)[] = [];

  beforeEach(async () => {
    dev = await startDevChain();
    stops.push(() => dev.stop());
    chain = await serviceChain(dev);
    stops.push(() => chain.provider.destroy());
    key = (await dev.account()).connect(chain.provider);
    await dev.automine(false);
    seen = [];
  });
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  function senderWith(journal: Journal = new MemoryJournal()): TransactionSender {
    return new TransactionSender({ provider: chain.provider, signer: key, logger: testLogger(), journal, pollMs: 5 });
  }

  /** Sends a payment of nothing, and mines it unless it is to wait. */
  async function pay(sender: TransactionSender, mines = true): Promise<void> {
    const stop = new AbortController();
    const sent = sender.send({ to: key.address, data: "0x" }, "pay", stop.signal).catch(() => undefined);
    while ((await chain.provider.getTransactionCount(key.address, "pending")) === (await key.getNonce("latest"))) {}
    if (mines) await dev.mine();
    else stop.abort();
    await sent;
  }

  function watch(sender: TransactionSender, blocks?: number): Doppelganger {
    const guard = new Doppelganger({ chain, sender, logger: testLogger(), ...(blocks !== undefined && { blocks }) });
    guard.on("doppelganger", (event) => seen.push(event));
    const stop = new AbortController();
    const running = guard.run(stop.signal);
    stops.push(() => {
      stop.abort();
      return running;
    });
    return guard;
  }

  /** Mines blocks one at a time, each seen by the guard. */
  async function pass(guard: Doppelganger, blocks: number): Promise<void> {
    for (let i = 0; i < blocks; i++) {
      const head = await dev.mine();
      while (guard.head < head) await new Promise((later) => setTimeout(later, 5));
    }
  }

  it("waits a few blocks at the start, and never on a developer's own chain unless it is told to", async () => {
    expect(watch(senderWith()).standsBack).to.equal(false);
    const guard = watch(senderWith(), 3);
    expect(guard.standsBack, "before the first head").to.equal(true);
    await pass(guard, 1);
    expect(guard.standsBack).to.equal(true);
    await pass(guard, 3);
    expect(guard.standsBack).to.equal(false);
    expect(seen).to.deep.equal([]);
  });

  it("tells of a transaction that another process sent with the key, and waits again", async () => {
    const [own, other] = [senderWith(), senderWith()];
    const guard = watch(own, 2);
    await pass(guard, 3);
    await pay(own);
    await pass(guard, 1);
    expect(seen).to.deep.equal([]);
    expect(guard.standsBack).to.equal(false);
    await pay(other);
    await pass(guard, 1);
    expect(seen.map(({ account, nonces }) => ({ account, nonces }))).to.deep.equal([
      { account: key.address, nonces: [1] },
    ]);
    expect(guard.standsBack).to.equal(true);
    await pass(guard, 3);
    expect(guard.standsBack).to.equal(false);
    expect(seen, "once").to.have.length(1);
  });

  it("sees one that waits for a block at the start, and one that was sent while nobody watched", async () => {
    const journal = new MemoryJournal();
    await pay(senderWith(journal));
    await pay(senderWith());
    await pay(senderWith(), false);
    // With nothing in the journal the one in a block is history.
    const guards = [watch(senderWith()), watch(senderWith(journal))];
    // Both look before the one that waits is in a block: then it would be history.
    const head = await chain.provider.getBlockNumber();
    for (const guard of guards) while (guard.head < head) await new Promise((later) => setTimeout(later, 5));
    for (const guard of guards) await pass(guard, 1);
    expect(seen.map(({ nonces }) => nonces).sort((a, b) => a.length - b.length)).to.deep.equal([[2], [1, 2]]);
  });

  it("knows what processes with one journal send", async () => {
    const journal = new MemoryJournal();
    const guard = watch(senderWith(journal), 2);
    await pass(guard, 1);
    for (let i = 0; i < 3; i++) await pay(senderWith(journal));
    await pass(guard, 2);
    expect(seen).to.deep.equal([]);
    expect(guard.lastSeen).to.equal(undefined);
  });

  it("does not take for somebody else's what a reorganisation gave back", async () => {
    const own = senderWith();
    const guard = watch(own, 1);
    await pass(guard, 1);
    await pay(own);
    await pass(guard, 1);
    await dev.provider.send("anvil_reorg", [2, []]);
    await pass(guard, 2);
    await pay(own);
    await pass(guard, 1);
    expect(seen).to.deep.equal([]);
  });

  it("sees somebody else's once more where it follows a reorganisation that took it", async () => {
    const guard = watch(senderWith(), 1);
    await pass(guard, 1);
    await pay(senderWith());
    await pass(guard, 1);
    await dev.provider.send("anvil_reorg", [2, []]);
    await dev.provider.send("anvil_dropAllTransactions", []);
    await pass(guard, 2);
    await pay(senderWith());
    await pass(guard, 1);
    expect(seen.map(({ nonces }) => nonces)).to.deep.equal([[0], [0]]);
  });

  it("makes a keeper wait where it can, and act where a window would be lost", async function () {
    this.timeout(60_000);
    await dev.automine(true);
    const parties = await Parties.on(dev);
    const [id] = await parties.open([parties.terms(await parties.pieces.add(bytesOf(1)), { tier: 2 })]);
    const [own, other] = [senderWith(), senderWith()];
    const guard = watch(own, 4);
    const { pieces, provider } = parties;
    const keeper = new ProvingKeeper({
      ...{ chain, sender: own, pieces, provider: provider.address, guard, logger: testLogger() },
    });
    const proven: number[] = [];
    keeper.on("proven", ({ block }) => proven.push(block!));
    keeper.on("missed", () => proven.push(Number.NaN));
    const stop = new AbortController();
    const running = keeper.run(stop.signal);
    stops.push(() => {
      stop.abort();
      return running;
    });
    const { firstEpoch } = await chain.contracts.lens.dealOf(id!);
    const first = Number(firstEpoch);
    // A window of 32 blocks; the other never rests.
    await stepTo(dev, first - 1, keeper);
    while ((await dev.provider.getBlockNumber()) < first + 14) {
      await pay(other);
      await pass(guard, 1);
    }
    expect(proven).to.deep.equal([]);
    expect(guard.standsBack).to.equal(true);
    while ((await dev.provider.getBlockNumber()) < first + 22 && proven.length === 0) await pass(guard, 1);
    expect(proven).to.have.length(1);
    expect(proven[0]).to.be.within(first + 16, first + 22);
    // The other has come to rest: nothing is waited for any more.
    await stepUntil(dev, () => proven.length === 2, 60, keeper);
    expect(proven[1]! - first - chain.deployment.tiers[2]!.period).to.be.at.most(5);
  });
});
