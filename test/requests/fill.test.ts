import { expect } from "chai";
import { type DealTerms, firstFillBlock, possessionEpoch, priceAt, signTerms } from "../../src/protocol/index.js";
import {
  balance,
  claim,
  ethers,
  FINALITY,
  latest,
  makePiece,
  networkHelpers,
  nextBlockIs,
  plain,
  Status,
} from "../support/market.js";
import {
  awaitFirstFill,
  claims,
  DE,
  deployRequests,
  escrow,
  fill,
  filled,
  liabilities,
  offerFor,
  offerId,
  type Posted,
  possession,
  postRequest,
  type RequestsWorld,
  START,
  US,
  US_CA,
} from "../support/requests.js";

describe("StorageRequests: fill", () => {
  const fixture = () => networkHelpers.loadFixture(deployRequests);

  /** What a fill must not touch where it fails. */
  const snapshot = async (world: RequestsWorld, { id }: Posted) => [
    plain(await world.requests.stateOf(id)),
    await escrow(world),
    await claims(world),
    await balance(world, world.client),
    plain(await world.registry.provisionOf(world.provider, world.marketAddress, world.tokenAddress)),
    await world.requests.dealOf(id, world.provider),
  ];

  it("opens a deal for the client at the provider's price, and gives the rest back at once", async () => {
    const world = await fixture();
    const { requests, market, provider, client } = world;
    const posted = await postRequest(world);
    await awaitFirstFill(posted);
    const terms = offerFor(world, posted, provider, { pricePerPeriod: 600n });
    const dealId = offerId(world, terms);
    const signature = await signTerms(provider, world.domain, terms);
    const proof = await possession(world, posted, provider.address);
    // Anybody can submit it.
    await expect(requests.connect(world.stranger).fill(posted.call, 0n, terms, signature, proof))
      .to.emit(requests, "Filled")
      .withArgs(posted.id, dealId, provider.address, 0n, 600n, 2_400n);
    expect(await market.ownerOf(dealId)).to.equal(client.address);
    expect(await market.statusOf(dealId)).to.equal(Status.Open);
    const [opened] = await market.queryFilter(market.filters.Opened(dealId));
    expect(opened?.args.payer).to.equal(world.requestsAddress);
    expect(opened?.args.gift).to.equal(true);
    expect(await requests.dealOf(posted.id, provider)).to.equal(dealId);
    expect((await requests.stateOf(posted.id)).unfilled).to.equal(2n);
    expect(await balance(world, client)).to.equal(START - 18_000n + 2_400n);
    expect(await escrow(world)).to.equal(12_000n);
    expect(await liabilities(world)).to.equal(12_000n);
    expect(await claims(world)).to.equal(0n);
    expect((await world.lens.totalsOf(dealId)).funded).to.equal(3_600n);
  });

  it("goes on until every replica has a provider of its own", async () => {
    const world = await fixture();
    const posted = await postRequest(world);
    const [first, second, third, fourth] = world.providers;
    const deals = [];
    for (const provider of [first, second, third]) deals.push(await filled(world, posted, provider));
    expect(new Set(deals).size).to.equal(3);
    expect(await escrow(world)).to.equal(0n);
    await expect(fill(world, posted, fourth))
      .to.be.revertedWithCustomError(world.requests, "NothingToFill")
      .withArgs(posted.id, 0n);
    await expect(world.requests.priceOf(posted.call, 0n)).to.be.revertedWithCustomError(
      world.requests,
      "NothingToFill",
    );
  });

  it("gives the contract itself the deal where it is to be repaired", async () => {
    const world = await fixture();
    const dealId = await filled(world, await postRequest(world, { repair: true }), world.provider);
    expect(await world.market.ownerOf(dealId)).to.equal(world.requestsAddress);
    const [opened] = await world.market.queryFilter(world.market.filters.Opened(dealId));
    expect(opened?.args.gift).to.equal(false);
    expect(await claims(world)).to.equal(0n);
  });

  it("takes one replica a provider, for ever", async () => {
    const world = await fixture();
    const posted = await postRequest(world);
    await fill(world, posted, world.provider);
    await expect(fill(world, posted, world.provider))
      .to.be.revertedWithCustomError(world.requests, "AlreadyFilled")
      .withArgs(posted.id, world.provider.address);
  });

  it("lets the price decide: a block before it is high enough, and in the block that it is", async () => {
    const world = await fixture();
    const posted = await postRequest(world, { startPrice: 0n, maxPrice: 1_000n, rampEpochs: 500 });
    const first = firstFillBlock(posted.posted, FINALITY);
    const price = priceAt(posted.request, posted.posted, first + 5);
    const offer = () => fill(world, posted, world.provider, { pricePerPeriod: price });
    await nextBlockIs(first + 4);
    await expect(offer())
      .to.be.revertedWithCustomError(world.requests, "PriceTooHigh")
      .withArgs(price, priceAt(posted.request, posted.posted, first + 4));
    await nextBlockIs(first + 5);
    await offer();
  });

  it("refuses terms that are not the request's, member by member", async () => {
    const world = await fixture();
    const posted = await postRequest(world);
    const wrong: Partial<DealTerms> = {
      client: world.requestsAddress,
      root: `0x${"11".repeat(32)}`,
      leafCount: posted.request.leafCount + 1n,
      tier: 1,
      periods: 7,
      maxPeriods: 13,
      token: ethers.ZeroAddress,
      collateral: 3_000n,
    };
    for (const [member, value] of Object.entries(wrong)) {
      await expect(fill(world, posted, world.provider, { [member]: value }))
        .to.be.revertedWithCustomError(world.requests, "TermsMismatch")
        .withArgs(member);
    }
    const owned = await postRequest(world, { repair: true });
    await expect(fill(world, owned, world.provider, { client: world.client.address }))
      .to.be.revertedWithCustomError(world.requests, "TermsMismatch")
      .withArgs("client");
    await expect(fill(world, posted, world.provider, { egressPricePerGiB: 8n }))
      .to.be.revertedWithCustomError(world.requests, "EgressPriceTooHigh")
      .withArgs(8n, 7n);
  });

  it("is in time until the last second of the request", async () => {
    const world = await fixture();
    const posted = await postRequest(world, { expires: BigInt(await networkHelpers.time.latest()) + 10_000n });
    const { expires } = posted.request;
    await awaitFirstFill(posted);
    await networkHelpers.time.setNextBlockTimestamp(expires + 1n);
    await expect(fill(world, posted, world.provider))
      .to.be.revertedWithCustomError(world.requests, "RequestExpired")
      .withArgs(posted.id, 0n, expires);
    const other = await postRequest(world, { expires: expires + 10_000n });
    await awaitFirstFill(other);
    const terms = offerFor(world, other, world.provider);
    const signature = await signTerms(world.provider, world.domain, terms);
    const proof = await possession(world, other, world.provider.address);
    await networkHelpers.time.setNextBlockTimestamp(expires + 10_000n);
    await world.requests.fill(other.call, 0n, terms, signature, proof);
  });

  it("waits until the seed is of an epoch that was still open at the posting", async () => {
    const world = await fixture();
    // Posted so that the next multiple of 64 is one block too near.
    const grid = Math.ceil(((await latest()) + 10) / 64) * 64;
    await nextBlockIs(grid - FINALITY + 1);
    const posted = await postRequest(world);
    const first = firstFillBlock(posted.posted, FINALITY);
    expect(first).to.equal(grid + 65);
    const terms = offerFor(world, posted, world.provider);
    const signature = await signTerms(world.provider, world.domain, terms);
    for (const block of [posted.posted + 2, grid + 1, first - 1]) {
      await nextBlockIs(block);
      await expect(world.requests.fill(posted.call, 0n, terms, signature, "0x"))
        .to.be.revertedWithCustomError(world.requests, "TooEarly")
        .withArgs(posted.id, first);
    }
    await expect(world.requests.challengeOf(posted.call, 0n, world.provider)).to.be.revertedWithCustomError(
      world.requests,
      "TooEarly",
    );
    await nextBlockIs(first);
    await fill(world, posted, world.provider);
  });

  it("asks what the TypeScript mirror asks", async () => {
    const world = await fixture();
    const posted = await postRequest(world);
    await awaitFirstFill(posted);
    await networkHelpers.mine(3);
    const [epoch, leaves] = await world.requests.challengeOf(posted.call, 0n, world.provider);
    expect(epoch).to.equal(BigInt(possessionEpoch(await latest())));
    const proof = await possession(world, posted, world.provider.address);
    expect(proof).to.equal(ethers.hexlify(await posted.piece.proofOf([...leaves])));
  });

  it("refuses the proof of another provider, request, slot, epoch or piece, and no proof at all", async () => {
    const world = await fixture();
    const { requests, provider } = world;
    const posted = await postRequest(world);
    const other = await postRequest(world);
    await awaitFirstFill(other);
    const terms = offerFor(world, posted, provider);
    const signature = await signTerms(provider, world.domain, terms);
    const old = await possession(world, posted, provider.address);
    await networkHelpers.mine(64);
    for (const proof of [
      old,
      await possession(world, posted, world.stranger.address),
      await possession(world, other, provider.address),
      await possession(world, posted, provider.address, 5n),
      await possession(world, { ...posted, piece: await makePiece(1_000, 2) }, provider.address),
      "0x",
    ]) {
      await expect(requests.fill(posted.call, 0n, terms, signature, proof))
        .to.be.revertedWithCustomError(requests, "InvalidPossession")
        .withArgs(posted.id, provider.address);
    }
    await requests.fill(posted.call, 0n, terms, signature, await possession(world, posted, provider.address));
  });

  it("needs the provider's signature, also from the provider itself, and takes its signer's", async () => {
    const world = await fixture();
    const { requests, provider, registry, signer } = world;
    const posted = await postRequest(world);
    await awaitFirstFill(posted);
    const terms = offerFor(world, posted, provider);
    const proof = await possession(world, posted, provider.address);
    await expect(requests.connect(provider).fill(posted.call, 0n, terms, "0x", proof))
      .to.be.revertedWithCustomError(world.market, "InvalidProviderSignature")
      .withArgs(provider.address);
    await registry.connect(provider).setSigner(signer);
    await requests.fill(posted.call, 0n, terms, await signTerms(signer, world.domain, terms), proof);
  });

  it("is not for the contract itself, which the market would not ask for a signature", async () => {
    const world = await fixture();
    const posted = await postRequest(world, { collateral: 0n });
    await awaitFirstFill(posted);
    const terms = offerFor(world, posted, world.provider, { provider: world.requestsAddress });
    const proof = await possession(world, posted, world.requestsAddress);
    await expect(world.requests.connect(world.stranger).fill(posted.call, 0n, terms, "0x", proof))
      .to.be.revertedWithCustomError(world.requests, "TermsMismatch")
      .withArgs("provider");
  });

  it("leaves everything unchanged where the market refuses", async () => {
    const world = await fixture();
    const posted = await postRequest(world);
    await awaitFirstFill(posted);
    const before = await snapshot(world, posted);
    await expect(fill(world, posted, world.provider, { validUntil: 1n }))
      .to.be.revertedWithCustomError(world.market, "TermsExpired")
      .withArgs(1n);
    await world.registry.connect(world.provider).unprovision(world.marketAddress, world.tokenAddress, 500_000n);
    await expect(fill(world, posted, world.provider)).to.be.revertedWithCustomError(
      world.registry,
      "InsufficientStake",
    );
    await world.registry.connect(world.provider).provision(world.marketAddress, world.tokenAddress, 500_000n);
    expect(await snapshot(world, posted)).to.deep.equal(before);
    await fill(world, posted, world.provider);
  });

  it("blocks nobody else where a provider's account answers signature checks with a revert", async () => {
    const world = await fixture();
    const posted = await postRequest(world);
    await awaitFirstFill(posted);
    // It answers no such call at all.
    const address = await (await ethers.deployContract("Reentrant")).getAddress();
    const terms = offerFor(world, posted, world.provider);
    const hostile = { ...terms, provider: address };
    const proof = await possession(world, posted, address);
    await expect(world.requests.fill(posted.call, 0n, hostile, "0x1234", proof))
      .to.be.revertedWithCustomError(world.market, "InvalidProviderSignature")
      .withArgs(address);
    await fill(world, posted, world.provider);
  });

  it("wants a region where one is named, and takes a country's subdivisions", async () => {
    const world = await fixture();
    const [german, californian, american, nowhere] = world.providers;
    const posted = await postRequest(world, { regions: [DE, US_CA] });
    await fill(world, posted, german);
    await fill(world, posted, californian);
    await expect(fill(world, posted, american))
      .to.be.revertedWithCustomError(world.requests, "RegionNotEligible")
      .withArgs(american.address, US);
    await expect(fill(world, posted, nowhere))
      .to.be.revertedWithCustomError(world.requests, "RegionNotEligible")
      .withArgs(nowhere.address, "0x000000000000");
    const wide = await postRequest(world, { regions: [US] });
    await fill(world, wide, californian);
    await fill(world, wide, american);
    await expect(fill(world, wide, german))
      .to.be.revertedWithCustomError(world.requests, "RegionNotEligible")
      .withArgs(german.address, DE);
    await fill(world, await postRequest(world), nowhere);
  });

  it("locks the stake that it asks for, of what is provisioned to it", async () => {
    const world = await fixture();
    const { registry, requests, provider, tokenAddress, requestsAddress } = world;
    const posted = await postRequest(world, { minStake: 50n });
    await expect(fill(world, posted, provider))
      .to.be.revertedWithCustomError(registry, "InsufficientStake")
      .withArgs(provider.address, requestsAddress, tokenAddress, 0n, 50n);
    await registry.connect(provider).provision(requestsAddress, tokenAddress, 49n);
    await expect(fill(world, posted, provider)).to.be.revertedWithCustomError(registry, "InsufficientStake");
    await registry.connect(provider).provision(requestsAddress, tokenAddress, 1n);
    const dealId = await filled(world, posted, provider);
    expect(plain(await registry.provisionOf(provider, requestsAddress, tokenAddress))).to.deep.equal([0n, 50n]);
    await expect(requests.unlock(posted.call, provider))
      .to.be.revertedWithCustomError(requests, "WrongReplicaStatus")
      .withArgs(dealId, Status.Open);
  });

  it("gives the last replica to one of two that race for it in a block; the other loses gas only", async () => {
    const world = await fixture();
    const posted = await postRequest(world, { replicas: 1 });
    await awaitFirstFill(posted);
    const [first, second] = world.providers;
    const calls = [];
    for (const by of [first, second]) {
      const terms = offerFor(world, posted, by);
      const signature = await signTerms(by, world.domain, terms);
      const proof = await possession(world, posted, by.address);
      calls.push({ by, terms, signature, proof });
    }
    const before = await balance(world, second);
    await ethers.provider.send("evm_setAutomine", [false]);
    const sent = [];
    for (const [i, { by, terms, signature, proof }] of calls.entries()) {
      const fees = { gasLimit: 2_000_000n, maxPriorityFeePerGas: 10n ** 9n * BigInt(2 - i), maxFeePerGas: 10n ** 11n };
      sent.push(await world.requests.connect(by).fill(posted.call, 0n, terms, signature, proof, fees));
    }
    await ethers.provider.send("evm_setAutomine", [true]);
    await networkHelpers.mine(1);
    const receipts = await Promise.all(sent.map(({ hash }) => ethers.provider.getTransactionReceipt(hash)));
    expect(receipts.map((receipt) => receipt?.status)).to.deep.equal([1, 0]);
    expect(receipts[0]?.blockNumber).to.equal(receipts[1]?.blockNumber);
    expect(await world.requests.dealOf(posted.id, first)).to.not.equal(0n);
    expect(await world.requests.dealOf(posted.id, second)).to.equal(0n);
    expect(await balance(world, second)).to.equal(before);
    expect(plain(await world.registry.provisionOf(second, world.marketAddress, world.tokenAddress))[1]).to.equal(0n);
    expect(await escrow(world)).to.equal(0n);
  });

  it("is not moved by claims that somebody gives the contract", async () => {
    const world = await fixture();
    const { vault, stranger, requestsAddress, tokenAddress } = world;
    await vault.connect(stranger).transfer(requestsAddress, claim(tokenAddress), 12_345n);
    const posted = await postRequest(world);
    await fill(world, posted, world.provider, { pricePerPeriod: 1n });
    expect(await claims(world)).to.equal(12_345n);
    expect(await escrow(world)).to.equal(12_000n);
    expect(await balance(world, world.client)).to.equal(START - 12_006n);
  });

  it("can't open terms twice, though somebody else pays for the first time", async () => {
    const world = await fixture();
    const posted = await postRequest(world);
    await awaitFirstFill(posted);
    const terms = offerFor(world, posted, world.provider);
    const signature = await signTerms(world.provider, world.domain, terms);
    await world.market.connect(world.stranger).open(terms, "0x", signature);
    const proof = await possession(world, posted, world.provider.address);
    await expect(world.requests.fill(posted.call, 0n, terms, signature, proof))
      .to.be.revertedWithCustomError(world.market, "DealExists")
      .withArgs(offerId(world, terms));
    await fill(world, posted, world.provider);
  });
});
