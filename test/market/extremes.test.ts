import { expect } from "chai";
import type { Result } from "ethers";
import { signTerms } from "../../src/protocol/index.js";
import {
  ALIAS,
  balance,
  deployMarket,
  ethers,
  makePiece,
  networkHelpers,
  nextBlockIs,
  openTerms,
  pack,
  proofNow,
  Status,
  standardMarket,
  termsFor,
  type World,
} from "../support/market.js";

const MAX_32 = 2 ** 32 - 1;
const MAX_PERIODS = 2 ** 24;
const MAX_128 = 2n ** 128n - 1n;

/** Eight rows, each number different from its neighbours and several as large as they can be. */
const WIDE_TABLE = [
  { period: 16, window: 15, challenges: 255, maxMisses: 6 },
  { period: MAX_32, window: MAX_32 - 1, challenges: 255, maxMisses: MAX_PERIODS - 1 },
  { period: 17, window: 1, challenges: 1, maxMisses: 2 },
  { period: MAX_32 - 1, window: 2, challenges: 254, maxMisses: 3 },
  { period: 18, window: 16, challenges: 2, maxMisses: MAX_PERIODS - 2 },
  { period: MAX_32 - 2, window: 3, challenges: 3, maxMisses: 4 },
  { period: 19, window: 4, challenges: 253, maxMisses: 5 },
  { period: 16, window: 5, challenges: 4, maxMisses: 1 },
];

/** The market of `deployMarket` with another table, and with money as large as a deposit can be. */
async function wideMarket(): Promise<World> {
  const world = await deployMarket();
  const config = { ...world.config, tiers: WIDE_TABLE };
  const market = await ethers.deployContract("StorageMarket", [config]);
  const lens = await ethers.deployContract("MarketLens", [market]);
  const marketAddress = await market.getAddress();
  for (const account of [world.provider, world.keeper]) {
    await world.token.mint(account, MAX_128);
    await world.vault.connect(account).depositAndApprove(world.tokenAddress, MAX_128, marketAddress);
  }
  await world.registry.connect(world.provider).provision(marketAddress, world.tokenAddress, MAX_128);
  const domain = { ...world.domain, verifyingContract: marketAddress };
  return { ...world, market, lens, config: config as unknown as World["config"], domain, marketAddress };
}

/** A struct from the chain by the names of its members. */
const members = (struct: unknown): Record<string, unknown> => (struct as Result).toObject();

