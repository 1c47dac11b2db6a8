import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { toQuantity } from "ethers";
import { startAnvil } from "../../src/chain/anvil.js";
import { isDevelopmentChain, measureBlockSeconds } from "../../src/chain/block-time.js";
import { openChain } from "../../src/chain/chain.js";
import { systemClock } from "../../src/chain/clock.js";
import type { Head } from "../../src/chain/follower.js";
import { HeadWatch } from "../../src/chain/head-watch.js";
import { connectChain } from "../../src/chain/provider.js";
import { TransactionSender } from "../../src/chain/sender.js";
import { ProvingKeeper } from "../../src/keeper/index.js";
import type { PieceSource } from "../../src/store/types.js";
import { expectError } from "../piece/helpers.js";
import { type DevChain, startDevChain, testLogger } from "../support/dev-chain.js";
import { bytesOf, Parties } from "../support/keeping.js";

describe("HeadWatch", () => {
  let now = 1_700_000_000_000;
  const clock = { ...systemClock, now: () => now };
  const headAt = (number: number, age = 0): Head => ({
    ...{ number, hash: `0x${number.toString(16)}`, gasLimit: 30_000_000n },
    timestamp: Math.floor(now / 1_000) - age,
  });

  it("calls a head stale that no other has followed in time", async () => {
    const watch = new HeadWatch({ blockSeconds: 12, clock });
    const head = headAt(7);
    watch.saw(head);
    now += 120_000;
    watch.requireFresh();
    watch.saw(head);
    now += 1_000;
    expect((await expectError("STALE_HEAD", () => watch.requireFresh())).message).to.include("Block 7 is 121 s old");
    watch.saw(headAt(8));
    watch.requireFresh();
  });

  it("calls a new head stale whose own time is long ago", async () => {
    const watch = new HeadWatch({ blockSeconds: 30, maxBlocks: 20, clock });
    watch.saw(headAt(1, 600));
    watch.requireFresh();
    watch.saw(headAt(2, 601));
    await expectError("STALE_HEAD", () => watch.requireFresh());
  });

  it("gives every chain a minute, however fast, and counts from its own beginning before the first head", async () => {
    const watch = new HeadWatch({ blockSeconds: 0.25, clock });
    expect(watch.state).to.include({ number: 0, stale: false });
    now += 60_000;
    watch.requireFresh();
    now += 1;
    await expectError("STALE_HEAD", () => watch.requireFresh());
  });

  it("knows developers' chains, and measures others", async () => {
    expect([1_337, 31_337n, 31_415_926].every(isDevelopmentChain)).to.equal(true);
    expect([1, 314n, 314_159, 8_453].some(isDevelopmentChain)).to.equal(false);
    const anvil = await startAnvil({ chainId: 314 });
    const provider = await connectChain(anvil.url, 314);
    try {
      expect(await measureBlockSeconds(provider)).to.equal(1);
      await provider.send("anvil_mine", [toQuantity(300), toQuantity(30)]);
      // A block may be a second late where the machine is busy.
      expect(Math.round(await measureBlockSeconds(provider))).to.equal(30);
    } finally {
      provider.destroy();
      await anvil.stop();
    }
  });
});

describe("keepers on a stale head", () => {
  let chain: DevChain;
  before(async () => {
    chain = await startDevChain();
  });
  after(() => chain.stop());

  it("do nothing until a fresh one comes", async () => {
    const parties = await Parties.on(chain);
    const terms = parties.terms(await parties.pieces.add(bytesOf(1)));
    const [id] = await parties.open([terms]);
    const opened = await chain.contracts.lens.dealOf(id!);
    await chain.mine(Number(opened.firstEpoch) - (await chain.provider.getBlockNumber()) + 1);
    // The machine's clock is an hour ahead of the chain: what the endpoint serves is old.
    let ahead = 3_600_000;
    const clock = { ...systemClock, now: () => Date.now() + ahead };
    const logger = testLogger();
    const service = await openChain(chain.anvil.url, chain.deployment, {
      logger,
      clock,
      pollMs: 5,
      maxHeadBlocks: 600,
    });
    const account = (await chain.account()).connect(service.provider);
    const sender = new TransactionSender({ provider: service.provider, signer: account, logger, pollMs: 5 });
    const { pieces, provider } = parties;
    const keeper = new ProvingKeeper({ chain: service, sender, pieces, provider: provider.address, logger });
    const looked: number[] = [];
    let proven = 0;
    keeper.on("head", ({ number }) => looked.push(number)).on("proven", () => proven++);
    const stopping = new AbortController();
    const running = keeper.run(stopping.signal);
    try {
      for (let i = 0; i < 3; i++) await chain.mine().then(() => sleep(60));
      expect(looked).to.deep.equal([]);
      expect(service.follower.watch?.state.stale).to.equal(true);
      ahead = 0;
      for (let i = 0; i < 6 && proven === 0; i++) await chain.mine().then(() => sleep(200));
      expect(looked.length).to.be.greaterThan(0);
      expect(proven).to.equal(1);
    } finally {
      stopping.abort();
      await running;
      service.provider.destroy();
    }
  });

  it("send nothing of a run that was under way when the head became stale", async () => {
    await chain.automine(true);
    const parties = await Parties.on(chain);
    const [id] = await parties.open([parties.terms(await parties.pieces.add(bytesOf(2)))]);
    const { firstEpoch } = await chain.contracts.lens.dealOf(id!);
    let ahead = 0;
    const clock = { ...systemClock, now: () => Date.now() + ahead };
    const logger = testLogger();
    const options = { logger, clock, pollMs: 5, maxHeadBlocks: 600 };
    const service = await openChain(chain.anvil.url, chain.deployment, options);
    const signer = (await chain.account()).connect(service.provider);
    const sender = new TransactionSender({ provider: service.provider, signer, logger, pollMs: 5 });
    let go = () => {};
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    let reading = 0;
    const open: PieceSource["open"] = async (root, leafCount) => {
      reading++;
      await gate;
      return parties.pieces.open(root, leafCount);
    };
    const provider = parties.provider.address;
    const keeper = new ProvingKeeper({ chain: service, sender, pieces: { open }, provider, logger });
    const codes: string[] = [];
    let proven = 0;
    keeper.on("trouble", ({ code }) => codes.push(code)).on("proven", () => proven++);
    const stopping = new AbortController();
    const running = keeper.run(stopping.signal);
    try {
      await chain.mine(Number(firstEpoch) - (await chain.provider.getBlockNumber()) + 1);
      while (reading === 0) await sleep(5);
      ahead = 3_600_000;
      go();
      for (let i = 0; i < 200 && codes.length === 0 && (await signer.getNonce("pending")) === 0; i++) await sleep(10);
      expect(await signer.getNonce("pending"), "nothing was sent").to.equal(0);
      expect(codes).to.deep.equal(["STALE_HEAD"]);
      ahead = 0;
      for (let i = 0; i < 8 && proven === 0; i++) await chain.mine().then(() => sleep(200));
      expect(proven).to.equal(1);
      expect(reading, "what was built is sent").to.equal(1);
    } finally {
      stopping.abort();
      await running;
      service.provider.destroy();
    }
  });
});
