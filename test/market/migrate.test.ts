import { expect } from "chai";
import { type DealTerms, dealIdOf, possessionEpoch, signMigration, signTerms } from "../../src/protocol/index.js";
import {
  addProvider,
  amendDeal,
  consentTo,
  migrateDeal,
  movedTerms,
  possessionOf,
  sendMigration,
} from "../support/changes.js";
import {
  balance,
  COIN,
  claim,
  deployMarket,
  epoch,
  ethers,
  latest,
  makePiece,
  NO_BOUNTY,
  networkHelpers,
  nextBlockIs,
  type OpenedDeal,
  openDeal,
  plain,
  proveWindow,
  Status,
  standardMarket,
  TIERS,
  termsFor,
  type World,
} from "../support/market.js";

const WINDOW = 8;

describe("StorageMarket: migrate", () => {
  const fixture = () => networkHelpers.loadFixture(standardMarket);

  /** A deal with window 1 proven and open, and a second provider. */
  async function moving(changes: Partial<DealTerms> = {}) {
    const world = await fixture();
    const rival = await addProvider(world);
    const deal = await openDeal(world);
    await proveWindow(world, deal, 1);
    const terms = movedTerms(world, deal.piece, rival.address, changes);
    return { world, rival, deal, terms };
  }

  /** Everything that a failed migration must leave as it was. */
  async function everything(world: World, deal: OpenedDeal, terms: DealTerms) {
    const { market, vault, registry, client, provider, keeper, tokenAddress, marketAddress } = world;
    const successor = dealIdOf(world.domain, terms);
    return {
      record: plain(await market.recordOf(deal.id)).map(String),
      revision: plain(await market.revisionOf(deal.id)).map(String),
      successor: await market.successorOf(deal.id),
      status: [await market.statusOf(deal.id), await market.statusOf(successor)],
      state: await market.stateHash(deal.id),
      balances: await Promise.all([client, provider, keeper].map((account) => balance(world, account))),
      escrow: await vault.escrowOf(marketAddress, tokenAddress),
      stake: await Promise.all(
        [provider, keeper].map(async (p) => plain(await registry.provisionOf(p, marketAddress, tokenAddress))),
      ),
    };
  }

  async function refused(
    { world, deal, terms }: { world: World; deal: OpenedDeal; terms: DealTerms },
    call: () => Promise<unknown>,
    contract: { interface: World["market"]["interface"] } | unknown,
    error: string,
    ...args: unknown[]
  ) {
    const before = await everything(world, deal, terms);
    const refusal = expect(call()).to.be.revertedWithCustomError(contract as World["market"], error);
    await (args.length === 0 ? refusal : refusal.withArgs(...args));
    expect(await everything(world, deal, terms), "as it was").to.deep.equal(before);
  }

  it("ends the old deal as its owner's ending does, and opens one with the provider that has the bytes", async () => {
    const { world, rival, deal, terms } = await moving();
    const { market, lens, client } = world;
    const before = await balance(world, client);
    const successor = dealIdOf(world.domain, terms);
    const call = await sendMigration(world, deal, terms, rival);
    await expect(call).to.emit(market, "Migrated").withArgs(deal.id, successor, rival.address, 2n, 4_000n);
    await expect(call).to.emit(market, "Opened");
    await expect(call).to.emit(market, "Transfer").withArgs(ethers.ZeroAddress, client.address, successor);
    const [opened] = await market.queryFilter(market.filters.Opened(successor));
    expect([opened?.args.payer, opened?.args.gift]).to.deep.equal([client.address, false]);
    expect(await market.successorOf(deal.id)).to.equal(successor);
    expect(await market.successorOf(successor)).to.equal(0n);
    expect((await lens.dealOf(deal.id)).successor).to.equal(successor);

    const [old, next] = [await lens.dealOf(deal.id), await lens.dealOf(successor)];
    expect([old.standing.status, old.periods]).to.deep.equal([Status.Ending, 2n]);
    expect([next.standing.status, next.periods, next.provider]).to.deep.equal([Status.Open, 6n, rival.address]);
    expect(next.gift).to.equal(false);
    // 4,000 came from the old deal's escrow, 2,000 from the owner.
    expect(before - (await balance(world, client))).to.equal(2_000n);
    expect((await lens.totalsOf(deal.id)).refunded).to.equal(4_000n);
    expect((await lens.totalsOf(successor)).escrow).to.equal(6_000n);
    expect(await world.vault.escrowOf(world.marketAddress, world.tokenAddress)).to.equal(2_000n + 6_000n);
    const stake = await world.registry.provisionOf(rival, world.marketAddress, world.tokenAddress);
    expect(plain(stake)).to.deep.equal([100_000n - 3_001n, 3_001n]);
  });

  it("is Migrated where it would be Completed, for ever, with the money of its own windows", async () => {
    const { world, rival, deal, terms } = await moving();
    const { market, lens } = world;
    const successor = await migrateDeal(world, deal, terms, rival);
    await proveWindow(world, deal, 2);
    await networkHelpers.mineUpTo(epoch(deal, 2) + WINDOW);
    expect(await market.statusOf(deal.id)).to.equal(Status.Ending);
    await networkHelpers.mineUpTo(epoch(deal, 2) + WINDOW + 1);
    expect(await market.statusOf(deal.id), "before anybody settles").to.equal(Status.Migrated);
    const now = await lens.totalsNow(deal.id);
    await expect(market.settle([deal.id], NO_BOUNTY))
      .to.emit(market, "Settled")
      .withArgs(deal.id, 2n, 0n, (due: { closes: boolean }) => due.closes, ethers.ZeroAddress, Status.Migrated);
    const t = await lens.totalsOf(deal.id);
    expect(plain(t)).to.deep.equal(plain(now));
    expect([t.paid, t.fee, t.refunded, t.escrow, t.returned]).to.deep.equal([1_980n, 20n, 4_000n, 0n, 3_001n]);
    expect(await market.statusOf(deal.id)).to.equal(Status.Migrated);
    expect(await market.isProven(deal.id, await market.pieceIdOf(deal.id))).to.equal(false);
    expect(await market.statusOf(successor)).to.equal(Status.Open);
    await expect(market.settle([deal.id], NO_BOUNTY)).not.to.emit(market, "Settled");
  });

  it("defaults all the same where the old provider stops proving", async () => {
    const world = await fixture();
    const rival = await addProvider(world);
    const deal = await openDeal(world);
    await nextBlockIs(epoch(deal, 2) + WINDOW + 2);
    await world.market.settle([deal.id], NO_BOUNTY);
    await nextBlockIs(epoch(deal, 3) - 2);
    await migrateDeal(world, deal, movedTerms(world, deal.piece, rival.address), rival);
    await networkHelpers.mineUpTo(epoch(deal, 3) + WINDOW + 1);
    expect(await world.market.statusOf(deal.id)).to.equal(Status.Defaulted);
  });

  it("lets a default go first", async () => {
    const world = await fixture();
    const rival = await addProvider(world);
    const deal = await openDeal(world);
    await nextBlockIs(epoch(deal, 3) + WINDOW + 1);
    const terms = movedTerms(world, deal.piece, rival.address);
    const setup = { world, deal, terms };
    const call = () => sendMigration(world, deal, terms, rival);
    await refused(setup, call, world.market, "WrongStatus", deal.id, Status.Defaulted);
  });

  it("gives a surplus back to the owner", async () => {
    const { world, rival, deal, terms } = await moving({ pricePerPeriod: 10n });
    const before = await balance(world, world.client);
    await migrateDeal(world, deal, terms, rival);
    expect((await balance(world, world.client)) - before).to.equal(4_000n - 60n);
  });

  it("moves no money where both cost the same", async () => {
    const { world, rival, deal, terms } = await moving({ periods: 4, pricePerPeriod: 1_000n });
    await world.vault.connect(world.client).setOperator(world.market, false);
    const before = await balance(world, world.client);
    await migrateDeal(world, deal, terms, rival);
    expect(await balance(world, world.client)).to.equal(before);
  });

  it("changes the token: the old escrow goes back, the new one is paid whole", async () => {
    const { world, rival, deal } = await moving();
    const { vault, registry, client, marketAddress } = world;
    for (const account of [client, rival])
      await vault.connect(account).deposit(COIN, account, 10_000n, { value: 10_000n });
    await registry.connect(rival).provision(marketAddress, COIN, 5_000n);
    const before = await balance(world, client);
    const terms = movedTerms(world, deal.piece, rival.address, { token: COIN, pricePerPeriod: 500n });
    await migrateDeal(world, deal, terms, rival);
    expect((await balance(world, client)) - before).to.equal(4_000n);
    expect(await vault.balanceOf(client, claim(COIN))).to.equal(7_000n);
    expect(await vault.escrowOf(marketAddress, COIN)).to.equal(3_000n);
    expect(await vault.escrowOf(marketAddress, world.tokenAddress)).to.equal(2_000n);
  });

  it("changes the tier, and asks for as many leaves as that has", async () => {
    const { world, rival, deal, terms } = await moving({ tier: 1 });
    expect(TIERS[1].challenges).to.be.greaterThan(TIERS[0].challenges);
    const wrong = await possessionOf(world, deal.id, { ...terms, tier: 0 }, deal.piece);
    const call = () => sendMigration(world, deal, terms, rival, { proof: wrong });
    await refused({ world, deal, terms }, call, world.market, "InvalidPossession", rival.address);
    const successor = await migrateDeal(world, deal, terms, rival);
    expect((await world.lens.dealOf(successor)).tier).to.equal(1n);
  });

  it("goes on from deal to deal", async () => {
    const { world, rival, deal, terms } = await moving();
    const second = await migrateDeal(world, deal, terms, rival);
    const back = movedTerms(world, deal.piece, world.provider.address);
    const third = await migrateDeal(world, { id: second, piece: deal.piece }, back, world.provider);
    expect(await world.market.successorOf(second)).to.equal(third);
    const again = movedTerms(world, deal.piece, rival.address);
    await refused(
      { world, deal, terms: again },
      () => sendMigration(world, deal, again, rival),
      world.market,
      "WrongStatus",
      deal.id,
      Status.Ending,
    );
  });

  it("is for the piece in force: the old one while an amendment waits, which then is dropped", async () => {
    const { world, rival, deal } = await moving();
    await nextBlockIs(epoch(deal, 2) - 2);
    const next = await amendDeal(world, deal, await makePiece(5_000, 2), { pricePerPeriod: 1_500n });
    expect((await world.market.revisionOf(deal.id)).from).to.equal(3n);
    const wrong = movedTerms(world, next.piece, rival.address);
    const asked = await world.market.pieceIdOf(deal.id);
    const call = () => sendMigration(world, next, wrong, rival);
    const offered = ethers.keccak256(
      ethers.AbiCoder.defaultAbiCoder().encode(["bytes32", "uint64"], [wrong.root, wrong.leafCount]),
    );
    await refused({ world, deal, terms: wrong }, call, world.market, "PieceMismatch", offered, asked);
    await nextBlockIs(epoch(deal, 2));
    const terms = movedTerms(world, deal.piece, rival.address, { pricePerPeriod: 1n, periods: 3 });
    const before = await balance(world, world.client);
    const sent = sendMigration(world, deal, terms, rival);
    await expect(sent)
      .to.emit(world.market, "RevisionDropped")
      .withArgs(deal.id, 2n, 4n * 1_500n);
    await expect(sent)
      .to.emit(world.market, "Migrated")
      .withArgs(deal.id, dealIdOf(world.domain, terms), rival.address, 2n, 0n);
    expect((await balance(world, world.client)) - before).to.equal(6_000n - 3n);
    const t = await world.lens.totalsOf(deal.id);
    expect(t.escrow, "window 2").to.equal(1_000n);
  });

  it("is for the new piece once an amendment has taken effect, settled or not", async () => {
    const { world, rival, deal } = await moving();
    const next = await amendDeal(world, deal, await makePiece(5_000, 2));
    await nextBlockIs(epoch(deal, 1) + WINDOW + 2);
    const terms = movedTerms(world, next.piece, rival.address);
    await expect(sendMigration(world, next, terms, rival)).to.emit(world.market, "RevisionTurned");
    expect(await world.market.statusOf(dealIdOf(world.domain, terms))).to.equal(Status.Open);
  });

  describe("possession", () => {
    it("is that of the new provider, in this very deal, now: nobody else's proof will do", async () => {
      const { world, rival, deal, terms } = await moving();
      const other = await openDeal(world, {}, 1_000);
      const refuse = async (proof: string) => {
        const call = () => sendMigration(world, deal, terms, rival, { proof });
        await refused({ world, deal, terms }, call, world.market, "InvalidPossession", rival.address);
      };
      await refuse("0x");
      const byOther = { ...terms, provider: world.provider.address };
      await refuse(await possessionOf(world, deal.id, byOther, deal.piece));
      await refuse(await possessionOf(world, other.id, terms, deal.piece));
      const right = await possessionOf(world, deal.id, terms, deal.piece);
      await refuse(`0x01${right.slice(4)}`);
      await refuse(`${right}${"00".repeat(32)}`);
      await migrateDeal(world, deal, terms, rival);
    });

    it("is asked for by the seed of the last multiple of 64, which changes", async () => {
      const { world, rival, deal, terms } = await moving({ validUntil: 4_000_000_000n });
      const grid = (Math.floor((await latest()) / 64) + 1) * 64;
      await nextBlockIs(grid);
      const old = await possessionOf(world, deal.id, terms, deal.piece);
      expect(possessionEpoch(grid), "in the block itself, the one before").to.equal(grid - 64);
      await networkHelpers.mineUpTo(grid);
      expect(possessionEpoch((await latest()) + 1)).to.equal(grid);
      const call = () => sendMigration(world, deal, terms, rival, { proof: old });
      await refused({ world, deal, terms }, call, world.market, "InvalidPossession", rival.address);
      await migrateDeal(world, deal, terms, rival);
    });

    it("can't be shown where the seed can't be read", async () => {
      const { world, rival, deal, terms } = await moving();
      const config = {
        ...world.config,
        randomness: await (await ethers.deployContract("RandaoRandomness")).getAddress(),
      };
      const market = await ethers.deployContract("StorageMarket", [config]);
      const marketAddress = await market.getAddress();
      const domain = { ...world.domain, verifyingContract: marketAddress };
      const lens = await ethers.deployContract("MarketLens", [market]);
      const there = { ...world, market, marketAddress, domain, lens };
      await world.vault.connect(world.client).setOperator(market, true);
      for (const provider of [world.provider, rival]) {
        await world.registry.connect(provider).provision(marketAddress, world.tokenAddress, 10_000n);
      }
      const unseeded = await openDeal(there as World);
      const signature = await signTerms(rival, domain, terms);
      const call = market.connect(world.client).migrate(unseeded.id, terms, "0x", signature, "0x");
      await expect(call)
        .to.be.revertedWithCustomError(world.randomness, "SeedUnavailable")
        .withArgs(possessionEpoch((await latest()) + 1));
      expect(deal.id).not.to.equal(unseeded.id);
    });
  });

  describe("consent", () => {
    it("is the owner's and the new provider's: whoever sends needs no signature", async () => {
      const { world, rival, deal, terms } = await moving();
      const { market, client, stranger, signer, registry, domain } = world;
      const proof = await possessionOf(world, deal.id, terms, deal.piece);
      const [owners, providers] = [
        await consentTo(world, client, deal.id, terms),
        await signTerms(rival, domain, terms),
      ];
      const snapshot = await networkHelpers.takeSnapshot();
      await expect(market.connect(rival).migrate(deal.id, terms, owners, "0x", proof)).to.emit(market, "Migrated");
      await snapshot.restore();
      await expect(market.connect(stranger).migrate(deal.id, terms, owners, providers, proof)).to.emit(
        market,
        "Migrated",
      );
      await snapshot.restore();
      await registry.connect(rival).setSigner(signer);
      await expect(market.connect(signer).migrate(deal.id, terms, owners, "0x", proof)).to.emit(market, "Migrated");
    });

    it("to other terms, or to terms alone, is none: a deal moves to what its owner named", async () => {
      const { world, rival, deal, terms } = await moving();
      const { market, client, stranger, domain } = world;
      const setup = { world, deal, terms };
      const proof = await possessionOf(world, deal.id, terms, deal.piece);
      const providers = await signTerms(rival, domain, terms);
      const send = (owners: string, sender = stranger) =>
        market.connect(sender).migrate(deal.id, terms, owners, providers, proof);
      const error = ["InvalidClientSignature", client.address] as const;
      await refused(setup, () => send("0x"), market, ...error);
      await refused(setup, () => send("0x", rival), market, ...error);
      // The owner signed these terms for an opening of their own, which is not consent to move this deal.
      await refused(setup, async () => send(await signTerms(client, domain, terms)), market, ...error);
      const cheaper = { ...terms, pricePerPeriod: 1n };
      await refused(setup, async () => send(await consentTo(world, client, deal.id, cheaper)), market, ...error);
      const other = await openDeal(world);
      await refused(setup, async () => send(await consentTo(world, client, other.id, terms)), market, ...error);
      await refused(setup, async () => send(await consentTo(world, stranger, deal.id, terms)), market, ...error);
      await send(await consentTo(world, client, deal.id, terms));
    });

    it("of the provider is over the new terms", async () => {
      const { world, deal, rival, terms } = await moving();
      const proof = await possessionOf(world, deal.id, terms, deal.piece);
      const send = (signature: string) =>
        world.market.connect(world.client).migrate(deal.id, terms, "0x", signature, proof);
      const setup = { world, deal, terms };
      const dearer = await signTerms(rival, world.domain, { ...terms, pricePerPeriod: 2_000n });
      await refused(setup, () => send("0x"), world.market, "InvalidProviderSignature", rival.address);
      await refused(setup, () => send(dearer), world.market, "InvalidProviderSignature", rival.address);
    });

    it("is the present owner's, who is the client of the new deal", async () => {
      const { world, rival, deal, terms } = await moving();
      const { market, client, stranger, domain } = world;
      const owners = await signMigration(client, domain, { dealId: deal.id, successor: dealIdOf(domain, terms) });
      const providers = await signTerms(rival, domain, terms);
      const proof = await possessionOf(world, deal.id, terms, deal.piece);
      await market.connect(client).transferFrom(client, stranger, deal.id);
      const call = () => market.connect(stranger).migrate(deal.id, terms, owners, providers, proof);
      await refused({ world, deal, terms }, call, market, "NotOwner", deal.id, client.address);
      const own = movedTerms(world, deal.piece, rival.address, { client: stranger.address });
      const signature = await signTerms(rival, domain, own);
      const mine = await possessionOf(world, deal.id, own, deal.piece);
      await market.connect(stranger).migrate(deal.id, own, "0x", signature, mine);
      expect(await market.ownerOf(dealIdOf(domain, own))).to.equal(stranger.address);
    });
  });

  describe("refuses, and leaves the deal as it was", () => {
    it("a deal that there is not, and one that is ending", async () => {
      const { world, rival, deal, terms } = await moving();
      const ghost = { id: 5n, piece: deal.piece };
      const call = () => sendMigration(world, ghost, terms, rival);
      await refused({ world, deal, terms }, call, world.market, "UnknownDeal", 5n);
      await world.market.connect(world.client).terminate(deal.id);
      const late = () => sendMigration(world, deal, terms, rival);
      await refused({ world, deal, terms }, late, world.market, "WrongStatus", deal.id, Status.Ending);
    });

    it("another piece, be it the same root with another leafCount", async () => {
      const { world, rival, deal } = await moving();
      const asked = await world.market.pieceIdOf(deal.id);
      const terms = termsFor(world, deal.piece, { provider: rival.address, leafCount: deal.terms.leafCount - 1n });
      const before = await everything(world, deal, terms);
      await expect(sendMigration(world, deal, terms, rival, { proof: "0x" }))
        .to.be.revertedWithCustomError(world.market, "PieceMismatch")
        .withArgs((id: string) => id !== asked, asked);
      expect(await everything(world, deal, terms)).to.deep.equal(before);
    });

    it("terms that could not be opened", async () => {
      const { world, rival, deal, terms } = await moving();
      const { market, keeper } = world;
      const tries: [Partial<DealTerms>, string, ...unknown[]][] = [
        [{ validUntil: 1n }, "TermsExpired", 1n],
        [{ tier: 3 }, "UnknownTier", 3n],
        [{ periods: 2 }, "InvalidPeriods", 2n, 12n],
        [{ collateral: 2n }, "InvalidCollateral", 2n],
        [{ provider: world.marketAddress }, "InvalidAccount", world.marketAddress],
      ];
      for (const [changes, error, ...args] of tries) {
        const bad = { ...terms, ...changes };
        const call = () => sendMigration(world, deal, bad, rival, { proof: "0x" });
        await refused({ world, deal, terms: bad }, call, market, error, ...args);
      }
      await market.connect(rival).cancel(terms);
      const id = dealIdOf(world.domain, terms);
      await refused(
        { world, deal, terms },
        () => sendMigration(world, deal, terms, rival),
        market,
        "TermsCancelled",
        id,
      );
      const call = () => sendMigration(world, deal, deal.terms, world.provider);
      await refused({ world, deal, terms: deal.terms }, call, market, "DealExists", deal.id);
      expect(keeper.address).to.equal(rival.address);
    });

    it("too little money, too little stake", async () => {
      const { world, rival, deal } = await moving();
      const dear = movedTerms(world, deal.piece, rival.address, { pricePerPeriod: 10n ** 6n });
      const costly = () => sendMigration(world, deal, dear, rival);
      await refused({ world, deal, terms: dear }, costly, world.vault, "ERC6909InsufficientBalance");
      const staked = movedTerms(world, deal.piece, rival.address, { collateral: 200_000n });
      const call = () => sendMigration(world, deal, staked, rival);
      await refused({ world, deal, terms: staked }, call, world.registry, "InsufficientStake");
      await world.vault.connect(world.client).setOperator(world.market, false);
      const unapproved = movedTerms(world, deal.piece, rival.address);
      const held = () => sendMigration(world, deal, unapproved, rival);
      await refused({ world, deal, terms: unapproved }, held, world.vault, "ERC6909InsufficientAllowance");
    });

    it("a provider below the deployment's least stake", async () => {
      const world = await deployMarket({ minStake: 400_000n });
      const rival = await addProvider(world);
      const deal = await openDeal(world);
      const terms = movedTerms(world, deal.piece, rival.address);
      const call = () => sendMigration(world, deal, terms, rival);
      const args = [rival.address, 100_000n, 400_000n];
      await refused({ world, deal, terms }, call, world.market, "StakeBelowMinimum", ...args);
    });
  });
});
