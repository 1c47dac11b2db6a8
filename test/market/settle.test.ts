import { expect } from "chai";
import {
  ALIAS,
  balance,
  deployMarket,
  epoch,
  ethers,
  NO_BOUNTY,
  networkHelpers,
  nextBlockIs,
  type OpenedDeal,
  openDeal,
  plain,
  proveWindow,
  Status,
  standardMarket,
  type World,
} from "../support/market.js";

/** Price 1000 with 1 % fee; collateral 3001 over 3 misses: shares of 1000, the last one takes 1001. */
const PAID = 990n;
const FEE = 10n;

describe("StorageMarket: settle", () => {
  const fixture = () => networkHelpers.loadFixture(standardMarket);

  /** The block after window k closed is the next one. */
  const afterWindow = (deal: OpenedDeal, k: number) => nextBlockIs(epoch(deal, k) + deal.tier.window + 1);
  const settle = (world: World, deal: OpenedDeal, bountyTo = world.keeper.address) =>
    world.market.connect(world.stranger).settle([deal.id], bountyTo);

  async function totals(world: World, deal: OpenedDeal) {
    const t = await world.lens.totalsOf(deal.id);
    expect(t.paid + t.fee + t.refunded + t.escrow).to.equal(t.funded);
    expect(t.bounty + t.compensation + t.returned + t.stake).to.equal(t.bonded);
    expect(t.bounty + t.compensation).to.equal(t.slashed);
    return t;
  }

  it("pays a proven window once it has closed, the fee within the price", async () => {
    const world = await fixture();
    const deal = await openDeal(world);
    const before = await balance(world, world.provider);
    await proveWindow(world, deal, 1);
    await nextBlockIs(epoch(deal, 1) + deal.tier.window);
    await expect(settle(world, deal)).not.to.emit(world.market, "Settled");
    await expect(settle(world, deal)).to.emit(world.market, "Settled");
    expect((await balance(world, world.provider)) - before).to.equal(PAID);
    expect(await balance(world, world.treasury)).to.equal(FEE);
    const t = await totals(world, deal);
    expect([t.paid, t.fee, t.escrow]).to.deep.equal([PAID, FEE, 5_000n]);
    await expect(settle(world, deal)).not.to.emit(world.market, "Settled");
  });

  it("pays to the payee of the day", async () => {
    const world = await fixture();
    const deal = await openDeal(world);
    await proveWindow(world, deal, 1);
    await world.registry.connect(world.provider).setPayee(world.signer);
    await afterWindow(deal, 1);
    await settle(world, deal);
    expect(await balance(world, world.signer)).to.equal(PAID);
  });

  it("slashes a miss: a twentieth to whoever settles, the rest to the owner", async () => {
    const world = await fixture();
    const deal = await openDeal(world);
    const owner = await balance(world, world.client);
    await afterWindow(deal, 1);
    const due = await world.lens.dueOf(deal.id, { blockTag: "pending" });
    expect([due.bounty, due.compensation, due.misses]).to.deep.equal([50n, 950n, 1n]);
    const keeper = await balance(world, world.keeper);
    await settle(world, deal);
    expect((await balance(world, world.keeper)) - keeper).to.equal(50n);
    expect((await balance(world, world.client)) - owner).to.equal(950n);
    const t = await totals(world, deal);
    expect([t.slashed, t.bounty, t.compensation, t.stake]).to.deep.equal([1_000n, 50n, 950n, 2_001n]);
    const [, locked] = await world.registry.provisionOf(world.provider, world.marketAddress, world.tokenAddress);
    expect(locked).to.equal(2_001n);
  });

  it("gives the bounty to the owner where nobody is named, or nobody who could use it", async () => {
    for (const bountyTo of [NO_BOUNTY, ALIAS]) {
      const world = await fixture();
      const deal = await openDeal(world);
      const owner = await balance(world, world.client);
      await afterWindow(deal, 1);
      await settle(world, deal, bountyTo);
      expect((await balance(world, world.client)) - owner).to.equal(1_000n);
    }
  });

  it("defaults at the last miss: the rest of the stake, the unspent escrow, and nothing more to prove", async () => {
    const world = await fixture();
    const deal = await openDeal(world);
    await proveWindow(world, deal, 1);
    await nextBlockIs(epoch(deal, 4) + deal.tier.window);
    await settle(world, deal);
    expect(await world.market.statusOf(deal.id)).to.equal(Status.Open);
    await networkHelpers.mine();
    expect(await world.market.statusOf(deal.id), "derived before anybody settles").to.equal(Status.Defaulted);
    const owner = await balance(world, world.client);
    await settle(world, deal);
    const t = await totals(world, deal);
    expect([t.paid, t.fee, t.refunded, t.escrow]).to.deep.equal([PAID, FEE, 5_000n, 0n]);
    expect([t.slashed, t.bounty, t.returned, t.stake]).to.deep.equal([3_001n, 150n, 0n, 0n]);
    expect((await balance(world, world.client)) - owner).to.equal(5_000n + 951n);
    await networkHelpers.mine(200);
    expect(await world.market.statusOf(deal.id)).to.equal(Status.Defaulted);
    await expect(settle(world, deal)).not.to.emit(world.market, "Settled");
  });

  it("completes: the stake comes back, and the pay of missed windows goes to the owner", async () => {
    const world = await fixture();
    const deal = await openDeal(world);
    for (const k of [1, 2, 3, 5]) await proveWindow(world, deal, k);
    await nextBlockIs(epoch(deal, 6) + deal.tier.window + 1);
    const [before] = await world.registry.provisionOf(world.provider, world.marketAddress, world.tokenAddress);
    await expect(settle(world, deal)).to.emit(world.registry, "Released");
    expect(await world.market.statusOf(deal.id)).to.equal(Status.Completed);
    const t = await totals(world, deal);
    expect([t.paid, t.fee, t.refunded, t.escrow]).to.deep.equal([4n * PAID, 4n * FEE, 2_000n, 0n]);
    expect([t.slashed, t.returned, t.stake]).to.deep.equal([2_000n, 1_001n, 0n]);
    const [free, locked] = await world.registry.provisionOf(world.provider, world.marketAddress, world.tokenAddress);
    expect([free - before, locked]).to.deep.equal([1_001n, 0n]);
    expect(await world.vault.escrowOf(world.marketAddress, world.tokenAddress)).to.equal(0n);
  });

  it("comes to the same totals in one step and in many", async () => {
    const world = await fixture();
    const [often, once] = [await openDeal(world), await openDeal(world)];
    expect(often.first).to.equal(once.first);
    for (const k of [1, 2, 3, 4, 5, 6]) {
      if (k % 3 !== 0) {
        await proveWindow(world, often, k);
        await proveWindow(world, once, k);
      }
      await afterWindow(often, k);
      await settle(world, often);
    }
    await settle(world, once);
    expect(await totals(world, once)).to.deep.equal(await totals(world, often));
    expect(plain(await world.lens.totalsNow(once.id))).to.deep.equal(plain(await totals(world, once)));
  });

  it("takes batches, repeated and unknown ids, and no ids", async () => {
    const world = await fixture();
    const deals = [await openDeal(world), await openDeal(world), await openDeal(world, { tier: 1 })];
    const [a, b, c] = deals as [OpenedDeal, OpenedDeal, OpenedDeal];
    await proveWindow(world, a, 1);
    await networkHelpers.mineUpTo(epoch(c, 2));
    await world.market.settle([a.id, 5n, b.id, a.id, c.id], world.keeper.address);
    expect((await totals(world, a)).paid).to.equal(PAID);
    expect((await totals(world, b)).slashed > 0n).to.equal(true);
    expect((await totals(world, c)).slashed).to.equal(1_500n);
    await world.market.settle([], world.keeper.address);
  });

  it("makes one payment for each receiver and token in a batch", async () => {
    const world = await fixture();
    const deals = [await openDeal(world), await openDeal(world), await openDeal(world)];
    await networkHelpers.mineUpTo(epoch(deals[0] as OpenedDeal, 1) + 1);
    for (const deal of deals) await proveWindow(world, deal, 1);
    await afterWindow(deals[2] as OpenedDeal, 1);
    const ids = deals.map((deal) => deal.id);
    const receipt = await (await world.market.settle(ids, NO_BOUNTY)).wait();
    const payments = receipt?.logs.filter((log) => log.address === world.config.vault) ?? [];
    expect(payments.length).to.equal(2);
    expect(await balance(world, world.treasury)).to.equal(3n * FEE);
  });

  it("needs no receiver's consent: a payee and an owner that refuse everything are paid all the same", async () => {
    const world = await fixture();
    const deal = await openDeal(world);
    await world.registry.connect(world.provider).setPayee(world.tokenAddress);
    await world.market.connect(world.client).transferFrom(world.client, world.tokenAddress, deal.id);
    await proveWindow(world, deal, 1);
    await nextBlockIs(epoch(deal, 5) + 1);
    await settle(world, deal);
    expect(await world.market.statusOf(deal.id)).to.equal(Status.Defaulted);
    const claims = await world.vault.balanceOf(world.tokenAddress, BigInt(world.tokenAddress));
    expect(claims).to.equal(PAID + 5_000n + 3_001n - 150n);
  });

  it("pays the market as payee into its ordinary claims, not into its escrow", async () => {
    const world = await fixture();
    const deal = await openDeal(world);
    await world.registry.connect(world.provider).setPayee(world.marketAddress);
    await proveWindow(world, deal, 1);
    await afterWindow(deal, 1);
    await settle(world, deal, world.config.registry);
    expect(await world.vault.escrowOf(world.marketAddress, world.tokenAddress)).to.equal(5_000n);
    expect(await world.vault.balanceOf(world.marketAddress, BigInt(world.tokenAddress))).to.equal(PAID);
  });

  it("works without fee and without collateral", async () => {
    const world = await deployMarket({ feeBps: 0n });
    const deal = await openDeal(world, { collateral: 0n });
    await proveWindow(world, deal, 1);
    await nextBlockIs(epoch(deal, 4) + deal.tier.window + 1);
    await settle(world, deal);
    expect(await world.market.statusOf(deal.id)).to.equal(Status.Defaulted);
    const t = await totals(world, deal);
    expect([t.paid, t.fee, t.refunded, t.slashed]).to.deep.equal([1_000n, 0n, 5_000n, 0n]);
    expect(await balance(world, world.treasury)).to.equal(0n);
  });

  it("rounds fee and bounty down, per period and per miss", async () => {
    const world = await fixture();
    const deal = await openDeal(world, { pricePerPeriod: 199n, collateral: 119n });
    await proveWindow(world, deal, 1);
    await nextBlockIs(epoch(deal, 4) + deal.tier.window + 1);
    await settle(world, deal);
    const t = await totals(world, deal);
    expect([t.paid, t.fee]).to.deep.equal([198n, 1n]);
    // Shares of 39, 39 and 41; five percent of each, rounded down: 1 + 1 + 2.
    expect([t.slashed, t.bounty]).to.deep.equal([119n, 4n]);
  });
});

