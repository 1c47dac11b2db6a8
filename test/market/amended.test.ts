import { expect } from "chai";
import { addProvider, amendDeal, amendmentFor, movedTerms, sendAmendment, sendMigration } from "../support/changes.js";
import {
  balance,
  epoch,
  ethers,
  makePiece,
  NO_BOUNTY,
  networkHelpers,
  nextBlockIs,
  openDeal,
  pack,
  plain,
  proofNow,
  proveWindow,
  Status,
  standardMarket,
} from "../support/market.js";

const WINDOW = 8;

/** What the other entry points do with a deal whose commitment was, or is to be, replaced. */
describe("StorageMarket: amended deals", () => {
  const fixture = () => networkHelpers.loadFixture(standardMarket);

  /** A deal, window 1 proven if asked for, and an amendment of window 1's time that waits for window 2. */
  async function waiting({ price = 3_000n, proven = true, periods = 6 } = {}) {
    const world = await fixture();
    const old = await openDeal(world, { periods });
    if (proven) await proveWindow(world, old, 1);
    else await nextBlockIs(epoch(old, 1) + 2);
    const next = await amendDeal(world, old, await makePiece(5_000, 2), { pricePerPeriod: price });
    expect((await world.market.revisionOf(old.id)).from).to.equal(2n);
    return { world, old, next };
  }

  describe("a default by the last window of the old commitment", () => {
    /** Windows 1 to 3 are missed; an amendment waits for window 4 when the third one closes. */
    async function defaulting() {
      const world = await fixture();
      const old = await openDeal(world);
      await nextBlockIs(epoch(old, 3) + 2);
      const next = await amendDeal(world, old, await makePiece(5_000, 2), { pricePerPeriod: 3_000n });
      expect((await world.lens.totalsOf(old.id)).funded).to.equal(12_000n);
      return { world, old, next };
    }

    it("drops the amendment: the old commitment stays for ever, and all unspent money goes to the owner", async () => {
      const { world, old, next } = await defaulting();
      const { market, lens, client } = world;
      const asked = await market.pieceIdOf(old.id);
      const before = await balance(world, client);
      await networkHelpers.mineUpTo(epoch(old, 3) + WINDOW + 1);
      expect(await market.statusOf(old.id)).to.equal(Status.Defaulted);
      const unsettled = await lens.dealOf(old.id);
      expect([unsettled.root, unsettled.periods, unsettled.revision.from]).to.deep.equal([old.terms.root, 3n, 0n]);
      const state = await market.stateHash(old.id);
      expect((await lens.dueOf(old.id)).refund).to.equal(12_000n);
      const settled = market.settle([old.id], NO_BOUNTY);
      await expect(settled).to.emit(market, "RevisionDropped").withArgs(old.id, 3n, 9_000n);
      await expect(settled).to.emit(market, "Settled");
      expect((await balance(world, client)) - before).to.equal(12_000n + 1_001n);
      const t = await lens.totalsOf(old.id);
      expect([t.funded, t.paid, t.fee, t.refunded, t.escrow]).to.deep.equal([12_000n, 0n, 0n, 12_000n, 0n]);
      expect([await market.pieceIdOf(old.id), await market.stateHash(old.id)]).to.deep.equal([asked, state]);
      await networkHelpers.mineUpTo(epoch(old, 4) + 1);
      await expect(market.prove(old.id, await next.piece.proofOf([0n])))
        .to.be.revertedWithCustomError(market, "WrongStatus")
        .withArgs(old.id, Status.Defaulted);
      expect(await market.pieceIdOf(old.id)).to.equal(asked);
    });

    it("is the same when it is settled long after the amendment's time", async () => {
      const { world, old } = await defaulting();
      await networkHelpers.mineUpTo(epoch(old, 6) + WINDOW + 5);
      const before = await world.lens.dealOf(old.id);
      expect([before.root, before.periods]).to.deep.equal([old.terms.root, 3n]);
      await expect(world.market.settle([old.id], NO_BOUNTY))
        .to.emit(world.market, "RevisionDropped")
        .withArgs(old.id, 3n, 9_000n);
      expect((await world.lens.totalsOf(old.id)).refunded).to.equal(12_000n);
    });

    it("is no default where the provider restores in time: then the new commitment comes", async () => {
      const { world, old, next } = await defaulting();
      await world.market.connect(world.provider).restore(old.id, 1);
      await networkHelpers.mineUpTo(epoch(old, 3) + WINDOW + 1);
      expect(await world.market.statusOf(old.id)).to.equal(Status.Open);
      await proveWindow(world, next, 4);
      const t = await world.lens.totalsOf(old.id);
      expect([t.refunded, t.escrow, t.slashed]).to.deep.equal([3_000n, 9_000n, 3_000n]);
    });
  });

  describe("terminate", () => {
    it("drops an amendment that lies beyond the new end, and gives back what it was funded with", async () => {
      const world = await fixture();
      const old = await openDeal(world);
      await proveWindow(world, old, 1);
      await nextBlockIs(epoch(old, 2) - 3);
      await amendDeal(world, old, await makePiece(5_000, 2), { pricePerPeriod: 3_000n });
      await nextBlockIs(epoch(old, 2));
      expect(plain(await world.lens.terminationOf(old.id))).to.deep.equal([2n, 12_000n]);
      const before = await balance(world, world.client);
      const ended = world.market.connect(world.client).terminate(old.id);
      await expect(ended).to.emit(world.market, "RevisionDropped").withArgs(old.id, 2n, 12_000n);
      await expect(ended).to.emit(world.market, "Terminated").withArgs(old.id, 2n, 0n);
      expect((await balance(world, world.client)) - before).to.equal(12_000n);
      await proveWindow(world, old, 2);
      await nextBlockIs(epoch(old, 2) + WINDOW + 1);
      await world.market.settle([old.id], NO_BOUNTY);
      const t = await world.lens.totalsOf(old.id);
      expect([t.funded, t.paid, t.fee, t.refunded, t.escrow]).to.deep.equal([14_000n, 1_980n, 20n, 12_000n, 0n]);
      expect(await world.market.statusOf(old.id)).to.equal(Status.Completed);
    });

    it("keeps one within the new end: its windows are owed at its price", async () => {
      const { world, old, next } = await waiting();
      expect(plain(await world.lens.terminationOf(old.id))).to.deep.equal([2n, 4n * 3_000n]);
      await expect(world.market.connect(world.client).terminate(old.id))
        .to.emit(world.market, "Terminated")
        .withArgs(old.id, 2n, 12_000n)
        .and.not.to.emit(world.market, "RevisionDropped");
      await proveWindow(world, next, 2);
      await nextBlockIs(epoch(old, 2) + WINDOW + 1);
      await world.market.settle([old.id], NO_BOUNTY);
      const t = await world.lens.totalsOf(old.id);
      expect([t.funded, t.paid, t.fee, t.refunded]).to.deep.equal([16_000n, 990n + 2_970n, 40n, 12_000n]);
      expect(await world.market.statusOf(old.id)).to.equal(Status.Completed);
    });
  });

  describe("proveMany", () => {
    it("turns the deals that it finds due, and pays for what was proven of the old commitment", async () => {
      const { world, old, next } = await waiting({ price: 1_000n });
      const { market, provider, keeper } = world;
      const plainDeal = await openDeal(world);
      expect(plainDeal.first).to.equal(epoch(old, 2));
      const before = await balance(world, provider);
      await networkHelpers.mineUpTo(epoch(old, 2) + 1);
      const batch = [next, plainDeal, next];
      const proofs = await Promise.all(batch.map((deal) => proofNow(world, deal)));
      const call = market.connect(keeper).proveMany(
        batch.map(({ id }) => id),
        pack(proofs),
      );
      await expect(call).to.emit(market, "RevisionTurned").withArgs(old.id, 1n, 1n, 990n, 10n, 0n);
      await expect(call).to.emit(market, "Proven").withArgs(old.id, 2n);
      await expect(call).to.emit(market, "Proven").withArgs(plainDeal.id, 1n);
      const twice = market.interface.getError("AlreadyProven")?.selector;
      await expect(call).to.emit(market, "ProofSkipped").withArgs(old.id, twice);
      expect((await balance(world, provider)) - before).to.equal(990n);
      expect((await market.recordOf(plainDeal.id)).course.paid).to.equal(0n);
    });

    it("books the step, and nothing else, where the proof is wrong; the others go on", async () => {
      const { world, old, next } = await waiting();
      const { market } = world;
      const other = await openDeal(world);
      await networkHelpers.mineUpTo(epoch(old, 2) + 1);
      const wrong = (await proofNow(world, next)).replace(/^0x../, "0x01");
      const proofs = [wrong, await proofNow(world, other)];
      const call = market.proveMany([old.id, other.id], pack(proofs));
      const invalid = market.interface.getError("InvalidProof")?.selector;
      await expect(call).to.emit(market, "ProofSkipped").withArgs(old.id, invalid);
      await expect(call).to.emit(market, "RevisionTurned");
      await expect(call).to.emit(market, "Proven").withArgs(other.id, 1n);
      expect((await market.recordOf(old.id)).course.proven).to.equal(1n);
    });
  });

  describe("stateHash and transferIf", () => {
    it("change with an amendment, and not when it takes effect or is settled", async () => {
      const world = await fixture();
      const old = await openDeal(world);
      await proveWindow(world, old, 1);
      const { market, client, stranger } = world;
      const seen = await market.stateHash(old.id);
      await amendDeal(world, old, await makePiece(5_000, 2), { pricePerPeriod: 3_000n });
      const state = await market.stateHash(old.id);
      expect(state).not.to.equal(seen);
      await expect(market.connect(client).transferIf(old.id, stranger, seen))
        .to.be.revertedWithCustomError(market, "StateChanged")
        .withArgs(old.id, state, seen);
      await networkHelpers.mineUpTo(epoch(old, 1) + WINDOW + 1);
      expect(await market.stateHash(old.id), "in effect").to.equal(state);
      await market.settle([old.id], NO_BOUNTY);
      expect(await market.stateHash(old.id), "settled").to.equal(state);
      await market.connect(client).transferIf(old.id, stranger, state);
      expect(await market.ownerOf(old.id)).to.equal(stranger.address);
    });

    it("tell the same data and price after two amendments from what they were before", async () => {
      const world = await fixture();
      const old = await openDeal(world);
      const seen = await world.market.stateHash(old.id);
      await amendDeal(world, old, await makePiece(5_000, 2));
      await amendDeal(world, old, old.piece);
      expect((await world.market.recordOf(old.id)).root).to.equal(old.terms.root);
      expect(await world.market.stateHash(old.id)).not.to.equal(seen);
    });

    it("sell what the new owner then gets: the old commitment's refund goes to the seller once it is due", async () => {
      const { world, old } = await waiting({ proven: false, price: 1_000n });
      const { market, client, stranger } = world;
      await networkHelpers.mineUpTo(epoch(old, 1) + WINDOW + 1);
      const before = await balance(world, client);
      await market.connect(client).transferFrom(client, stranger, old.id);
      // The miss of window 1: its share, and its pay that came back as the books were closed.
      expect((await balance(world, client)) - before).to.equal(1_000n + 1_000n);
    });
  });

  it("settle never fails on a payee or owner that refuses everything, nor on one deal of many", async () => {
    const { world, old } = await waiting();
    await world.registry.connect(world.provider).setPayee(world.marketAddress);
    const other = await openDeal(world);
    await networkHelpers.mineUpTo(epoch(old, 1) + WINDOW + 1);
    await expect(world.market.settle([old.id, other.id, 99n, old.id], NO_BOUNTY)).to.emit(
      world.market,
      "RevisionTurned",
    );
    expect((await world.lens.totalsOf(old.id)).paid).to.equal(990n);
  });

  it("one amended deal in a batch changes nothing of the others", async () => {
    const { world, old } = await waiting();
    const others = [await openDeal(world), await openDeal(world)] as const;
    await networkHelpers.mineUpTo(epoch(others[0], 3) + WINDOW + 1);
    const before = await Promise.all(others.map(async ({ id }) => plain(await world.lens.totalsNow(id))));
    await world.market.settle([old.id, others[0].id, old.id, others[1].id], NO_BOUNTY);
    const after = await Promise.all(others.map(async ({ id }) => plain(await world.lens.totalsOf(id))));
    // One block later, in the same period: nothing more was due.
    expect(after).to.deep.equal(before);
    expect(await world.market.statusOf(others[0].id)).to.equal(Status.Defaulted);
  });

  it("hold the highest price and the largest piece that a deal can have", async () => {
    const world = await fixture();
    const { market, client, vault, token, tokenAddress } = world;
    const most = 2n ** 128n - 1n;
    await token.mint(client, most);
    await vault.connect(client).deposit(tokenAddress, client, most - 10_000_000n);
    const deal = await openDeal(world, { periods: 3, maxPeriods: 3, pricePerPeriod: 0n });
    await proveWindow(world, deal, 1);
    const price = most / 3n;
    const root = `0x${"ff".repeat(31)}3f`;
    const big = await amendmentFor(world, deal, deal.piece, { root, leafCount: 2n ** 40n, pricePerPeriod: price });
    await sendAmendment(world, big);
    await nextBlockIs(epoch(deal, 1) + WINDOW + 1);
    await market.settle([deal.id], NO_BOUNTY);
    const record = await market.recordOf(deal.id);
    expect([record.root, record.course.leafCount, record.money.price]).to.deep.equal([root, 2n ** 40n, price]);
    expect(record.course.provider).to.equal(world.provider.address);
    expect(record.course.firstEpoch).to.equal(BigInt(deal.first));
    expect(record.money.token).to.equal(tokenAddress);
    expect((await world.lens.totalsOf(deal.id)).escrow).to.equal(2n * price);
    await amendDeal(world, deal, deal.piece, { pricePerPeriod: 1n });
    expect((await world.lens.totalsOf(deal.id)).escrow).to.equal(2n);
    expect((await market.recordOf(deal.id)).money.price).to.equal(1n);
    await market.connect(client).terminate(deal.id);
    expect(await vault.escrowOf(world.marketAddress, tokenAddress)).to.equal(1n);
  });

  it("a provider that shows nothing on moving leaves a waiting amendment waiting", async () => {
    const { world, old, next } = await waiting();
    const rival = await addProvider(world);
    const terms = movedTerms(world, old.piece, rival.address);
    const before = plain(await world.market.revisionOf(old.id));
    await expect(sendMigration(world, old, terms, rival, { proof: "0x" }))
      .to.be.revertedWithCustomError(world.market, "InvalidPossession")
      .withArgs(rival.address);
    expect(plain(await world.market.revisionOf(old.id))).to.deep.equal(before);
    await proveWindow(world, next, 2);
    expect((await world.lens.dealOf(old.id)).root).to.equal(ethers.hexlify(next.piece.commitment.root));
  });
});
