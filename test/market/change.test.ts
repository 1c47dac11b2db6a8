import { expect } from "chai";
import {
  balance,
  epoch,
  NO_BOUNTY,
  networkHelpers,
  nextBlockIs,
  openDeal,
  plain,
  proveWindow,
  Status,
  standardMarket,
  TIERS,
} from "../support/market.js";

const UNLIMITED = 2n ** 128n;

describe("StorageMarket: extend, restore, terminate", () => {
  const fixture = () => networkHelpers.loadFixture(standardMarket);

  describe("extend", () => {
    it("is paid by anybody, up to maxPeriods, while the last challenge is not drawn", async () => {
      const world = await fixture();
      const deal = await openDeal(world);
      const lastEpoch = epoch(deal, 6);
      expect(plain(await world.lens.extensionOf(deal.id))).to.deep.equal([BigInt(lastEpoch - 1), 6n, 1_000n]);
      const before = await balance(world, world.stranger);
      await expect(world.market.connect(world.stranger).extend(deal.id, 4, 4_000n))
        .to.emit(world.market, "Extended")
        .withArgs(deal.id, world.stranger.address, 4n, 4_000n);
      expect(before - (await balance(world, world.stranger))).to.equal(4_000n);
      const view = await world.lens.dealOf(deal.id);
      expect([view.periods, view.fundedPeriods]).to.deep.equal([10n, 10n]);
      expect((await world.lens.totalsOf(deal.id)).funded).to.equal(10_000n);
      await expect(world.market.extend(deal.id, 3, UNLIMITED))
        .to.be.revertedWithCustomError(world.market, "BeyondMaxPeriods")
        .withArgs(deal.id, 13n, 12n);
      await expect(world.market.connect(world.stranger).extend(deal.id, 2, 1_999n))
        .to.be.revertedWithCustomError(world.market, "CostTooHigh")
        .withArgs(2_000n, 1_999n);
      await expect(world.market.extend(deal.id, 0, UNLIMITED)).to.be.revertedWithCustomError(
        world.market,
        "ZeroAmount",
      );
      await expect(world.market.extend(5n, 1, UNLIMITED)).to.be.revertedWithCustomError(world.market, "UnknownDeal");
    });

    it("is possible up to the block before the last challenge, and not in it", async () => {
      const world = await fixture();
      const deal = await openDeal(world, { periods: 3 });
      await nextBlockIs(epoch(deal, 3) - 1);
      await world.market.connect(world.client).extend(deal.id, 1, UNLIMITED);
      await proveWindow(world, deal, 3);
      await nextBlockIs(epoch(deal, 4));
      await expect(world.market.connect(world.client).extend(deal.id, 1, UNLIMITED))
        .to.be.revertedWithCustomError(world.market, "TooLate")
        .withArgs(deal.id, BigInt(epoch(deal, 4)));
      await networkHelpers.mine();
      expect(plain(await world.lens.extensionOf(deal.id))).to.deep.equal([0n, 0n, 0n]);
    });

    it("does not revive a deal that is ending, completed or defaulted", async () => {
      const world = await fixture();
      const [ending, defaulted] = [await openDeal(world), await openDeal(world)];
      await world.market.connect(world.client).terminate(ending.id);
      const refused = (id: bigint, status: bigint) =>
        expect(world.market.connect(world.client).extend(id, 1, UNLIMITED))
          .to.be.revertedWithCustomError(world.market, "WrongStatus")
          .withArgs(id, status);
      await refused(ending.id, Status.Ending);
      await nextBlockIs(epoch(defaulted, 3) + defaulted.tier.window + 1);
      await refused(defaulted.id, Status.Defaulted);
      await refused(ending.id, Status.Completed);
      expect((await world.lens.totalsOf(defaulted.id)).slashed, "a refusal books nothing").to.equal(0n);
    });

    it("books the deal first, the bounty to its owner", async () => {
      const world = await fixture();
      const deal = await openDeal(world);
      await nextBlockIs(epoch(deal, 1) + deal.tier.window + 1);
      const before = await balance(world, world.client);
      await world.market.connect(world.stranger).extend(deal.id, 1, UNLIMITED);
      expect((await balance(world, world.client)) - before).to.equal(1_000n);
      expect((await world.lens.totalsOf(deal.id)).bounty).to.equal(50n);
    });
  });

  describe("restore", () => {
    it("bonds shares and raises the allowance: a long deal survives rare misses", async () => {
      const world = await fixture();
      const deal = await openDeal(world);
      expect(plain(await world.lens.restorationOf(deal.id))).to.deep.equal([1_000n, 12n]);
      await nextBlockIs(epoch(deal, 2) + deal.tier.window + 1);
      await expect(world.market.connect(world.provider).restore(deal.id, 2))
        .to.emit(world.market, "Restored")
        .withArgs(deal.id, 2n, 2_000n);
      const t = await world.lens.totalsOf(deal.id);
      expect([t.bonded, t.slashed, t.stake]).to.deep.equal([5_001n, 2_000n, 3_001n]);
      await networkHelpers.mineUpTo(epoch(deal, 4) + deal.tier.window + 1);
      expect(await world.market.statusOf(deal.id)).to.equal(Status.Open);
      const standing = await world.lens.standingOf(deal.id);
      expect([standing.missed, standing.allowance]).to.deep.equal([4n, 5n]);
      await networkHelpers.mineUpTo(epoch(deal, 5) + deal.tier.window + 1);
      expect(await world.market.statusOf(deal.id)).to.equal(Status.Defaulted);
      await world.market.settle([deal.id], NO_BOUNTY);
      expect((await world.lens.totalsOf(deal.id)).slashed).to.equal(5_001n);
    });

    it("comes too late after the default, booked or not, and after the end", async () => {
      const world = await fixture();
      const deal = await openDeal(world);
      const restore = () => world.market.connect(world.provider).restore(deal.id, 1);
      await nextBlockIs(epoch(deal, 3) + deal.tier.window + 1);
      const refused = () =>
        expect(restore())
          .to.be.revertedWithCustomError(world.market, "WrongStatus")
          .withArgs(deal.id, Status.Defaulted);
      await refused();
      await world.market.settle([deal.id], NO_BOUNTY);
      await refused();
      expect(plain(await world.lens.restorationOf(deal.id))).to.deep.equal([0n, 0n]);
    });

    it("is still in time in the last block before the default", async () => {
      const world = await fixture();
      const deal = await openDeal(world);
      await nextBlockIs(epoch(deal, 3) + deal.tier.window);
      await world.market.connect(world.provider).restore(deal.id, 1);
      await networkHelpers.mine(5);
      expect(await world.market.statusOf(deal.id)).to.equal(Status.Open);
    });

    it("refuses others, nothing, more than maxPeriods, no collateral, and too little stake", async () => {
      const world = await fixture();
      const { market, provider, client } = world;
      const deal = await openDeal(world);
      await expect(market.connect(client).restore(deal.id, 1))
        .to.be.revertedWithCustomError(market, "NotProvider")
        .withArgs(deal.id, client.address);
      await expect(market.connect(provider).restore(deal.id, 0)).to.be.revertedWithCustomError(market, "ZeroAmount");
      await expect(market.connect(provider).restore(deal.id, 13))
        .to.be.revertedWithCustomError(market, "BeyondMaxPeriods")
        .withArgs(deal.id, 13n, 12n);
      const bare = await openDeal(world, { collateral: 0n });
      await expect(market.connect(provider).restore(bare.id, 1))
        .to.be.revertedWithCustomError(market, "NothingToRestore")
        .withArgs(bare.id);
      const heavy = await openDeal(world, { collateral: 400_000n });
      await expect(market.connect(provider).restore(heavy.id, 2)).to.be.revertedWithCustomError(
        world.registry,
        "InsufficientStake",
      );
    });
  });

  describe("terminate", () => {
    const { period, window } = TIERS[0];
    /** Blocks of the call relative to e_k, and the periods that remain of six. */
    const positions = [
      { at: "before the first challenge", k: 1, offset: -1, left: 1 },
      { at: "in the block of the first challenge", k: 1, offset: 0, left: 1 },
      { at: "in the first block of window 1", k: 1, offset: 1, left: 2 },
      { at: "in the last block of window 1", k: 1, offset: window, left: 2 },
      { at: "in the block after window 1", k: 1, offset: window + 1, left: 2 },
      { at: "in the block before challenge 2", k: 1, offset: period - 1, left: 2 },
      { at: "in the block of challenge 2", k: 2, offset: 0, left: 2 },
      { at: "in the first block of window 2", k: 2, offset: 1, left: 3 },
      { at: "in the block of the last challenge", k: 6, offset: 0, left: 6 },
      { at: "in the first block of the last window", k: 6, offset: 1, left: 6 },
    ];

    for (const { at, k, offset, left } of positions) {
      it(`${at} leaves ${left} of 6 periods, proven and paid`, async () => {
        const world = await fixture();
        const deal = await openDeal(world);
        for (let done = 1; done < k; done++) await proveWindow(world, deal, done);
        if (offset > 1) await proveWindow(world, deal, k);
        await nextBlockIs(epoch(deal, k) + offset);
        const preview = await world.lens.terminationOf(deal.id, { blockTag: "pending" });
        const refund = BigInt(6 - left) * 1_000n;
        expect(plain(preview)).to.deep.equal([BigInt(left), refund]);
        const before = await balance(world, world.client);
        const escrowed = await world.vault.escrowOf(world.marketAddress, world.tokenAddress);
        await expect(world.market.connect(world.client).terminate(deal.id))
          .to.emit(world.market, "Terminated")
          .withArgs(deal.id, BigInt(left), refund);
        expect((await balance(world, world.client)) - before).to.equal(refund);
        expect(escrowed - (await world.vault.escrowOf(world.marketAddress, world.tokenAddress)) >= refund).to.equal(
          true,
        );
        expect(await world.market.statusOf(deal.id)).to.equal(Status.Ending);
        for (let next = 1; next <= left; next++) {
          if ((await world.lens.dealOf(deal.id)).lastProven < BigInt(next)) await proveWindow(world, deal, next);
        }
        await networkHelpers.mineUpTo(epoch(deal, left) + window + 1);
        await world.market.settle([deal.id], NO_BOUNTY);
        expect(await world.market.statusOf(deal.id)).to.equal(Status.Completed);
        const t = await world.lens.totalsOf(deal.id);
        expect([t.paid + t.fee, t.refunded, t.escrow]).to.deep.equal([BigInt(left) * 1_000n, refund, 0n]);
        expect(t.returned).to.equal(3_001n);
      });
    }

    it("gives the owner what somebody else paid for an extension: a gift", async () => {
      const world = await fixture();
      const deal = await openDeal(world);
      const [owner, donor] = [await balance(world, world.client), await balance(world, world.stranger)];
      await world.market.connect(world.stranger).extend(deal.id, 4, 4_000n);
      await nextBlockIs(epoch(deal, 1));
      await expect(world.market.connect(world.client).terminate(deal.id))
        .to.emit(world.market, "Terminated")
        .withArgs(deal.id, 1n, 9_000n);
      expect((await balance(world, world.client)) - owner).to.equal(9_000n);
      expect(donor - (await balance(world, world.stranger))).to.equal(4_000n);
    });

    it("is for the owner only, once, and not after the end", async () => {
      const world = await fixture();
      const { market, client, provider, keeper } = world;
      const deal = await openDeal(world);
      await expect(market.connect(provider).terminate(deal.id))
        .to.be.revertedWithCustomError(market, "NotOwner")
        .withArgs(deal.id, provider.address);
      await market.connect(client).transferFrom(client, keeper, deal.id);
      await expect(market.connect(client).terminate(deal.id)).to.be.revertedWithCustomError(market, "NotOwner");
      await market.connect(keeper).terminate(deal.id);
      await expect(market.connect(keeper).terminate(deal.id))
        .to.be.revertedWithCustomError(market, "WrongStatus")
        .withArgs(deal.id, Status.Ending);
      expect(plain(await world.lens.terminationOf(deal.id))).to.deep.equal([1n, 0n]);
      const defaulted = await openDeal(world);
      await nextBlockIs(epoch(defaulted, 3) + defaulted.tier.window + 1);
      await expect(market.connect(client).terminate(defaulted.id))
        .to.be.revertedWithCustomError(market, "WrongStatus")
        .withArgs(defaulted.id, Status.Defaulted);
    });

    it("pays a window that was proven, whenever the owner ends the deal", async () => {
      const world = await fixture();
      const deal = await openDeal(world);
      await proveWindow(world, deal, 1);
      await world.market.connect(world.client).terminate(deal.id);
      await proveWindow(world, deal, 2);
      await networkHelpers.mine(window);
      await world.market.settle([deal.id], NO_BOUNTY);
      expect((await world.lens.totalsOf(deal.id)).paid).to.equal(1_980n);
    });
  });
});