describe("StorageMarket: extremes", () => {
  const fixture = () => networkHelpers.loadFixture(wideMarket);

  it("keeps eight rows apart", async () => {
    const { market } = await fixture();
    for (const [i, row] of WIDE_TABLE.entries()) {
      const { period, window, challenges, maxMisses } = await market.tierAt(i);
      expect({ period, window, challenges, maxMisses }).to.deep.equal(
        Object.fromEntries(Object.entries(row).map(([name, value]) => [name, BigInt(value)])),
      );
    }
    await expect(market.tierAt(8)).to.be.revertedWithCustomError(market, "UnknownTier").withArgs(8);
    await expect(
      ethers.deployContract("StorageMarket", [
        { ...(await standardMarket()).config, tiers: [...WIDE_TABLE, WIDE_TABLE[0]] },
      ]),
    ).to.be.revertedWithCustomError(market, "InvalidConfig");
  });

  it("counts to the last of 2^24 windows, all missed, all restored, at the highest price and stake", async () => {
    const world = await fixture();
    const { market, lens, provider, keeper, client } = world;
    const price = MAX_128 / BigInt(MAX_PERIODS);
    const share = MAX_128 / BigInt(MAX_PERIODS + 1);
    const root = `0x${"ff".repeat(31)}3f`;
    const { commitment } = await makePiece(1_000);
    const terms = termsFor(
      world,
      { commitment },
      {
        root,
        leafCount: 2n ** 40n,
        tier: 7,
        periods: MAX_PERIODS,
        maxPeriods: MAX_PERIODS,
        pricePerPeriod: price,
        collateral: share,
      },
    );
    const signature = await signTerms(provider, world.domain, terms);
    await market.connect(keeper).open(terms, "0x", signature);
    const id = await market.dealIdOf(terms);
    await market.connect(provider).restore(id, MAX_PERIODS);
    await expect(market.connect(provider).restore(id, 1)).to.be.revertedWithCustomError(market, "BeyondMaxPeriods");

    const read = async () => {
      const [storedRoot, course, money] = await market.recordOf(id);
      return { root: storedRoot, firstEpoch: course.firstEpoch, ...members(course), ...members(money) };
    };
    const opened = await read();
    expect(opened).to.deep.equal({
      root,
      provider: provider.address,
      leafCount: 2n ** 40n,
      firstEpoch: opened.firstEpoch,
      periods: BigInt(MAX_PERIODS),
      proven: 0n,
      lastProven: 0n,
      restored: BigInt(MAX_PERIODS),
      demandMisses: 0n,
      paid: 0n,
      slashed: 0n,
      tier: 7n,
      stage: 2n,
      gift: true,
      provenBefore: false,
      amended: false,
      migrated: false,
      token: world.tokenAddress,
      maxPeriods: BigInt(MAX_PERIODS),
      fundedPeriods: BigInt(MAX_PERIODS),
      price,
      collateral: share,
    });

    const lastBlock = Number(opened.firstEpoch) + (MAX_PERIODS - 1) * 16 + 5;
    await nextBlockIs(lastBlock);
    await market.settle([id], keeper);
    expect(await read()).to.deep.equal({ ...opened, slashed: BigInt(MAX_PERIODS - 1) });
    expect(await market.statusOf(id)).to.equal(Status.Open);
    await market.settle([id, id, 0n, 2n ** 256n - 1n], ALIAS);
    expect(await read()).to.deep.equal({ ...opened, slashed: BigInt(MAX_PERIODS), stage: 4n });
    expect(await market.statusOf(id)).to.equal(Status.Completed);

    const totals = await lens.totalsOf(id);
    const slashed = BigInt(MAX_PERIODS) * share;
    expect([totals.refunded, totals.escrow]).to.deep.equal([price * BigInt(MAX_PERIODS), 0n]);
    expect([totals.slashed, totals.returned, totals.stake]).to.deep.equal([slashed, share, 0n]);
    const bounty = (share * 500n) / 10_000n;
    expect(totals.bounty).to.equal(BigInt(MAX_PERIODS) * bounty);
    const keeperHas = 1_000_000n + MAX_128 - price * BigInt(MAX_PERIODS) + BigInt(MAX_PERIODS - 1) * bounty;
    expect(await balance(world, keeper)).to.equal(keeperHas);
    expect(await balance(world, client)).to.equal(1_000_000n + totals.refunded + totals.compensation + bounty);
    expect(await world.vault.escrowOf(world.marketAddress, world.tokenAddress)).to.equal(0n);
    const stake = await world.registry.provisionOf(provider, world.marketAddress, world.tokenAddress);
    expect([...stake]).to.deep.equal([MAX_128 - slashed, 0n]);
  });

  it("proves the last two of 2^24 windows, and pays for these two", async () => {
    const world = await fixture();
    const { market, lens, provider, keeper } = world;
    const piece = await makePiece(1_000);
    const terms = termsFor(world, piece, { tier: 7, periods: MAX_PERIODS, maxPeriods: MAX_PERIODS, collateral: 1n });
    const signature = await signTerms(provider, world.domain, terms);
    await market.connect(keeper).open(terms, "0x", signature);
    const id = await market.dealIdOf(terms);
    await market.connect(provider).restore(id, MAX_PERIODS - 1);
    const before = members((await market.recordOf(id))[1]);
    const last = Number(before.firstEpoch) + (MAX_PERIODS - 1) * 16;
    for (const epoch of [last - 16, last]) {
      await networkHelpers.mineUpTo(epoch + 1);
      await market.prove(id, await proofNow(world, { id, piece }));
    }
    const proven = { ...before, proven: 2n, lastProven: BigInt(MAX_PERIODS), provenBefore: true };
    expect(members((await market.recordOf(id))[1])).to.deep.equal(proven);
    expect(await market.isProven(id, await market.pieceIdOf(id))).to.equal(true);
    await nextBlockIs(last + 6);
    await market.settle([id], keeper);
    const closed = { ...proven, paid: 2n, slashed: BigInt(MAX_PERIODS - 2), stage: 4n };
    expect(members((await market.recordOf(id))[1])).to.deep.equal(closed);
    const { paid, fee, returned } = await lens.totalsOf(id);
    expect([paid, fee, returned]).to.deep.equal([1_980n, 20n, 2n]);
  });

  it("takes 255 challenges of pieces of one to five leaves, and keeps every other field while proving", async () => {
    const world = await fixture();
    const { market, lens } = world;
    await world.vault.connect(world.client).setOperator(market, true);
    const deals = [];
    for (const bytes of [20, 60, 90, 120, 150]) {
      const piece = await makePiece(bytes, bytes);
      const terms = termsFor(world, piece, { tier: 0 });
      deals.push({ id: await openTerms(world, terms), piece, leaves: piece.commitment.leafCount });
    }
    expect(deals.map((deal) => deal.leaves)).to.deep.equal([1n, 2n, 3n, 4n, 5n]);
    const ids = deals.map((deal) => deal.id);
    const before = await lens.dealsOf(ids);
    // Epochs of one provider in one tier are whole periods apart, so all deals have a window open in the same block; the
    // first may have missed one by then.
    await networkHelpers.mineUpTo(Math.max(...before.map((deal) => Number(deal.firstEpoch))) + 1);
    const proofs = await Promise.all(deals.map((deal) => proofNow(world, deal)));
    // Every leaf is asked for, so the smallest tree is sent whole.
    expect((await lens.challengeOf(ids[3]!)).leaves).to.deep.equal([0n, 1n, 2n, 3n]);
    await market.proveMany(ids, pack(proofs));
    for (const [i, now] of (await lens.dealsOf(ids)).entries()) {
      const { standing } = now;
      expect({ ...members(now), standing }).to.deep.equal({
        ...members(before[i]),
        standing,
        proven: 1n,
        lastProven: standing.open,
      });
    }
  });

  it("refuses a registry that keeps its stake in another vault", async () => {
    const { market, config } = await fixture();
    const other = await ethers.deployContract("ProviderRegistry", [await ethers.deployContract("Vault")]);
    await expect(ethers.deployContract("StorageMarket", [{ ...config, registry: await other.getAddress() }]))
      .to.be.revertedWithCustomError(market, "InvalidConfig")
      .withArgs("registry");
  });
});

