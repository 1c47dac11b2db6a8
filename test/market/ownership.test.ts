import { expect } from "chai";
import {
  ALIAS,
  balance,
  epoch,
  ethers,
  NO_BOUNTY,
  networkHelpers,
  nextBlockIs,
  openDeal,
  plain,
  proveWindow,
  standardMarket,
} from "../support/market.js";

describe("StorageMarket: ownership", () => {
  const fixture = () => networkHelpers.loadFixture(standardMarket);

  it("moves with the token: refunds and later compensation go to the new owner, the earlier stay", async () => {
    const world = await fixture();
    const { market, client, keeper } = world;
    const deal = await openDeal(world);
    await nextBlockIs(epoch(deal, 1) + deal.tier.window + 1);
    const [seller, buyer] = [await balance(world, client), await balance(world, keeper)];
    await market.connect(client).transferFrom(client, keeper, deal.id);
    expect((await balance(world, client)) - seller).to.equal(1_000n);
    await nextBlockIs(epoch(deal, 3) + deal.tier.window + 1);
    await market.settle([deal.id], NO_BOUNTY);
    expect((await balance(world, keeper)) - buyer).to.equal(2_001n + 6_000n);
    expect((await balance(world, client)) - seller).to.equal(1_000n);
  });

  it("never goes where it could not be used", async () => {
    const world = await fixture();
    const { market, client, config, marketAddress } = world;
    const deal = await openDeal(world);
    for (const to of [config.vault, config.registry, marketAddress, ALIAS, ethers.ZeroAddress]) {
      await expect(market.connect(client).transferFrom(client, to, deal.id))
        .to.be.revertedWithCustomError(market, "InvalidAccount")
        .withArgs(to);
    }
    await expect(
      market.connect(client)["safeTransferFrom(address,address,uint256)"](client, world.tokenAddress, deal.id),
    ).to.be.revertedWithCustomError(market, "ERC721InvalidReceiver");
  });

  it("is an ERC-721 token with approvals and no document", async () => {
    const world = await fixture();
    const { market, client, keeper, stranger } = world;
    const deal = await openDeal(world);
    expect(await market.tokenURI(deal.id)).to.equal("");
    await expect(market.tokenURI(1n)).to.be.revertedWithCustomError(market, "ERC721NonexistentToken");
    expect(await market.supportsInterface("0x80ac58cd")).to.equal(true);
    await expect(market.connect(stranger).transferFrom(client, stranger, deal.id)).to.be.revertedWithCustomError(
      market,
      "ERC721InsufficientApproval",
    );
    await market.connect(client).approve(stranger, deal.id);
    await market.connect(stranger)["safeTransferFrom(address,address,uint256)"](client, keeper, deal.id);
    expect(await market.ownerOf(deal.id)).to.equal(keeper.address);
    await expect(market.transferFrom(client, keeper, 1n)).to.be.revertedWithCustomError(market, "UnknownDeal");
  });

  it("is kept after the end", async () => {
    const world = await fixture();
    const deal = await openDeal(world);
    await networkHelpers.mineUpTo(epoch(deal, 3) + deal.tier.window + 1);
    await world.market.settle([deal.id], NO_BOUNTY);
    await world.market.connect(world.client).transferFrom(world.client, world.keeper, deal.id);
    expect((await world.lens.totalsOf(deal.id)).funded).to.equal(6_000n);
  });

  describe("transferIf", () => {
    it("transfers the deal that the buyer looked at", async () => {
      const world = await fixture();
      const { market, client, keeper } = world;
      const deal = await openDeal(world);
      const seen = await market.stateHash(deal.id);
      await proveWindow(world, deal, 1);
      await nextBlockIs(epoch(deal, 1) + deal.tier.window + 1);
      await market.settle([deal.id], NO_BOUNTY);
      expect(await market.stateHash(deal.id), "proving and settling change nothing").to.equal(seen);
      await market.connect(client).approve(keeper, deal.id);
      await market.connect(keeper).transferIf(deal.id, keeper, seen);
      expect(await market.ownerOf(deal.id)).to.equal(keeper.address);
    });

    it("protects from a seller who ends the deal, and from any other change", async () => {
      const world = await fixture();
      const { market, client, provider, keeper } = world;
      const changes: ((id: bigint) => Promise<unknown>)[] = [
        (id) => market.connect(client).terminate(id),
        (id) => market.connect(client).extend(id, 1, 1_000n),
        (id) => market.connect(provider).restore(id, 1),
        async () => networkHelpers.mine(3 * 32),
      ];
      for (const change of changes) {
        const deal = await openDeal(world);
        const seen = await market.stateHash(deal.id);
        await market.connect(client).approve(keeper, deal.id);
        await change(deal.id);
        const actual = await market.stateHash(deal.id);
        expect(actual).not.to.equal(seen);
        await expect(market.connect(keeper).transferIf(deal.id, keeper, seen))
          .to.be.revertedWithCustomError(market, "StateChanged")
          .withArgs(deal.id, actual, seen);
      }
    });

    it("gives nobody a right to transfer", async () => {
      const world = await fixture();
      const deal = await openDeal(world);
      const seen = await world.market.stateHash(deal.id);
      await expect(
        world.market.connect(world.stranger).transferIf(deal.id, world.stranger, seen),
      ).to.be.revertedWithCustomError(world.market, "ERC721InsufficientApproval");
      await expect(world.market.stateHash(1n)).to.be.revertedWithCustomError(world.market, "UnknownDeal");
    });
  });
});

