import { expect } from "chai";
import type { StorageRequest } from "../../src/protocol/index.js";
import { balance, FINALITY, latest, networkHelpers, nextBlockIs, plain } from "../support/market.js";
import {
  awaitFirstFill,
  claims,
  deployRequests,
  escrow,
  fill,
  liabilities,
  postRequest,
  START,
} from "../support/requests.js";

describe("StorageRequests: cancel, expiry, refund", () => {
  const fixture = () => networkHelpers.loadFixture(deployRequests);

  async function expiring(changes: Partial<StorageRequest> = {}) {
    const world = await fixture();
    const expires = BigInt(await networkHelpers.time.latest()) + 100_000n;
    return { world, posted: await postRequest(world, { expires, ...changes }) };
  }

  it("refunds in full what no provider could fill, to the client, whoever sends it", async () => {
    const { world, posted } = await expiring();
    const { requests, client, stranger } = world;
    await networkHelpers.time.setNextBlockTimestamp(posted.request.expires);
    await expect(requests.connect(stranger).refund(posted.call))
      .to.be.revertedWithCustomError(requests, "NotOverYet")
      .withArgs(posted.id, 0n);
    await networkHelpers.time.setNextBlockTimestamp(posted.request.expires + 1n);
    await expect(requests.connect(stranger).refund(posted.call))
      .to.emit(requests, "Refunded")
      .withArgs(posted.id, 0n, 18_000n);
    expect(await balance(world, client)).to.equal(START);
    expect(await escrow(world)).to.equal(0n);
    expect(await liabilities(world)).to.equal(0n);
    await expect(requests.refund(posted.call))
      .to.be.revertedWithCustomError(requests, "NothingToRefund")
      .withArgs(posted.id, 0n);
    await expect(requests.refundSlot(posted.call, 0n))
      .to.be.revertedWithCustomError(requests, "NothingToRefund")
      .withArgs(posted.id, 0n);
  });

  it("refunds what is unfilled only", async () => {
    const { world, posted } = await expiring();
    await fill(world, posted, world.provider, { pricePerPeriod: 400n });
    await networkHelpers.time.increaseTo(posted.request.expires);
    await world.requests.refund(posted.call);
    expect(await balance(world, world.client)).to.equal(START - 2_400n);
    expect(await escrow(world)).to.equal(0n);
    expect(await liabilities(world)).to.equal(0n);
    await expect(fill(world, posted, world.providers[1]))
      .to.be.revertedWithCustomError(world.requests, "NothingToFill")
      .withArgs(posted.id, 0n);
  });

  it("gives nothing back of a request that is filled", async () => {
    const { world, posted } = await expiring({ replicas: 1 });
    await fill(world, posted, world.provider);
    await networkHelpers.time.increaseTo(posted.request.expires + 1n);
    await expect(world.requests.refund(posted.call)).to.be.revertedWithCustomError(world.requests, "NothingToRefund");
  });

  it("can be cancelled by its client, once, with challengeFinality of notice", async () => {
    const world = await fixture();
    const { requests, client, stranger } = world;
    const posted = await postRequest(world);
    await expect(requests.connect(stranger).cancel(posted.call))
      .to.be.revertedWithCustomError(requests, "NotClient")
      .withArgs(client.address, stranger.address);
    await awaitFirstFill(posted);
    const last = (await latest()) + 1 + FINALITY;
    await expect(requests.connect(client).cancel(posted.call))
      .to.emit(requests, "RequestCancelled")
      .withArgs(posted.id, last);
    expect(plain(await requests.stateOf(posted.id)).slice(2, 4)).to.deep.equal([3n, BigInt(last)]);
    await expect(requests.connect(client).cancel(posted.call))
      .to.be.revertedWithCustomError(requests, "AlreadyCancelled")
      .withArgs(posted.id);
    await nextBlockIs(last);
    await expect(requests.refund(posted.call))
      .to.be.revertedWithCustomError(requests, "NotOverYet")
      .withArgs(posted.id, 0n);
    await fill(world, posted, world.provider);
    expect(await latest()).to.equal(last);
    await expect(fill(world, posted, world.providers[1]))
      .to.be.revertedWithCustomError(requests, "RequestOver")
      .withArgs(posted.id, last);
    await requests.refund(posted.call);
    expect(await balance(world, client)).to.equal(START - 3_000n);
    expect(await escrow(world)).to.equal(0n);
    expect(await claims(world)).to.equal(0n);
  });

  it("can be cancelled when it is expired already, which changes nothing", async () => {
    const { world, posted } = await expiring();
    await networkHelpers.time.increaseTo(posted.request.expires + 1n);
    await world.requests.connect(world.client).cancel(posted.call);
    await world.requests.refund(posted.call);
    expect(await balance(world, world.client)).to.equal(START);
  });

  it("keeps requests apart: the refund of one is not another's", async () => {
    const { world, posted } = await expiring();
    const other = await postRequest(world, { maxPrice: 2_000n });
    await networkHelpers.time.increaseTo(posted.request.expires + 1n);
    await world.requests.refund(posted.call);
    expect(await escrow(world)).to.equal(36_000n);
    expect(await liabilities(world)).to.equal(36_000n);
    await fill(world, other, world.provider);
    expect(await escrow(world)).to.equal(24_000n);
  });
});