describe("StorageMarket: accounts under EIP-7702", () => {
  it("sign by the code that they delegate to, and no longer by their key, but still send for themselves", async () => {
    const world = await networkHelpers.loadFixture(standardMarket);
    const { market, client, provider, keeper, stranger } = world;
    const wallet = await ethers.deployContract("Wallet1271", [keeper]);
    const piece = await makePiece(1_000);
    const terms = termsFor(world, piece);
    const byKey = await signTerms(client, world.domain, terms);
    const byCode = await signTerms(keeper, world.domain, terms);
    const consent = await signTerms(provider, world.domain, terms);
    const delegation = `0xef0100${(await wallet.getAddress()).slice(2)}`;
    for (const account of [client, provider]) await networkHelpers.setCode(account.address, delegation);

    await expect(market.connect(stranger).open(terms, byKey, consent))
      .to.be.revertedWithCustomError(market, "InvalidClientSignature")
      .withArgs(client.address);
    await expect(market.connect(stranger).open(terms, byCode, consent))
      .to.be.revertedWithCustomError(market, "InvalidProviderSignature")
      .withArgs(provider.address);
    await market.connect(stranger).open(terms, byCode, byCode);
    expect(await market.ownerOf(await market.dealIdOf(terms))).to.equal(client.address);

    const own = termsFor(world, piece);
    await market.connect(provider).open(own, await signTerms(keeper, world.domain, own), "0x");
    expect(await market.statusOf(await market.dealIdOf(own))).to.equal(Status.Open);
  });
});
