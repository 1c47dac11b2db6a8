import { expect } from "chai";
import { type Result, ZeroHash } from "ethers";
import { priceAt, requestIdOf, type StorageRequest } from "../../src/protocol/index.js";
import { ALIAS, balance, COIN, claim, ethers, latest, makePiece, networkHelpers, plain } from "../support/market.js";
import {
  CHAIN_ID,
  claims,
  DE,
  deployRequests,
  escrow,
  liabilities,
  postRequest,
  requestFor,
  START,
  toSolidity,
  US_CA,
} from "../support/requests.js";

describe("StorageRequests: post", () => {
  const fixture = () => networkHelpers.loadFixture(deployRequests);

  /** Posting this reverts with this error, of this contract or, where it has none of that name, the market. */
  async function refuses(changes: Partial<StorageRequest>, error: string, ...args: unknown[]) {
    const world = await fixture();
    const request = toSolidity(requestFor(world, await makePiece(500), changes));
    const own = world.requests.interface.getError(error) !== null;
    await expect(world.requests.connect(world.client).post(request))
      .to.be.revertedWithCustomError(own ? world.requests : world.market, error)
      .withArgs(...args);
  }

  it("locks the most that it can cost, and says everything in one event", async () => {
    const world = await fixture();
    const { requests, client } = world;
    const request = requestFor(world, await makePiece(500), { regions: [DE, US_CA], repair: true, minStake: 5n });
    const id = requestIdOf(CHAIN_ID, world.requestsAddress, request);
    expect(await requests.requestIdOf(toSolidity(request))).to.equal(id);
    expect(plain(await requests.stateOf(id))).to.deep.equal([0n, 0n, 0n, 0n, 0n]);
    await expect(requests.connect(client).post(toSolidity(request))).to.emit(requests, "Posted");
    const [posted] = await requests.queryFilter(requests.filters.Posted(id, client.address));
    const asked = posted?.args.request as unknown as Result | undefined;
    expect(asked?.toObject(true)).to.deep.equal({
      ...request,
      ...{ tier: 0n, periods: 6n, maxPeriods: 12n, rampEpochs: 100n, replicas: 3n },
    });
    expect(START - (await balance(world, client))).to.equal(18_000n);
    expect(await escrow(world)).to.equal(18_000n);
    expect(await liabilities(world)).to.equal(18_000n);
    expect(await claims(world)).to.equal(0n);
    const time = BigInt(await networkHelpers.time.latest());
    expect(plain(await requests.stateOf(id))).to.deep.equal([BigInt(await latest()), time, 3n, 0n, 3n]);
  });

  it("has another id for each salt, contract and chain", async () => {
    const world = await fixture();
    const request = requestFor(world, await makePiece(500));
    const id = requestIdOf(CHAIN_ID, world.requestsAddress, request);
    expect(requestIdOf(CHAIN_ID, world.requestsAddress, { ...request, salt: ZeroHash })).to.not.equal(id);
    expect(requestIdOf(CHAIN_ID, world.marketAddress, request)).to.not.equal(id);
    expect(requestIdOf(1, world.requestsAddress, request)).to.not.equal(id);
  });

  it("raises the price from start to max over the ramp, rounded down, and stops there", async () => {
    const world = await fixture();
    const prices = { startPrice: 100n, maxPrice: 110n, rampEpochs: 3 };
    const { call, request, posted } = await postRequest(world, prices);
    const seen: bigint[] = [];
    for (let i = 0; i < 5; i++) {
      seen.push(await world.requests.priceOf(call, 0n));
      expect(seen.at(-1)).to.equal(priceAt(request, posted, await latest()));
      await networkHelpers.mine(1);
    }
    expect(seen).to.deep.equal([100n, 103n, 106n, 110n, 110n]);
  });

  it("takes the native coin, free requests, and a price that stands still", async () => {
    const world = await fixture();
    const { requests, vault, client, requestsAddress } = world;
    await vault.connect(client).depositAndApprove(COIN, 100n, requestsAddress, { value: 100n });
    await postRequest(world, { token: COIN, startPrice: 2n, maxPrice: 2n, replicas: 2 });
    expect(await vault.escrowOf(requestsAddress, COIN)).to.equal(24n);
    expect(await vault.balanceOf(client, claim(COIN))).to.equal(76n);
    const { id } = await postRequest(world, { startPrice: 0n, maxPrice: 0n, collateral: 0n });
    expect((await requests.stateOf(id)).unfilled).to.equal(3n);
    expect(await escrow(world)).to.equal(0n);
  });

  it("is for the client itself, once", async () => {
    const world = await fixture();
    const { call, id, request } = await postRequest(world);
    await expect(world.requests.connect(world.client).post(call))
      .to.be.revertedWithCustomError(world.requests, "RequestExists")
      .withArgs(id);
    await expect(world.requests.connect(world.stranger).post({ ...call, salt: ZeroHash }))
      .to.be.revertedWithCustomError(world.requests, "NotClient")
      .withArgs(request.client, world.stranger.address);
  });

  it("is taken only as it is encoded everywhere: each request has one id", async () => {
    const world = await fixture();
    const { requests, client } = world;
    const call = toSolidity(requestFor(world, await makePiece(500)));
    const data = requests.interface.encodeFunctionData("post", [call]);
    // One byte in the padding of dataUri: the same request to a reader, other bytes.
    const dirty = `${data.slice(0, -2)}01`;
    expect(requests.interface.decodeFunctionData("post", dirty)[0].dataUri).to.equal(call.dataUri);
    await expect(client.sendTransaction({ to: world.requestsAddress, data: dirty })).to.be.revertedWithCustomError(
      requests,
      "MalformedRequest",
    );
    await client.sendTransaction({ to: world.requestsAddress, data });
    const id = await requests.requestIdOf(call);
    const refund = requests.interface.encodeFunctionData("refund", [call]);
    const elsewhere = client.sendTransaction({ to: world.requestsAddress, data: `${refund.slice(0, -2)}01` });
    await expect(elsewhere).to.be.revertedWithCustomError(requests, "UnknownRequest");
    expect((await requests.stateOf(id)).unfilled).to.equal(3n);
  });

  it("needs the client's approval in the vault, and its money", async () => {
    const world = await fixture();
    await expect(postRequest(world, { maxPrice: 100_000n })).to.be.revertedWithCustomError(
      world.vault,
      "ERC6909InsufficientBalance",
    );
    await world.vault.connect(world.client).setOperator(world.requests, false);
    await expect(postRequest(world)).to.be.revertedWithCustomError(world.vault, "ERC6909InsufficientAllowance");
  });

  it("refuses an alias as client: it could never be paid", async () => {
    const world = await fixture();
    const request = toSolidity(requestFor(world, await makePiece(500), { client: ALIAS }));
    await networkHelpers.impersonateAccount(ALIAS);
    await networkHelpers.setBalance(ALIAS, 10n ** 18n);
    await expect(world.requests.connect(await ethers.getSigner(ALIAS)).post(request))
      .to.be.revertedWithCustomError(world.requests, "InvalidClient")
      .withArgs(ALIAS);
  });

  it("refuses what the market would refuse, with the market's errors", async () => {
    await refuses({ tier: 3 }, "UnknownTier", 3n);
    await refuses({ leafCount: 0n }, "InvalidLeafCount", 0n);
    await refuses({ leafCount: 2n ** 40n + 1n }, "InvalidLeafCount", 2n ** 40n + 1n);
    const root = `0x${"00".repeat(31)}40`;
    await refuses({ root }, "InvalidRoot", root);
    await refuses({ periods: 2 }, "InvalidPeriods", 2n, 12n);
    await refuses({ periods: 13 }, "InvalidPeriods", 13n, 12n);
    await refuses({ maxPeriods: 2 ** 24 + 1 }, "InvalidPeriods", 6n, 2n ** 24n + 1n);
    await refuses({ collateral: 2n }, "InvalidCollateral", 2n);
    const most = 2n ** 128n - 1n;
    await refuses({ maxPrice: most }, "AmountTooLarge", most * 12n);
    await refuses({ collateral: most }, "AmountTooLarge", most + 12n * (most / 3n));
  });

  it("refuses replicas, prices, ramps and times that make no sense", async () => {
    await refuses({ replicas: 0 }, "InvalidReplicas", 0n);
    await refuses({ replicas: 33 }, "InvalidReplicas", 33n);
    await refuses({ startPrice: 1_001n }, "InvalidPrices", 1_001n, 1_000n);
    await refuses({ rampEpochs: 0 }, "InvalidRamp", 0n);
    await refuses({ expires: 2n ** 40n }, "InvalidExpiry", 2n ** 40n);
    const world = await fixture();
    const now = BigInt(await networkHelpers.time.latest()) + 100n;
    const request = toSolidity(requestFor(world, await makePiece(500), { expires: now }));
    await networkHelpers.time.setNextBlockTimestamp(now);
    await expect(world.requests.connect(world.client).post(request))
      .to.be.revertedWithCustomError(world.requests, "InvalidExpiry")
      .withArgs(now);
    await networkHelpers.time.setNextBlockTimestamp(now + 1n);
    await world.requests.connect(world.client).post({ ...request, expires: now + 2n });
  });

  it("takes sixteen regions and 512 bytes of dataUri, and no more", async () => {
    const world = await fixture();
    await postRequest(world, { regions: Array(16).fill(DE), dataUri: "é".repeat(256), replicas: 32 });
    await refuses({ regions: Array(17).fill(DE) }, "TooManyRegions", 17n);
    await refuses({ regions: [DE, `0x${"00".repeat(6)}`] }, "InvalidRegion", 1n);
    await refuses({ dataUri: "é".repeat(257) }, "DataUriTooLong", 514n);
  });

  it("knows no request that was not posted", async () => {
    const world = await fixture();
    const { requests, client } = world;
    const request = requestFor(world, await makePiece(500));
    const id = requestIdOf(CHAIN_ID, world.requestsAddress, request);
    const call = toSolidity(request);
    for (const asking of [
      requests.priceOf(call, 0n),
      requests.challengeOf(call, 0n, client),
      requests.connect(client).cancel(call),
      requests.refund(call),
      requests.refundSlot(call, 1n),
      requests.repair(call, client),
      requests.collect(call, client),
      requests.connect(client).terminate(call, client),
      requests.connect(client).release(call, client),
      requests.unlock(call, client),
    ]) {
      await expect(asking).to.be.revertedWithCustomError(requests, "UnknownRequest").withArgs(id);
    }
  });

  it("is built on a market and a lens of that market", async () => {
    const world = await fixture();
    const { requests, market, lens, vault, registry } = world;
    expect(await requests.market()).to.equal(await market.getAddress());
    expect(await requests.lens()).to.equal(await lens.getAddress());
    expect(await requests.vault()).to.equal(await vault.getAddress());
    expect(await requests.registry()).to.equal(await registry.getAddress());
    const other = await ethers.deployContract("StorageMarket", [world.config]);
    await expect(ethers.deployContract("StorageRequests", [other, lens]))
      .to.be.revertedWithCustomError(requests, "InvalidConfig")
      .withArgs("lens");
  });
});