describe("MarketLens", () => {
  const fixture = () => networkHelpers.loadFixture(standardMarket);

  it("reads deals one by one and in pages", async () => {
    const world = await fixture();
    const deal = await openDeal(world);
    const view = await world.lens.dealOf(deal.id);
    expect(view.owner).to.equal(world.client.address);
    expect(view.provider).to.equal(world.provider.address);
    expect(view.root).to.equal(deal.terms.root);
    expect([view.leafCount, view.price, view.collateral]).to.deep.equal([deal.terms.leafCount, 1_000n, 3_001n]);
    expect(view.standing.allowance).to.equal(3n);
    const [first, unknown] = await world.lens.dealsOf([deal.id, 9n]);
    expect(plain(first)).to.deep.equal(plain(view));
    expect(unknown?.stage).to.equal(0n);
  });

  it("gives windows and the open challenge", async () => {
    const world = await fixture();
    const deal = await openDeal(world);
    expect(plain(await world.lens.windowOf(deal.id, 2))).to.deep.equal([
      BigInt(epoch(deal, 2)),
      BigInt(epoch(deal, 2) + deal.tier.window),
    ]);
    for (const k of [0, 7]) {
      await expect(world.lens.windowOf(deal.id, k))
        .to.be.revertedWithCustomError(world.lens, "NoSuchWindow")
        .withArgs(deal.id, BigInt(k));
    }
    await expect(world.lens.challengeOf(deal.id))
      .to.be.revertedWithCustomError(world.lens, "NoOpenWindow")
      .withArgs(deal.id);
    await networkHelpers.mineUpTo(epoch(deal, 1) + 1);
    const { window, epoch: at, leaves } = await world.lens.challengeOf(deal.id);
    expect([window, at]).to.deep.equal([1n, BigInt(epoch(deal, 1))]);
    expect([...leaves]).to.deep.equal([...new Set(leaves)].sort((a, b) => (a < b ? -1 : 1)));
    expect(leaves.every((leaf) => leaf < deal.piece.commitment.leafCount)).to.equal(true);
    await networkHelpers.mineUpTo(epoch(deal, 4) + 1);
    await expect(world.lens.challengeOf(deal.id)).to.be.revertedWithCustomError(world.lens, "NoOpenWindow");
  });

  it("knows no deal that is not there", async () => {
    const { lens } = await fixture();
    const views = ["dealOf", "standingOf", "dueOf", "totalsOf", "totalsNow", "challengeOf"] as const;
    for (const name of [...views, "terminationOf", "extensionOf", "restorationOf"] as const) {
      await expect(lens[name](4n)).to.be.revertedWithCustomError(lens, "UnknownDeal").withArgs(4n);
    }
  });
});
