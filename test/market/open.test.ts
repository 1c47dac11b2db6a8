import { expect } from "chai";
import { ethers as core } from "ethers";
import { type DealTerms, dealIdOf, signTerms } from "../../src/protocol/index.js";
import {
  ALIAS,
  balance,
  COIN,
  claim,
  deployMarket,
  ethers,
  FINALITY,
  latest,
  makePiece,
  networkHelpers,
  openDeal,
  openTerms,
  plain,
  Status,
  standardMarket,
  TIERS,
  termsFor,
  type World,
} from "../support/market.js";

describe("StorageMarket: open and cancel", () => {
  const fixture = () => networkHelpers.loadFixture(standardMarket);
  const sign = (world: World, signer: Parameters<typeof signTerms>[0], terms: DealTerms) =>
    signTerms(signer, world.domain, terms);

  /** Opening these terms, the client sending and the provider having signed, reverts with this error. */
  async function refuses(changes: Partial<DealTerms>, error: string, ...args: unknown[]) {
    const world = await fixture();
    const terms = termsFor(world, await makePiece(500), changes);
    const signature = await sign(world, world.provider, terms);
    await expect(world.market.connect(world.client).open(terms, "0x", signature))
      .to.be.revertedWithCustomError(world.market, error)
      .withArgs(...args);
  }

  it("locks escrow and stake, mints the deal to the client, and says everything in one event", async () => {
    const world = await fixture();
    const { market, vault, registry, client, provider, marketAddress, tokenAddress } = world;
    const terms = termsFor(world, await makePiece(500));
    const before = await balance(world, client);
    const call = market.connect(client).open(terms, "0x", await sign(world, provider, terms));
    const id = dealIdOf(world.domain, terms);
    await expect(call).to.emit(market, "Transfer").withArgs(core.ZeroAddress, client.address, id);
    await expect(call).to.emit(market, "Opened");
    const [opened] = await market.queryFilter(market.filters.Opened(id));
    expect(plain(opened?.args.terms)).to.deep.equal(
      Object.values({ ...terms, tier: 0n, periods: 6n, maxPeriods: 12n }),
    );
    expect(opened?.args.payer).to.equal(client.address);
    expect(opened?.args.gift).to.equal(false);
    expect(await market.dealIdOf(terms)).to.equal(id);
    expect(await market.ownerOf(id)).to.equal(client.address);
    expect(before - (await balance(world, client))).to.equal(6_000n);
    expect(await vault.escrowOf(marketAddress, tokenAddress)).to.equal(6_000n);
    const [free, locked] = await registry.provisionOf(provider, marketAddress, tokenAddress);
    expect([free, locked]).to.deep.equal([500_000n - 3_001n, 3_001n]);
    expect(await market.statusOf(id)).to.equal(Status.Open);
  });

  it("draws the first challenge at the provider's phase, challengeFinality or more from now", async () => {
    const world = await fixture();
    const deal = await openDeal(world);
    const opened = await latest();
    const hash = core.keccak256(
      core.AbiCoder.defaultAbiCoder().encode(["address", "uint8"], [world.provider.address, 0]),
    );
    const { period } = TIERS[0];
    const phase = Number(BigInt(hash) % 16n) * Math.floor(period / 16);
    expect(deal.first % period).to.equal(phase);
    expect(deal.first).to.be.at.least(opened + FINALITY);
    expect(deal.first).to.be.below(opened + FINALITY + period);
  });

  it("takes the signatures of client and provider from anybody", async () => {
    const world = await fixture();
    const terms = termsFor(world, await makePiece(500));
    const [byClient, byProvider] = [await sign(world, world.client, terms), await sign(world, world.provider, terms)];
    await world.market.connect(world.stranger).open(terms, byClient, byProvider);
    const id = dealIdOf(world.domain, terms);
    expect(await world.market.ownerOf(id)).to.equal(world.client.address);
    expect((await world.lens.dealOf(id)).gift).to.equal(false);
    expect(await balance(world, world.stranger)).to.equal(1_000_000n);
  });

  it("needs no signature of the sender, be it provider or its registered signer", async () => {
    const world = await fixture();
    await world.registry.connect(world.provider).setSigner(world.signer);
    for (const sender of [world.provider, world.signer]) {
      const terms = termsFor(world, await makePiece(500));
      await world.market.connect(sender).open(terms, await sign(world, world.client, terms), "0x");
      expect(await world.market.statusOf(dealIdOf(world.domain, terms))).to.equal(Status.Open);
    }
  });

  it("takes the registered signer's signature, and not that of one that was replaced", async () => {
    const world = await fixture();
    await world.registry.connect(world.provider).setSigner(world.signer);
    const terms = termsFor(world, await makePiece(500));
    const signature = await sign(world, world.signer, terms);
    await openTerms(world, { ...terms, salt: core.ZeroHash }, world.signer);
    await world.registry.connect(world.provider).setSigner(core.ZeroAddress);
    await expect(world.market.connect(world.client).open(terms, "0x", signature))
      .to.be.revertedWithCustomError(world.market, "InvalidProviderSignature")
      .withArgs(world.provider.address);
  });

  it("opens a gift from the sender's money where the client did not sign, and remembers it", async () => {
    const world = await fixture();
    const terms = termsFor(world, await makePiece(500));
    await world.market.connect(world.stranger).open(terms, "0x", await sign(world, world.provider, terms));
    const id = dealIdOf(world.domain, terms);
    expect((await world.lens.dealOf(id)).gift).to.equal(true);
    expect(await world.market.ownerOf(id)).to.equal(world.client.address);
    expect(await balance(world, world.stranger)).to.equal(994_000n);
    expect(await balance(world, world.client)).to.equal(1_000_000n);
  });

  it("takes ERC-1271 accounts as client and as provider", async () => {
    const world = await fixture();
    const wallet = await ethers.deployContract("Wallet1271", [world.signer]);
    const address = await wallet.getAddress();
    await world.vault.connect(world.stranger).deposit(world.tokenAddress, address, 50_000n);
    const call = world.vault.interface.encodeFunctionData("setOperator", [world.marketAddress, true]);
    await wallet.connect(world.signer).execute(await world.vault.getAddress(), 0n, call);
    const terms = termsFor(world, await makePiece(500), { client: address });
    const signature = await sign(world, world.signer, terms);
    await world.market.connect(world.keeper).open(terms, signature, await sign(world, world.provider, terms));
    expect(await world.market.ownerOf(dealIdOf(world.domain, terms))).to.equal(address);

    const served = termsFor(world, await makePiece(500), { provider: address, collateral: 0n });
    await world.market.connect(world.client).open(served, "0x", await sign(world, world.signer, served));
    const refusedTerms = termsFor(world, await makePiece(500), { provider: address, collateral: 0n });
    const wrong = await sign(world, world.keeper, refusedTerms);
    await expect(world.market.connect(world.client).open(refusedTerms, "0x", wrong))
      .to.be.revertedWithCustomError(world.market, "InvalidProviderSignature")
      .withArgs(address);
  });

  it("opens deals in the native coin, and free ones without collateral", async () => {
    const world = await fixture();
    await world.vault.connect(world.client).depositAndApprove(COIN, 10_000n, world.marketAddress, { value: 10_000n });
    const coin = await openDeal(world, { token: COIN, collateral: 0n });
    expect(await world.vault.escrowOf(world.marketAddress, COIN)).to.equal(6_000n);
    expect(await world.vault.balanceOf(world.client, claim(COIN))).to.equal(4_000n);
    const free = await openDeal(world, { pricePerPeriod: 0n, collateral: 0n });
    expect(await world.market.statusOf(coin.id)).to.equal(Status.Open);
    expect(await world.market.statusOf(free.id)).to.equal(Status.Open);
  });

  it("opens terms once, on one market of one chain", async () => {
    const world = await fixture();
    const { terms, id } = await openDeal(world);
    const { market, client, provider } = world;
    await expect(market.connect(client).open(terms, "0x", await sign(world, provider, terms)))
      .to.be.revertedWithCustomError(market, "DealExists")
      .withArgs(id);
    const fresh = termsFor(world, await makePiece(500));
    for (const domain of [
      { ...world.domain, chainId: 1 },
      { ...world.domain, verifyingContract: await world.vault.getAddress() },
    ]) {
      const foreign = await signTerms(provider, domain, fresh);
      await expect(market.connect(client).open(fresh, "0x", foreign))
        .to.be.revertedWithCustomError(market, "InvalidProviderSignature")
        .withArgs(provider.address);
    }
  });

  it("refuses a client's signature that is another's, or of other terms", async () => {
    const world = await fixture();
    const { market, client, provider, stranger } = world;
    const terms = termsFor(world, await makePiece(500));
    const byProvider = await sign(world, provider, terms);
    for (const signature of [
      await sign(world, stranger, terms),
      await sign(world, client, { ...terms, pricePerPeriod: 999n }),
      "0x1234",
    ]) {
      await expect(market.connect(stranger).open(terms, signature, byProvider))
        .to.be.revertedWithCustomError(market, "InvalidClientSignature")
        .withArgs(client.address);
    }
  });

  it("refuses a provider that did not sign: nobody is bound to data it has not accepted", async () => {
    const world = await fixture();
    const { market, client, provider } = world;
    const terms = termsFor(world, await makePiece(500));
    const other = await sign(world, provider, { ...terms, root: core.ZeroHash });
    for (const signature of ["0x", other, await sign(world, client, terms)]) {
      await expect(market.connect(client).open(terms, "0x", signature))
        .to.be.revertedWithCustomError(market, "InvalidProviderSignature")
        .withArgs(provider.address);
    }
  });

  it("refuses expired terms, and takes them in their last second", async () => {
    const world = await fixture();
    const validUntil = BigInt(await networkHelpers.time.latest()) + 100n;
    const open = async (at: bigint) => {
      const terms = termsFor(world, await makePiece(500), { validUntil });
      const signature = await sign(world, world.provider, terms);
      await networkHelpers.time.setNextBlockTimestamp(at);
      return world.market.connect(world.client).open(terms, "0x", signature);
    };
    await open(validUntil);
    await expect(open(validUntil + 1n))
      .to.be.revertedWithCustomError(world.market, "TermsExpired")
      .withArgs(validUntil);
  });

  it("refuses parties that can't own anything", async () => {
    const world = await fixture();
    const own = [world.marketAddress, world.config.vault, world.config.registry];
    for (const account of [core.ZeroAddress, ALIAS, ...own]) {
      for (const role of ["client", "provider"] as const) {
        const terms = termsFor(world, await makePiece(500), { [role]: account });
        await expect(world.market.connect(world.client).open(terms, "0x", "0x"))
          .to.be.revertedWithCustomError(world.market, "InvalidAccount")
          .withArgs(account);
      }
    }
  });

  it("refuses commitments that no piece has", async () => {
    for (const leafCount of [0n, 2n ** 40n + 1n]) {
      await refuses({ leafCount }, "InvalidLeafCount", leafCount);
    }
    const root = `0x${"00".repeat(31)}40`;
    await refuses({ root }, "InvalidRoot", root);
  });

  it("refuses a tier that there is not", async () => {
    await refuses({ tier: 3 }, "UnknownTier", 3n);
    const world = await fixture();
    await expect(world.market.tierAt(3)).to.be.revertedWithCustomError(world.market, "UnknownTier").withArgs(3n);
    expect(plain(await world.market.tierAt(2))).to.deep.equal([64n, 16n, 10n, 1n]);
  });

  it("refuses periods below maxMisses, over maxPeriods, or more than can be counted", async () => {
    for (const [periods, maxPeriods] of [
      [2, 12],
      [13, 12],
      [3, 2 ** 24 + 1],
    ] as const) {
      await refuses({ periods, maxPeriods }, "InvalidPeriods", periods, maxPeriods);
    }
  });

  it("refuses a collateral that makes no shares, and amounts that overflow at maxPeriods", async () => {
    await refuses({ collateral: 2n }, "InvalidCollateral", 2n);
    const most = 2n ** 128n - 1n;
    await refuses({ pricePerPeriod: most }, "AmountTooLarge", most * 12n);
    await refuses({ collateral: most }, "AmountTooLarge", most + 12n * (most / 3n));
  });

  it("refuses where money, the market's approval or free stake is missing", async () => {
    const world = await fixture();
    const piece = await makePiece(500);
    const poor = termsFor(world, piece, { pricePerPeriod: 1_000_000n });
    await expect(openTerms(world, poor)).to.be.revertedWithCustomError(world.vault, "ERC6909InsufficientBalance");
    await world.vault.connect(world.client).setOperator(world.marketAddress, false);
    await expect(openTerms(world, termsFor(world, piece))).to.be.revertedWithCustomError(
      world.vault,
      "ERC6909InsufficientAllowance",
    );
    await world.vault.connect(world.client).setOperator(world.marketAddress, true);
    await expect(openTerms(world, termsFor(world, piece, { collateral: 500_001n })))
      .to.be.revertedWithCustomError(world.registry, "InsufficientStake")
      .withArgs(world.provider.address, world.marketAddress, world.tokenAddress, 500_000n, 500_001n);
  });

  it("asks a provider for the deployment's least stake, free or locked", async () => {
    const world = await deployMarket({ minStake: 500_000n });
    await openDeal(world);
    await world.registry.connect(world.provider).unprovision(world.marketAddress, world.tokenAddress, 1n);
    const terms = termsFor(world, await makePiece(500));
    await expect(openTerms(world, terms))
      .to.be.revertedWithCustomError(world.market, "StakeBelowMinimum")
      .withArgs(world.provider.address, 499_999n, 500_000n);
  });

  describe("cancel", () => {
    it("voids terms for client, provider and signer", async () => {
      const world = await fixture();
      await world.registry.connect(world.provider).setSigner(world.signer);
      for (const party of [world.client, world.provider, world.signer]) {
        const terms = termsFor(world, await makePiece(500));
        const id = dealIdOf(world.domain, terms);
        await expect(world.market.connect(party).cancel(terms))
          .to.emit(world.market, "Cancelled")
          .withArgs(id, party.address);
        expect(await world.market.isCancelled(id)).to.equal(true);
        expect(await world.market.statusOf(id)).to.equal(Status.None);
        await expect(openTerms(world, terms))
          .to.be.revertedWithCustomError(world.market, "TermsCancelled")
          .withArgs(id);
        await expect(world.market.connect(party).cancel(terms)).to.be.revertedWithCustomError(
          world.market,
          "TermsCancelled",
        );
      }
    });

    it("is not for others, nor for a deal that is open", async () => {
      const world = await fixture();
      const terms = termsFor(world, await makePiece(500));
      await expect(world.market.connect(world.stranger).cancel(terms))
        .to.be.revertedWithCustomError(world.market, "NotAParty")
        .withArgs(world.stranger.address);
      const id = await openTerms(world, terms);
      await expect(world.market.connect(world.client).cancel(terms))
        .to.be.revertedWithCustomError(world.market, "DealExists")
        .withArgs(id);
    });
  });
});
