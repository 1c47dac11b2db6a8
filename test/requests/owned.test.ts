import { expect } from "chai";
import { type StorageRequest, signAmendment, signTerms } from "../../src/protocol/index.js";
import { amendmentFor, consentTo, migrateDeal, possessionOf } from "../support/changes.js";
import { balance, networkHelpers, plain, Status } from "../support/market.js";
import {
  claims,
  closeWindow,
  deployRequests,
  fill,
  filled,
  offerFor,
  postRequest,
  proveWindow,
  SETTLED,
  START,
  settledUp,
} from "../support/requests.js";

describe("StorageRequests: deals that it owns", () => {
  const fixture = () => networkHelpers.loadFixture(deployRequests);

  async function live(changes: Partial<StorageRequest> = {}) {
    const world = await fixture();
    const posted = await postRequest(world, { repair: true, replicas: 1, ...changes });
    const dealId = await filled(world, posted, world.provider);
    return { world, posted, dealId };
  }

  describe("collect", () => {
    it("passes on half of the compensation while the deal lives, the rest when it has completed", async () => {
      const { world, posted, dealId } = await live();
      const { requests, keeper, provider } = world;
      await closeWindow(world, dealId, 1);
      await expect(requests.connect(keeper).collect(posted.call, provider))
        .to.emit(requests, "Collected")
        .withArgs(posted.id, dealId, 475n);
      expect(await balance(world, keeper)).to.equal(START + 50n);
      // Nothing new: nothing moves.
      await expect(requests.collect(posted.call, provider)).to.not.emit(requests, "Collected");
      for (const k of [2, 3, 4, 5, 6]) await proveWindow(world, dealId, posted.piece, k);
      await closeWindow(world, dealId, 6);
      await expect(requests.collect(posted.call, provider))
        .to.emit(requests, "Collected")
        .withArgs(posted.id, dealId, 475n + 500n);
      expect((await requests.replicaOf(dealId)).collected).to.equal(950n + 500n);
      expect(await settledUp(world, [dealId])).to.deep.equal(SETTLED);
    });

    it("keeps nothing back once the request is cancelled", async () => {
      const { world, posted, dealId } = await live();
      await closeWindow(world, dealId, 1);
      await world.requests.connect(world.client).cancel(posted.call);
      await world.requests.connect(world.keeper).collect(posted.call, world.provider);
      expect((await world.requests.replicaOf(dealId)).collected).to.equal(950n);
      expect(await claims(world)).to.equal(0n);
    });

    it("leaves a default to repair", async () => {
      const { world, posted, dealId } = await live();
      await closeWindow(world, dealId, 3);
      await expect(world.requests.collect(posted.call, world.provider))
        .to.be.revertedWithCustomError(world.requests, "WrongReplicaStatus")
        .withArgs(dealId, Status.Defaulted);
    });

    it("can't tell a bounty that the market gave to the owner: it stays in the contract's claims", async () => {
      const { world, posted, dealId } = await live();
      await closeWindow(world, dealId, 1);
      await world.market.connect(world.provider).restore(dealId, 1);
      for (const k of [2, 3, 4, 5, 6]) await proveWindow(world, dealId, posted.piece, k);
      await closeWindow(world, dealId, 6);
      await world.requests.collect(posted.call, world.provider);
      expect(await settledUp(world, [dealId])).to.deep.equal({ left: { ...SETTLED.left, claims: 50n }, client: 0n });
    });
  });

  describe("terminate", () => {
    it("ends the deal for its client, refund and all compensation at once", async () => {
      const { world, posted, dealId } = await live();
      const { requests, client, provider } = world;
      await closeWindow(world, dealId, 1);
      const before = await balance(world, client);
      const call = requests.connect(client).terminate(posted.call, provider);
      await expect(call).to.emit(requests, "ReplicaTerminated").withArgs(posted.id, dealId);
      // Four of six periods; 950, and the bounty of 50, since the client has settled.
      await expect(call)
        .to.emit(requests, "Collected")
        .withArgs(posted.id, dealId, 2_000n + 950n);
      expect((await balance(world, client)) - before).to.equal(2_000n + 1_000n);
      expect(await world.market.statusOf(dealId)).to.equal(Status.Ending);
      await proveWindow(world, dealId, posted.piece, 2);
      await closeWindow(world, dealId, 2);
      await requests.connect(world.keeper).collect(posted.call, provider);
      expect(await world.market.statusOf(dealId)).to.equal(Status.Completed);
      expect(await balance(world, client)).to.equal(START - 500n + 1_000n);
      expect(await claims(world)).to.equal(0n);
    });

    it("is for the client, and for a deal that is open", async () => {
      const { world, posted, dealId } = await live();
      const { requests, client, stranger, provider, market } = world;
      await expect(requests.connect(stranger).terminate(posted.call, provider))
        .to.be.revertedWithCustomError(requests, "NotClient")
        .withArgs(client.address, stranger.address);
      await requests.connect(client).terminate(posted.call, provider);
      await expect(requests.connect(client).terminate(posted.call, provider))
        .to.be.revertedWithCustomError(market, "WrongStatus")
        .withArgs(dealId, Status.Ending);
    });
  });

  describe("release", () => {
    it("hands the deal to its client with all it gave back, and repairs it no more", async () => {
      const { world, posted, dealId } = await live();
      const { requests, market, client, provider } = world;
      await closeWindow(world, dealId, 1);
      const before = await balance(world, client);
      const call = requests.connect(client).release(posted.call, provider);
      await expect(call).to.emit(requests, "Released").withArgs(posted.id, dealId);
      await expect(call).to.emit(requests, "Collected").withArgs(posted.id, dealId, 950n);
      expect((await balance(world, client)) - before).to.equal(1_000n);
      expect(await market.ownerOf(dealId)).to.equal(client.address);
      for (const again of [
        requests.repair(posted.call, provider),
        requests.collect(posted.call, provider),
        requests.connect(client).terminate(posted.call, provider),
        requests.connect(client).release(posted.call, provider),
      ]) {
        await expect(again).to.be.revertedWithCustomError(requests, "ReplicaClosed").withArgs(posted.id, dealId);
      }
      await market.connect(client).terminate(dealId);
      await proveWindow(world, dealId, posted.piece, 2);
      await closeWindow(world, dealId, 2);
      await market.settle([dealId], client);
      expect(await balance(world, client)).to.equal(START - 500n + 1_000n);
      expect(await claims(world)).to.equal(0n);
    });

    it("is for the client, also after a default that nobody has repaired", async () => {
      const { world, posted, dealId } = await live();
      const { requests, client, stranger, provider } = world;
      await expect(requests.connect(stranger).release(posted.call, provider))
        .to.be.revertedWithCustomError(requests, "NotClient")
        .withArgs(client.address, stranger.address);
      await closeWindow(world, dealId, 3);
      await requests.connect(client).release(posted.call, provider);
      expect(await world.market.ownerOf(dealId)).to.equal(client.address);
      // The bounties, 150, are the client's as well.
      expect(await settledUp(world, [dealId])).to.deep.equal({ ...SETTLED, client: 150n });
    });
  });

  describe("unlock", () => {
    it("frees the provider's stake once the deal has completed, or defaulted, and only then", async () => {
      for (const proven of [[1, 2, 3, 4, 5, 6], []]) {
        const world = await fixture();
        const { requests, registry, provider, requestsAddress, tokenAddress } = world;
        await registry.connect(provider).provision(requestsAddress, tokenAddress, 50n);
        const posted = await postRequest(world, { minStake: 50n });
        const dealId = await filled(world, posted, provider);
        for (const k of proven) await proveWindow(world, dealId, posted.piece, k);
        await expect(requests.unlock(posted.call, provider))
          .to.be.revertedWithCustomError(requests, "WrongReplicaStatus")
          .withArgs(dealId, Status.Open);
        await closeWindow(world, dealId, 6);
        await expect(requests.unlock(posted.call, provider))
          .to.emit(requests, "Unlocked")
          .withArgs(posted.id, dealId, provider.address, 50n);
        expect(plain(await registry.provisionOf(provider, requestsAddress, tokenAddress))).to.deep.equal([50n, 0n]);
        await expect(requests.unlock(posted.call, provider))
          .to.be.revertedWithCustomError(requests, "NothingLocked")
          .withArgs(posted.id, provider.address);
      }
    });

    it("frees it when the client has moved the deal to another provider", async () => {
      const world = await fixture();
      const { requests, registry, market, client, provider, providers, requestsAddress, tokenAddress } = world;
      await registry.connect(provider).provision(requestsAddress, tokenAddress, 50n);
      const posted = await postRequest(world, { minStake: 50n });
      const dealId = await filled(world, posted, provider);
      await world.vault.connect(client).setOperator(market, true);
      await networkHelpers.mine(2);
      const terms = offerFor(world, posted, providers[1]);
      await migrateDeal(world, { id: dealId, piece: posted.piece }, terms, providers[1]);
      await proveWindow(world, dealId, posted.piece, 1);
      await closeWindow(world, dealId, 1);
      await requests.unlock(posted.call, provider);
      expect(await market.statusOf(dealId)).to.equal(Status.Migrated);
      expect(plain(await registry.provisionOf(provider, requestsAddress, tokenAddress))).to.deep.equal([50n, 0n]);
    });

    it("keeps it while a deal is ending, and has nothing to free where none was asked for", async () => {
      const world = await fixture();
      const { requests, registry, market, client, provider, requestsAddress, tokenAddress } = world;
      await registry.connect(provider).provision(requestsAddress, tokenAddress, 50n);
      const posted = await postRequest(world, { minStake: 50n });
      const dealId = await filled(world, posted, provider);
      await market.connect(client).terminate(dealId);
      await expect(requests.unlock(posted.call, provider))
        .to.be.revertedWithCustomError(requests, "WrongReplicaStatus")
        .withArgs(dealId, Status.Ending);
      const free = await postRequest(world);
      await fill(world, free, provider);
      await expect(requests.unlock(free.call, provider))
        .to.be.revertedWithCustomError(requests, "NothingLocked")
        .withArgs(free.id, provider.address);
      await expect(requests.unlock(free.call, client))
        .to.be.revertedWithCustomError(requests, "UnknownReplica")
        .withArgs(free.id, client.address);
    });
  });

  it("lets nobody change its deals, or take its claims, past it: it signs nothing", async () => {
    const { world, posted, dealId } = await live();
    const { market, vault, client, stranger, provider, providers, requestsAddress, marketAddress } = world;
    await closeWindow(world, dealId, 1);
    await market.settle([dealId], stranger);
    const before = await claims(world);
    expect(before).to.equal(950n);
    const terms = offerFor(world, posted, providers[1], { pricePerPeriod: 100n });
    const byProvider = await signTerms(providers[1], world.domain, terms);
    const refused = async (call: Promise<unknown>) =>
      expect(call).to.be.revertedWithCustomError(market, "InvalidClientSignature").withArgs(requestsAddress);
    for (const by of [client, stranger]) {
      const own = await signTerms(by, world.domain, terms);
      await refused(market.connect(by).open(terms, own, byProvider));
      const consent = await consentTo(world, by, dealId, terms);
      await networkHelpers.mine(2);
      const proof = await possessionOf(world, dealId, terms, posted.piece);
      for (const signature of ["0x", consent]) {
        await refused(market.connect(by).migrate(dealId, terms, signature, byProvider, proof));
      }
      const amendment = await amendmentFor(world, { id: dealId, terms }, posted.piece);
      const accepted = await signAmendment(provider, world.domain, amendment);
      for (const signature of ["0x", await signAmendment(by, world.domain, amendment)]) {
        await refused(market.connect(by).amend(amendment, signature, accepted));
      }
      await expect(market.connect(by).terminate(dealId)).to.be.revertedWithCustomError(market, "NotOwner");
      await expect(market.connect(by).transferFrom(requestsAddress, by, dealId)).to.be.revertedWithCustomError(
        market,
        "ERC721InsufficientApproval",
      );
      const forever = 4_000_000_000n;
      await expect(
        vault.setOperatorWithSignature(requestsAddress, by, true, 0n, forever, consent),
      ).to.be.revertedWithCustomError(vault, "InvalidSignature");
    }
    expect(await vault.isOperator(requestsAddress, marketAddress)).to.equal(true);
    expect(await claims(world)).to.equal(before);
  });

  it("leaves the deals of a request without repair to the client alone", async () => {
    const { world } = await live();
    const { requests, client, provider } = world;
    const posted = await postRequest(world);
    await fill(world, posted, provider);
    for (const call of [
      requests.collect(posted.call, provider),
      requests.connect(client).terminate(posted.call, provider),
      requests.connect(client).release(posted.call, provider),
    ]) {
      await expect(call).to.be.revertedWithCustomError(requests, "NotRepairable").withArgs(posted.id);
    }
  });
});