describe("StorageMarket: construction", () => {
  const fixture = () => networkHelpers.loadFixture(standardMarket);
  const tier = { period: 32, window: 8, challenges: 3, maxMisses: 3 };

  it("checks the table", async () => {
    const { market, config } = await fixture();
    const bad = [
      { ...tier, period: 15 },
      { ...tier, window: 0 },
      { ...tier, window: 32 },
      { ...tier, challenges: 0 },
      { ...tier, challenges: 256 },
      { ...tier, maxMisses: 0 },
      { ...tier, maxMisses: 2 ** 24 },
      { ...tier, period: 16, window: 4 },
    ];
    for (const [i, row] of bad.entries()) {
      const challengeFinality = i === bad.length - 1 ? 16 : config.challengeFinality;
      const call = ethers.deployContract("StorageMarket", [{ ...config, challengeFinality, tiers: [tier, row] }]);
      await expect(call).to.be.revertedWithCustomError(market, "InvalidTier").withArgs(1n);
    }
  });

  it("has up to eight rows, each read back as it was given", async () => {
    const { market, config } = await fixture();
    const tiers = Array.from({ length: 8 }, (_, i) => ({
      period: 2 ** 32 - 1 - i,
      window: 2 ** 32 - 20 - i,
      challenges: 255 - i,
      maxMisses: 2 ** 24 - 1 - i,
    }));
    const wide = await ethers.deployContract("StorageMarket", [{ ...config, tiers }]);
    for (const [i, { period, window, challenges, maxMisses }] of tiers.entries()) {
      const row = [period, window, challenges, maxMisses].map(BigInt);
      expect([...(await wide.tierAt(i))], `tier ${i}`).to.deep.equal(row);
    }
    await expect(wide.tierAt(8)).to.be.revertedWithCustomError(wide, "UnknownTier").withArgs(8n);
    await expect(ethers.deployContract("StorageMarket", [{ ...config, tiers: [...tiers, tier] }]))
      .to.be.revertedWithCustomError(market, "InvalidConfig")
      .withArgs("tiers");
  });

  it("checks everything else, and says what is wrong", async () => {
    const { market, config, stranger } = await fixture();
    const bad = {
      vault: { vault: stranger.address },
      registry: { registry: stranger.address },
      randomness: { randomness: stranger.address },
      feeBps: { feeBps: 101 },
      treasury: { treasury: ethers.ZeroAddress },
      challengeFinality: { challengeFinality: 0 },
      demandWindow: { demandWindow: 0 },
      tiers: { tiers: [] },
    };
    for (const [what, change] of Object.entries(bad)) {
      await expect(ethers.deployContract("StorageMarket", [{ ...config, ...change }]))
        .to.be.revertedWithCustomError(market, "InvalidConfig")
        .withArgs(what);
    }
    await expect(
      ethers.deployContract("StorageMarket", [{ ...config, feeBps: 1, treasury: ALIAS }]),
    ).to.be.revertedWithCustomError(market, "InvalidConfig");
  });

  it("shows what was chosen, for ever", async () => {
    const { market, lens, config, domain } = await fixture();
    const { TypedDataEncoder } = await import("ethers");
    expect(await market.vault()).to.equal(config.vault);
    expect(await market.registry()).to.equal(config.registry);
    expect(await market.randomness()).to.equal(config.randomness);
    expect(await market.treasury()).to.equal(config.treasury);
    expect(await market.feeBps()).to.equal(config.feeBps);
    expect(await market.challengeFinality()).to.equal(BigInt(config.challengeFinality));
    expect(await market.demandWindow()).to.equal(BigInt(config.demandWindow));
    expect(await market.stakeToken()).to.equal(config.stakeToken);
    expect(await market.minStake()).to.equal(0n);
    expect(await market.tierCount()).to.equal(3n);
    expect(await market.DOMAIN_SEPARATOR()).to.equal(TypedDataEncoder.hashDomain(domain));
    expect([await market.name(), await market.symbol()]).to.deep.equal(["Holdfast Deal", "HOLD"]);
    const shown = await market.eip712Domain();
    expect([shown.fields, shown.domainName, shown.version]).to.deep.equal(["0x0f", domain.name, domain.version]);
    expect([shown.chainId, shown.verifyingContract]).to.deep.equal([31_337n, await market.getAddress()]);
    expect([shown.salt, [...shown.extensions]]).to.deep.equal([ethers.ZeroHash, []]);
    expect(await lens.market()).to.equal(await market.getAddress());
  });
});
