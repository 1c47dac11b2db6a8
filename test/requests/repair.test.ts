import { expect } from "chai";
import type { StorageRequest } from "../../src/protocol/index.js";
import { priceAt, slotRamp } from "../../src/protocol/index.js";
import { balance, claim, latest, networkHelpers, plain, Status } from "../support/market.js";
import {
  claims,
  closeWindow,
  deployRequests,
  escrow,
  fill,
  filled,
  liabilities,
  type Posted,
  postRequest,
  proveWindow,
  type RequestsWorld,
  SETTLED,
  START,
  settledUp,
} from "../support/requests.js";

/** One replica, filled at 500 a period, whose deal defaults at its third miss. */
const ONE = { repair: true, replicas: 1 } as const;

describe("StorageRequests: repair", () => {
  const fixture = () => networkHelpers.loadFixture(deployRequests);

  /** A repair request whose only replica the first provider has. */
  async function live(changes: Partial<StorageRequest> = {}) {
    const world = await fixture();
    const posted = await postRequest(world, { ...ONE, ...changes });
    const dealId = await filled(world, posted, world.provider);
    return { world, posted, dealId };
  }

  async function defaulted(changes: Partial<StorageRequest> = {}) {
    const it = await live(changes);
    await closeWindow(it.world, it.dealId, 3);
    return it;
  }

  /** Escrow is what the contract owes, by its events. */
  async function balanced(world: RequestsWorld) {
    expect(await escrow(world)).to.equal(await liabilities(world));
  }

  /** Lets the sender repair, and checks the numbers of a default without any proof: see the page on the contract. */
  async function repairs({ world, posted, dealId }: { world: RequestsWorld; posted: Posted; dealId: bigint }) {
    const { requests, keeper } = world;
    // 3,000 refunded, 2,851 compensation of 3,001: 3 × 500 + 1,425 for the next, the rest back to the client.
    const expires = posted.request.expires - (await requests.stateOf(posted.id)).postedTime;
    const call = requests.connect(keeper).repair(posted.call, world.provider);
    await expect(call).to.emit(requests, "Reposted").withArgs(posted.id, dealId, 3n, 500n, 975n, anyTime);
    await expect(call).to.emit(requests, "Collected").withArgs(posted.id, dealId, 2_926n);
    const now = BigInt(await networkHelpers.time.latest());
    const slot = await requests.slotOf(posted.id, dealId);
    expect(plain(slot)).to.deep.equal([BigInt(await latest()), now + expires, 3n, 975n]);
    expect(await escrow(world)).to.equal(2_925n);
    await balanced(world);
  }

  const anyTime = () => true;

  it("settles, posts the replica again out of what came back, and gives the rest to the client", async () => {
    const it = await defaulted();
    const { world, posted, dealId } = it;
    const [client, keeper] = [await balance(world, world.client), await balance(world, world.keeper)];
    await repairs(it);
    expect((await balance(world, world.client)) - client).to.equal(2_926n);
    expect((await balance(world, world.keeper)) - keeper).to.equal(150n);
    expect(await claims(world)).to.equal(0n);
    expect(plain(await world.requests.replicaOf(dealId))).to.deep.equal([5_851n, false, true, false]);
    await expect(world.requests.repair(posted.call, world.provider))
      .to.be.revertedWithCustomError(world.requests, "ReplicaClosed")
      .withArgs(posted.id, dealId);
  });

  it("does the same where somebody else has settled before", async () => {
    const it = await defaulted();
    const { world, dealId } = it;
    await world.market.connect(world.stranger).settle([dealId], world.stranger);
    expect(await balance(world, world.stranger)).to.equal(START + 150n);
    expect(await claims(world)).to.equal(5_851n);
    await repairs(it);
    expect(await claims(world)).to.equal(0n);
  });

  it("does the same where somebody has given the contract claims", async () => {
    const it = await defaulted();
    const { vault, stranger, requestsAddress, tokenAddress } = it.world;
    await vault.connect(stranger).transfer(requestsAddress, claim(tokenAddress), 777n);
    await repairs(it);
    expect(await claims(it.world)).to.equal(777n);
  });

  it("does the same where compensation was collected before the default", async () => {
    const it = await live();
    const { world, posted, dealId } = it;
    await closeWindow(world, dealId, 1);
    await world.requests.connect(world.keeper).collect(posted.call, world.provider);
    // 950 for the first miss: half of it stays.
    expect(await claims(world)).to.equal(475n);
    await closeWindow(world, dealId, 3);
    const call = world.requests.connect(world.keeper).repair(posted.call, world.provider);
    await expect(call).to.emit(world.requests, "Reposted").withArgs(posted.id, dealId, 3n, 500n, 975n, anyTime);
    await expect(call)
      .to.emit(world.requests, "Collected")
      .withArgs(posted.id, dealId, 2_926n - 475n);
    expect(await claims(world)).to.equal(0n);
    await balanced(world);
  });

  it("lets the next provider fill from the same block on, at a price that rises anew, with a proof for this slot", async () => {
    const it = await defaulted();
    const { world, posted, dealId } = it;
    await repairs(it);
    const [failed, second] = world.providers;
    const slot = await world.requests.slotOf(posted.id, dealId);
    const ramp = slotRamp(posted.request, slot.maxPrice);
    expect(await world.requests.priceOf(posted.call, dealId)).to.equal(500n);
    await expect(fill(world, posted, second, { slot: dealId, periods: 3, pricePerPeriod: 900n }))
      .to.be.revertedWithCustomError(world.requests, "PriceTooHigh")
      .withArgs(900n, priceAt(ramp, Number(slot.postedEpoch), (await latest()) + 1));
    await expect(fill(world, posted, failed, { slot: dealId, periods: 3 }))
      .to.be.revertedWithCustomError(world.requests, "AlreadyFilled")
      .withArgs(posted.id, failed.address);
    await expect(fill(world, posted, second, { slot: dealId }))
      .to.be.revertedWithCustomError(world.requests, "TermsMismatch")
      .withArgs("periods");
    await expect(fill(world, posted, second, { slot: dealId + 1n, periods: 3 }))
      .to.be.revertedWithCustomError(world.requests, "NothingToFill")
      .withArgs(posted.id, dealId + 1n);
    // At the end of the ramp, above what the failed provider took.
    await networkHelpers.mineUpTo(Number(slot.postedEpoch) + 99);
    const again = await filled(world, posted, second, { slot: dealId, periods: 3, pricePerPeriod: 975n });
    expect(await world.market.ownerOf(again)).to.equal(world.requestsAddress);
    expect(plain(await world.requests.slotOf(posted.id, dealId))).to.deep.equal([0n, 0n, 0n, 0n]);
    await expect(fill(world, posted, world.providers[2], { slot: dealId, periods: 3 })).to.be.revertedWithCustomError(
      world.requests,
      "NothingToFill",
    );
    await balanced(world);
    for (const k of [1, 2, 3]) await proveWindow(world, again, posted.piece, k);
    await closeWindow(world, again, 3);
    await world.requests.collect(posted.call, second);
    expect(await world.market.statusOf(again)).to.equal(Status.Completed);
    expect(await settledUp(world, [dealId, again])).to.deep.equal(SETTLED);
  });

  it("repairs what was repaired, until too few periods are left", async () => {
    const { world, posted, dealId } = await live({ periods: 12 });
    const [first, second, third] = world.providers;
    await proveWindow(world, dealId, posted.piece, 1);
    await closeWindow(world, dealId, 4);
    await world.requests.connect(world.keeper).repair(posted.call, first);
    await balanced(world);
    const again = await filled(world, posted, second, { slot: dealId, periods: 8 });
    await balanced(world);
    await closeWindow(world, again, 3);
    await world.requests.connect(world.keeper).repair(posted.call, second);
    await balanced(world);
    const { periods } = await world.requests.slotOf(posted.id, again);
    expect(periods).to.equal(5n);
    const last = await filled(world, posted, third, { slot: again, periods: 5 });
    await proveWindow(world, last, posted.piece, 1);
    await proveWindow(world, last, posted.piece, 2);
    await closeWindow(world, last, 5);
    await expect(world.requests.connect(world.keeper).repair(posted.call, third)).to.not.emit(
      world.requests,
      "Reposted",
    );
    expect(await settledUp(world, [dealId, again, last])).to.deep.equal(SETTLED);
  });

  it("pays everything to the client where fewer than maxMisses periods are left", async () => {
    const { world, posted, dealId } = await live();
    await proveWindow(world, dealId, posted.piece, 1);
    await closeWindow(world, dealId, 4);
    const asked = { blockTag: "pending" };
    expect(await world.requests.repair.staticCall(posted.call, world.provider, asked)).to.equal(false);
    await expect(world.requests.connect(world.keeper).repair(posted.call, world.provider))
      .to.emit(world.requests, "Collected")
      .withArgs(posted.id, dealId, 2_500n + 2_851n);
    expect(await settledUp(world, [dealId])).to.deep.equal(SETTLED);
  });

  it("counts the periods that are left when it is called, not those at the default", async () => {
    const { world, posted, dealId } = await defaulted();
    await closeWindow(world, dealId, 4);
    await world.requests.connect(world.keeper).repair(posted.call, world.provider);
    expect(await settledUp(world, [dealId])).to.deep.equal(SETTLED);
  });

  it("counts the periods that anybody has added, and posts them again with the money paid for them", async () => {
    const { world, posted, dealId } = await live();
    await world.market.connect(world.stranger).extend(dealId, 6, 3_000n);
    await closeWindow(world, dealId, 3);
    await world.requests.connect(world.keeper).repair(posted.call, world.provider);
    const slot = await world.requests.slotOf(posted.id, dealId);
    // 6,000 refunded, of which 9 × 500; and 1,425.
    expect([slot.periods, slot.maxPrice]).to.deep.equal([9n, 5_925n / 9n]);
    await balanced(world);
    await networkHelpers.time.increaseTo(slot.expires + 1n);
    await world.requests.refundSlot(posted.call, dealId);
    expect(await settledUp(world, [dealId], 3_000n)).to.deep.equal(SETTLED);
  });

  it("pays no more for a period after a default that cost nothing, however soon its provider is back", async () => {
    // Where the price does not rise, there is no time in which others could underbid.
    const world = await fixture();
    const posted = await postRequest(world, { ...ONE, startPrice: 1_000n, collateral: 0n });
    const dealId = await filled(world, posted, world.provider, { pricePerPeriod: 500n });
    const [, sybil] = world.providers;
    await closeWindow(world, dealId, 3);
    await world.requests.connect(sybil).repair(posted.call, world.provider);
    await expect(fill(world, posted, sybil, { slot: dealId, periods: 3, pricePerPeriod: 501n }))
      .to.be.revertedWithCustomError(world.requests, "PriceTooHigh")
      .withArgs(501n, 500n);
    const again = await filled(world, posted, sybil, { slot: dealId, periods: 3, pricePerPeriod: 500n });
    await balanced(world);
    for (const k of [1, 2, 3]) await proveWindow(world, again, posted.piece, k);
    await closeWindow(world, again, 3);
    await world.requests.collect(posted.call, sybil);
    expect((await world.lens.totalsOf(again)).funded).to.equal(1_500n);
    expect(await settledUp(world, [dealId, again])).to.deep.equal(SETTLED);
  });

  it("spends no more on a period than maxPrice and the bonus", async () => {
    const { world, posted, dealId } = await live({ startPrice: 1_000n, collateral: 300n });
    await closeWindow(world, dealId, 3);
    await world.requests.connect(world.keeper).repair(posted.call, world.provider);
    // 6,000 refunded, of which 3 × 1,000; half of 285.
    expect((await world.requests.slotOf(posted.id, dealId)).maxPrice).to.equal((3_000n + 142n) / 3n);
    await balanced(world);
  });

  it("does not add one bonus to another", async () => {
    const { world, posted, dealId } = await live({ startPrice: 1_000n, periods: 12 });
    await closeWindow(world, dealId, 3);
    await world.requests.connect(world.keeper).repair(posted.call, world.provider);
    const { maxPrice } = await world.requests.slotOf(posted.id, dealId);
    expect(maxPrice).to.equal((9n * 1_000n + 1_425n) / 9n);
    await networkHelpers.mine(100);
    const [, second] = world.providers;
    const again = await filled(world, posted, second, { slot: dealId, periods: 9, pricePerPeriod: maxPrice });
    await closeWindow(world, again, 3);
    await world.requests.connect(world.keeper).repair(posted.call, second);
    expect((await world.requests.slotOf(posted.id, again)).maxPrice).to.equal((6n * 1_000n + 1_425n) / 6n);
    await balanced(world);
  });

  it("posts nothing again that would pay nothing", async () => {
    const { world, posted, dealId } = await live({ startPrice: 0n, maxPrice: 0n, collateral: 0n });
    await closeWindow(world, dealId, 3);
    await expect(world.requests.repair(posted.call, world.provider)).to.not.emit(world.requests, "Reposted");
    expect(await settledUp(world, [dealId])).to.deep.equal(SETTLED);
  });

  it("refunds a slot that nobody filled, once it has been there as long as the request could", async () => {
    const expires = BigInt(await networkHelpers.time.latest()) + 100_000n;
    const it = await defaulted({ expires });
    const { world, posted, dealId } = it;
    await repairs(it);
    const slot = await world.requests.slotOf(posted.id, dealId);
    await networkHelpers.time.setNextBlockTimestamp(slot.expires);
    await expect(world.requests.refundSlot(posted.call, dealId))
      .to.be.revertedWithCustomError(world.requests, "NotOverYet")
      .withArgs(posted.id, dealId);
    await networkHelpers.time.setNextBlockTimestamp(slot.expires + 1n);
    await expect(fill(world, posted, world.providers[1], { slot: dealId, periods: 3 }))
      .to.be.revertedWithCustomError(world.requests, "RequestExpired")
      .withArgs(posted.id, dealId, slot.expires);
    await expect(world.requests.refundSlot(posted.call, dealId))
      .to.emit(world.requests, "Refunded")
      .withArgs(posted.id, dealId, 2_925n);
    expect(await settledUp(world, [dealId])).to.deep.equal(SETTLED);
    await expect(world.requests.refundSlot(posted.call, dealId))
      .to.be.revertedWithCustomError(world.requests, "NothingToRefund")
      .withArgs(posted.id, dealId);
  });

  it("can be filled after the request has expired: the slot has a time of its own", async () => {
    const expires = BigInt(await networkHelpers.time.latest()) + 100_000n;
    const { world, posted, dealId } = await defaulted({ expires, replicas: 2 });
    await networkHelpers.time.increaseTo(expires + 1n);
    await world.requests.refund(posted.call);
    await world.requests.repair(posted.call, world.provider);
    await fill(world, posted, world.providers[1], { slot: dealId, periods: 3 });
    await balanced(world);
  });

  it("leaves slots open for the notice of a cancellation, then refunds them", async () => {
    const it = await defaulted();
    const { world, posted, dealId } = it;
    await repairs(it);
    await world.requests.connect(world.client).cancel(posted.call);
    await expect(world.requests.refundSlot(posted.call, dealId)).to.be.revertedWithCustomError(
      world.requests,
      "NotOverYet",
    );
    await networkHelpers.mine(10);
    await expect(fill(world, posted, world.providers[1], { slot: dealId, periods: 3 })).to.be.revertedWithCustomError(
      world.requests,
      "RequestOver",
    );
    await world.requests.refundSlot(posted.call, dealId);
    expect(await settledUp(world, [dealId])).to.deep.equal(SETTLED);
  });

  it("posts nothing again of a request that is cancelled", async () => {
    const { world, posted, dealId } = await live();
    await world.requests.connect(world.client).cancel(posted.call);
    await closeWindow(world, dealId, 3);
    await world.requests.connect(world.keeper).repair(posted.call, world.provider);
    expect(await settledUp(world, [dealId])).to.deep.equal(SETTLED);
  });

  it("posts nothing again that the client has ended", async () => {
    // One miss is a default in this tier, and the termination leaves one more period.
    const { world, posted, dealId } = await live({ tier: 2 });
    const [epoch] = await world.lens.windowOf(dealId, 1);
    await networkHelpers.mineUpTo(Number(epoch) + 1);
    await world.requests.connect(world.client).terminate(posted.call, world.provider);
    expect((await world.lens.dealOf(dealId)).periods).to.equal(2n);
    await closeWindow(world, dealId, 1);
    await expect(world.requests.connect(world.keeper).repair(posted.call, world.provider)).to.not.emit(
      world.requests,
      "Reposted",
    );
    expect(await world.market.statusOf(dealId)).to.equal(Status.Defaulted);
    expect(await settledUp(world, [dealId])).to.deep.equal(SETTLED);
  });

  it("is for defaulted deals that the contract owns", async () => {
    const { world, posted, dealId } = await live();
    await expect(world.requests.repair(posted.call, world.provider))
      .to.be.revertedWithCustomError(world.requests, "WrongReplicaStatus")
      .withArgs(dealId, Status.Open);
    await expect(world.requests.repair(posted.call, world.stranger))
      .to.be.revertedWithCustomError(world.requests, "UnknownReplica")
      .withArgs(posted.id, world.stranger.address);
    const plainRequest = await postRequest(world);
    await fill(world, plainRequest, world.provider);
    await expect(world.requests.repair(plainRequest.call, world.provider))
      .to.be.revertedWithCustomError(world.requests, "NotRepairable")
      .withArgs(plainRequest.id);
  });

  it("costs who defaults on purpose 47.5 % of its collateral and the missed pay, even if it wins the slot by another name", async () => {
    const { world, posted, dealId } = await live({ tier: 2 });
    const [failing, other] = world.providers;
    const worth = async () => {
      let sum = 0n;
      for (const account of [failing, other]) {
        const [free, locked] = await world.registry.provisionOf(account, world.marketAddress, world.tokenAddress);
        sum += (await balance(world, account)) + free + locked;
      }
      return sum;
    };
    const before = await worth();
    await closeWindow(world, dealId, 1);
    await world.requests.connect(failing).repair(posted.call, failing);
    const slot = await world.requests.slotOf(posted.id, dealId);
    await networkHelpers.mine(100);
    const again = await filled(world, posted, other, {
      slot: dealId,
      periods: Number(slot.periods),
      pricePerPeriod: slot.maxPrice,
    });
    for (let k = 1; k <= Number(slot.periods); k++) await proveWindow(world, again, posted.piece, k);
    await closeWindow(world, again, Number(slot.periods));
    await world.requests.collect(posted.call, other);
    const gained = (await worth()) - before;
    // Honest, it would have had six periods at 500, less the fee of 1 %; it missed one.
    const lost = 5n * 495n - gained;
    expect(lost).to.be.at.least((3_001n * 475n) / 1_000n);
    expect(lost).to.be.below((3_001n * 50n) / 100n);
  });
});
