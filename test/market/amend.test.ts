import { expect } from "chai";
import type { Result } from "ethers";
import { type Amendment, signAmendment } from "../../src/protocol/index.js";
import { amendDeal, amendmentFor, sendAmendment } from "../support/changes.js";
import {
  balance,
  deployMarket,
  epoch,
  ethers,
  FINALITY,
  latest,
  makePiece,
  NO_BOUNTY,
  networkHelpers,
  nextBlockIs,
  type OpenedDeal,
  openDeal,
  proofNow,
  proveWindow,
  Status,
  standardMarket,
  type World,
} from "../support/market.js";

const WINDOW = 8;

describe("StorageMarket: amend", () => {
  const fixture = () => networkHelpers.loadFixture(standardMarket);
  const settle = (world: World, deal: OpenedDeal) => world.market.settle([deal.id], NO_BOUNTY);
  const pieceId = (deal: OpenedDeal) =>
    ethers.keccak256(
      ethers.AbiCoder.defaultAbiCoder().encode(
        ["bytes32", "uint64"],
        [deal.piece.commitment.root, deal.piece.commitment.leafCount],
      ),
    );
  const revision = async (world: World, deal: OpenedDeal): Promise<Record<string, unknown>> =>
    ((await world.market.revisionOf(deal.id)) as unknown as Result).toObject();

  /** A deal, its window 1 proven and open, and an amendment that waits for window 2. */
  async function waiting(price = 1_000n) {
    const world = await fixture();
    const old = await openDeal(world);
    await proveWindow(world, old, 1);
    const next = await amendDeal(world, old, await makePiece(5_000, 2), { pricePerPeriod: price });
    return { world, old, next };
  }

  describe("when it takes effect", () => {
    it("is told alike by market and lens before anybody has settled, of a root of zeros, too", async () => {
      const world = await fixture();
      const old = await openDeal(world);
      const piece = await makePiece(5_000, 2);
      await sendAmendment(world, await amendmentFor(world, old, piece, { root: ethers.ZeroHash }));
      await networkHelpers.mineUpTo(epoch(old, 1) + WINDOW + 1);
      const { root, leafCount } = await world.lens.dealOf(old.id);
      expect([root, leafCount]).to.deep.equal([ethers.ZeroHash, piece.commitment.leafCount]);
      const types = ["bytes32", "uint64"];
      const encoded = ethers.AbiCoder.defaultAbiCoder().encode(types, [root, leafCount]);
      expect(await world.market.pieceIdOf(old.id)).to.equal(ethers.keccak256(encoded));
      const hash = await world.market.stateHash(old.id);
      await settle(world, old);
      expect((await world.lens.dealOf(old.id)).root).to.equal(root);
      expect(await world.market.stateHash(old.id)).to.equal(hash);
    });

    it("waits until the last window before it has closed, and is asked for from the next one on", async () => {
      const { world, old, next } = await waiting();
      const { market, lens } = world;
      expect(await market.pieceIdOf(old.id)).to.equal(pieceId(old));
      const before = await lens.dealOf(old.id);
      expect([before.root, before.revision.from, before.revision.nonce]).to.deep.equal([old.terms.root, 2n, 1n]);
      expect(before.revision.root).to.equal(ethers.hexlify(next.piece.commitment.root));

      await networkHelpers.mineUpTo(epoch(old, 1) + WINDOW);
      expect(await market.pieceIdOf(old.id), "window 1 is still open").to.equal(pieceId(old));
      await networkHelpers.mineUpTo(epoch(old, 1) + WINDOW + 1);
      expect(await market.pieceIdOf(old.id), "nobody has settled").to.equal(pieceId(next));
      const after = await lens.dealOf(old.id);
      expect(after.root).to.equal(ethers.hexlify(next.piece.commitment.root));
      expect(after.leafCount).to.equal(next.piece.commitment.leafCount);
      expect([after.revision.from, after.revision.since, after.fundedPeriods]).to.deep.equal([0n, 1n, 5n]);
      expect((await market.recordOf(old.id)).root, "stored as it was").to.equal(old.terms.root);

      await networkHelpers.mineUpTo(epoch(old, 2) + 1);
      await expect(market.prove(old.id, ethers.hexlify(await old.piece.proofOf([0n]))))
        .to.be.revertedWithCustomError(market, "InvalidProof")
        .withArgs(old.id, 2n);
      await proveWindow(world, next, 2);
      const { root, course } = await market.recordOf(old.id);
      expect([root, course.leafCount, course.amended]).to.deep.equal([after.root, after.leafCount, true]);
      expect([course.proven, course.lastProven, course.provenBefore]).to.deep.equal([2n, 2n, true]);
    });

    it("asks for the old commitment in the window before, proven by then or not", async () => {
      const world = await fixture();
      const old = await openDeal(world);
      await nextBlockIs(epoch(old, 1) + 2);
      const next = await amendDeal(world, old, await makePiece(5_000, 2));
      await expect(
        world.market.prove(old.id, ethers.hexlify(await next.piece.proofOf([0n]))),
      ).to.be.revertedWithCustomError(world.market, "InvalidProof");
      await proveWindow(world, old, 1);
      await proveWindow(world, next, 2);
      expect((await world.lens.standingOf(old.id)).missed).to.equal(0n);
    });

    it("counts challengeFinality from the block of the amendment, to the block", async () => {
      for (const [back, from] of [
        [FINALITY, 2n],
        [FINALITY - 1, 3n],
      ] as const) {
        const world = await fixture();
        const deal = await openDeal(world);
        await nextBlockIs(epoch(deal, 2) - back);
        await expect(sendAmendment(world, await amendmentFor(world, deal, await makePiece(99, 2))))
          .to.emit(world.market, "Amended")
          .withArgs(deal.id, (r: string) => r.length === 66, 4n, 1_000n, from, 0n, 0n, 0n);
      }
    });

    it("is at once where no window is left to close: before the first, and between two", async () => {
      const world = await fixture();
      const old = await openDeal(world);
      const first = await amendDeal(world, old, await makePiece(5_000, 2));
      expect((await world.market.recordOf(old.id)).root).to.equal(ethers.hexlify(first.piece.commitment.root));
      expect(await revision(world, old)).to.deep.include({ nonce: 1n, from: 0n, since: 0n, lapsed: 0n, paid: 0n });
      await proveWindow(world, first, 1);
      await nextBlockIs(epoch(old, 1) + WINDOW + 1);
      const amendment = await amendmentFor(world, old, await makePiece(300, 3));
      await expect(sendAmendment(world, amendment))
        .to.emit(world.market, "RevisionTurned")
        .withArgs(old.id, 1n, 1n, 0n, 0n, 0n);
      expect((await world.market.recordOf(old.id)).root).to.equal(amendment.root);
      const books = { nonce: 2n, since: 1n, lapsed: 0n, paid: 990n, fee: 10n, refunded: 0n };
      expect(await revision(world, old)).to.deep.include(books);
    });

    it("may be for the last window, and is refused once that one is too close", async () => {
      const world = await fixture();
      const deal = await openDeal(world, { collateral: 0n, periods: 3 });
      const last = epoch(deal, 3);
      await proveWindow(world, deal, 1);
      await proveWindow(world, deal, 2);
      const snapshot = await networkHelpers.takeSnapshot();
      const amendment = await amendmentFor(world, deal, await makePiece(300, 3));
      await nextBlockIs(last - FINALITY);
      await expect(sendAmendment(world, amendment)).to.emit(world.market, "Amended");
      await snapshot.restore();
      await nextBlockIs(last - FINALITY + 1);
      await expect(sendAmendment(world, amendment))
        .to.be.revertedWithCustomError(world.market, "TooLate")
        .withArgs(deal.id, last);
    });

    it("says of isProven what was proven for this very piece", async () => {
      const { world, old, next } = await waiting();
      const both = async () => [
        await world.market.isProven(old.id, pieceId(old)),
        await world.market.isProven(old.id, pieceId(next)),
      ];
      expect(await both(), "no window has closed").to.deep.equal([false, false]);
      await networkHelpers.mineUpTo(epoch(old, 1) + WINDOW + 1);
      expect(await both(), "window 1 was not proven for the new one").to.deep.equal([false, false]);
      await proveWindow(world, next, 2);
      expect(await both(), "window 2 is open").to.deep.equal([false, false]);
      await networkHelpers.mineUpTo(epoch(old, 2) + WINDOW + 1);
      expect(await both()).to.deep.equal([false, true]);
      await networkHelpers.mineUpTo(epoch(old, 3) + WINDOW + 1);
      expect(await both(), "window 3 was missed").to.deep.equal([false, false]);
    });

    it("still says of the old piece what was proven for it while the amendment waits", async () => {
      const world = await fixture();
      const old = await openDeal(world);
      await proveWindow(world, old, 1);
      await nextBlockIs(epoch(old, 2) - 1);
      const next = await amendDeal(world, old, await makePiece(5_000, 2));
      expect((await revision(world, old)).from).to.equal(3n);
      expect(await world.market.isProven(old.id, pieceId(old))).to.equal(true);
      expect(await world.market.isProven(old.id, pieceId(next))).to.equal(false);
    });
  });

  describe("money", () => {
    it("takes the difference of a higher price from the owner at once, and pays each window at its own", async () => {
      const world = await fixture();
      const old = await openDeal(world);
      await proveWindow(world, old, 1);
      const [owner, provider] = [await balance(world, world.client), await balance(world, world.provider)];
      const amendment = await amendmentFor(world, old, await makePiece(5_000, 2), { pricePerPeriod: 1_700n });
      await expect(sendAmendment(world, amendment))
        .to.emit(world.market, "Amended")
        .withArgs(old.id, amendment.root, amendment.leafCount, 1_700n, 2n, 0n, 3_500n, 0n);
      expect(owner - (await balance(world, world.client))).to.equal(5n * 700n);
      expect((await world.lens.totalsOf(old.id)).funded).to.equal(9_500n);
      await networkHelpers.mineUpTo(epoch(old, 1) + WINDOW);
      await expect(settle(world, old)).to.emit(world.market, "RevisionTurned").withArgs(old.id, 1n, 1n, 990n, 10n, 0n);
      const next = { ...old, piece: await makePiece(5_000, 2) };
      await proveWindow(world, next, 2);
      await networkHelpers.mineUpTo(epoch(old, 2) + WINDOW);
      await settle(world, old);
      expect((await balance(world, world.provider)) - provider).to.equal(990n + 1_683n);
      const t = await world.lens.totalsOf(old.id);
      expect([t.paid, t.fee, t.refunded, t.escrow]).to.deep.equal([990n + 1_683n, 10n + 17n, 0n, 4n * 1_700n]);
    });

    it("gives the difference of a lower price back at once", async () => {
      const world = await fixture();
      const old = await openDeal(world);
      await proveWindow(world, old, 1);
      const owner = await balance(world, world.client);
      await amendDeal(world, old, await makePiece(5_000, 2), { pricePerPeriod: 1n });
      expect((await balance(world, world.client)) - owner).to.equal(5n * 999n);
      const t = await world.lens.totalsOf(old.id);
      expect([t.funded, t.refunded, t.escrow]).to.deep.equal([6_000n, 4_995n, 1_005n]);
    });

    it("gives back the pay of windows missed under the old commitment when its books are closed", async () => {
      const world = await fixture();
      const old = await openDeal(world);
      await nextBlockIs(epoch(old, 1) + 2);
      const next = await amendDeal(world, old, await makePiece(5_000, 2), { pricePerPeriod: 500n });
      await networkHelpers.mineUpTo(epoch(old, 1) + WINDOW);
      await expect(settle(world, old)).to.emit(world.market, "RevisionTurned").withArgs(old.id, 1n, 0n, 0n, 0n, 1_000n);
      await proveWindow(world, next, 2);
      const t = await world.lens.totalsOf(old.id);
      expect([t.refunded, t.slashed, t.compensation, t.bounty]).to.deep.equal([3_500n, 1_000n, 950n, 50n]);
      expect(t.escrow).to.equal(5n * 500n);
    });

    it("settles a deal whose first proof under the new commitment comes first", async () => {
      const { world, old, next } = await waiting();
      const provider = await balance(world, world.provider);
      await networkHelpers.mineUpTo(epoch(old, 2) + 1);
      const proof = await proofNow(world, next);
      const call = world.market.connect(world.keeper).prove(old.id, proof);
      await expect(call).to.emit(world.market, "RevisionTurned").withArgs(old.id, 1n, 1n, 990n, 10n, 0n);
      expect((await balance(world, world.provider)) - provider).to.equal(990n);
    });

    it("prices an extension as the windows that it adds will be", async () => {
      const { world, old } = await waiting(1_700n);
      expect((await world.lens.extensionOf(old.id)).price).to.equal(1_700n);
      await expect(world.market.connect(world.stranger).extend(old.id, 2, 3_400n))
        .to.emit(world.market, "Extended")
        .withArgs(old.id, world.stranger.address, 2n, 3_400n);
      const t = await world.lens.totalsOf(old.id);
      expect([t.funded, t.escrow]).to.deep.equal([1_000n + 7n * 1_700n, 1_000n + 7n * 1_700n]);
      expect((await world.lens.dealOf(old.id)).periods).to.equal(8n);
    });
  });

  describe("consent", () => {
    it("is both parties': whoever sends needs no signature, nor does the provider's signer", async () => {
      const world = await fixture();
      const { market, client, provider, signer, stranger } = world;
      const deal = await openDeal(world);
      const make = async (seed: number) => amendmentFor(world, deal, await makePiece(300, seed));
      const by = async (account: typeof client, a: Amendment) => signAmendment(account, world.domain, a);
      let a = await make(2);
      await market.connect(client).amend(a, "0x", await by(provider, a));
      a = await make(3);
      await market.connect(provider).amend(a, await by(client, a), "0x");
      a = await make(4);
      await market.connect(stranger).amend(a, await by(client, a), await by(provider, a));
      await world.registry.connect(provider).setSigner(signer);
      a = await make(5);
      await market.connect(stranger).amend(a, await by(client, a), await by(signer, a));
      a = await make(6);
      await market.connect(signer).amend(a, await by(client, a), "0x");
      expect((await revision(world, deal)).nonce).to.equal(5n);
      expect((await market.recordOf(deal.id)).root).to.equal(a.root);
    });

    it("of one party is none", async () => {
      const world = await fixture();
      const { market, client, provider, stranger, domain } = world;
      const deal = await openDeal(world);
      const a = await amendmentFor(world, deal, await makePiece(300, 2));
      const [owners, providers] = [await signAmendment(client, domain, a), await signAmendment(provider, domain, a)];
      const refused = async (call: Promise<unknown>, error: string, account: { address: string }) =>
        expect(call).to.be.revertedWithCustomError(market, error).withArgs(account.address);
      await refused(market.connect(client).amend(a, "0x", "0x"), "InvalidProviderSignature", provider);
      await refused(market.connect(client).amend(a, "0x", owners), "InvalidProviderSignature", provider);
      await refused(market.connect(provider).amend(a, "0x", "0x"), "InvalidClientSignature", client);
      await refused(market.connect(provider).amend(a, providers, "0x"), "InvalidClientSignature", client);
      await refused(market.connect(stranger).amend(a, owners, "0x"), "InvalidProviderSignature", provider);
      await refused(market.connect(stranger).amend(a, "0x", providers), "InvalidClientSignature", client);
      const other = { ...a, pricePerPeriod: 1n };
      await refused(market.connect(client).amend(other, "0x", providers), "InvalidProviderSignature", provider);
    });

    it("is the present owner's, not a former one's", async () => {
      const world = await fixture();
      const { market, client, provider, stranger, domain } = world;
      const deal = await openDeal(world);
      const a = await amendmentFor(world, deal, await makePiece(300, 2));
      const [sold, providers] = [await signAmendment(client, domain, a), await signAmendment(provider, domain, a)];
      await market.connect(client).transferFrom(client, stranger, deal.id);
      for (const [sender, signature] of [
        [client, "0x"],
        [provider, sold],
      ] as const) {
        await expect(market.connect(sender).amend(a, signature, providers))
          .to.be.revertedWithCustomError(market, "InvalidClientSignature")
          .withArgs(stranger.address);
      }
      await expect(market.connect(stranger).amend(a, "0x", providers)).to.emit(market, "Amended");
    });
  });

  describe("refuses", () => {
    async function refuses(changes: Partial<Amendment>, error: string, ...args: unknown[]) {
      const world = await fixture();
      const deal = await openDeal(world);
      const a = await amendmentFor(world, deal, await makePiece(300, 2), changes);
      await expect(sendAmendment(world, a))
        .to.be.revertedWithCustomError(world.market, error)
        .withArgs(...args);
    }

    it("deals that there are not, and deals that are not open", async () => {
      await refuses({ dealId: 7n }, "UnknownDeal", 7n);
      const world = await fixture();
      const deal = await openDeal(world);
      const a = await amendmentFor(world, deal, await makePiece(300, 2));
      await world.market.connect(world.client).terminate(deal.id);
      await expect(sendAmendment(world, a))
        .to.be.revertedWithCustomError(world.market, "WrongStatus")
        .withArgs(deal.id, Status.Ending);
      const lost = await openDeal(world);
      const late = await amendmentFor(world, lost, await makePiece(300, 2));
      await nextBlockIs(epoch(lost, 3) + WINDOW + 1);
      await expect(sendAmendment(world, late))
        .to.be.revertedWithCustomError(world.market, "WrongStatus")
        .withArgs(lost.id, Status.Defaulted);
    });

    it("commitments that no piece has, and prices that overflow", async () => {
      await refuses({ leafCount: 0n }, "InvalidLeafCount", 0n);
      await refuses({ leafCount: 2n ** 40n + 1n }, "InvalidLeafCount", 2n ** 40n + 1n);
      const root = `0x${"ff".repeat(32)}`;
      await refuses({ root }, "InvalidRoot", root);
      const price = 2n ** 127n;
      await refuses({ pricePerPeriod: price }, "AmountTooLarge", 12n * price);
    });

    it("an amendment out of time, and takes it in its last second", async () => {
      await refuses({ validUntil: 1n }, "AmendmentExpired", 1n);
      const world = await fixture();
      const deal = await openDeal(world);
      const validUntil = BigInt((await networkHelpers.time.latest()) + 100);
      const a = await amendmentFor(world, deal, await makePiece(300, 2), { validUntil });
      await networkHelpers.time.setNextBlockTimestamp(validUntil);
      await expect(sendAmendment(world, a)).to.emit(world.market, "Amended");
    });

    it("another nonce than the number of amendments, so that none comes twice", async () => {
      await refuses({ nonce: 1 }, "WrongNonce", 0n, 1n);
      const world = await fixture();
      const deal = await openDeal(world);
      const [one, two] = [await makePiece(300, 2), await makePiece(400, 3)];
      const first = await amendmentFor(world, deal, one);
      await sendAmendment(world, first);
      await expect(sendAmendment(world, first))
        .to.be.revertedWithCustomError(world.market, "WrongNonce")
        .withArgs(1n, 0n);
      await amendDeal(world, deal, two);
      await expect(sendAmendment(world, first), "from A to B and to A again")
        .to.be.revertedWithCustomError(world.market, "WrongNonce")
        .withArgs(2n, 0n);
      await amendDeal(world, deal, one);
      expect((await world.market.recordOf(deal.id)).root).to.equal(first.root);
    });

    it("a second one while one waits", async () => {
      const { world, old, next } = await waiting();
      const again = await amendmentFor(world, old, await makePiece(300, 3));
      await expect(sendAmendment(world, again))
        .to.be.revertedWithCustomError(world.market, "AmendmentPending")
        .withArgs(old.id, 2n);
      await nextBlockIs(epoch(old, 1) + WINDOW + 1);
      await expect(sendAmendment(world, again), "the first one has taken effect").to.emit(world.market, "Amended");
      expect((await latest()) < epoch(next, 2)).to.equal(true);
    });

    it("a higher price that the owner can't pay or has not let the market take", async () => {
      const world = await fixture();
      const deal = await openDeal(world);
      const a = await amendmentFor(world, deal, await makePiece(300, 2), { pricePerPeriod: 500_000n });
      await expect(sendAmendment(world, a)).to.be.revertedWithCustomError(world.vault, "ERC6909InsufficientBalance");
      await world.vault.connect(world.client).setOperator(world.market, false);
      const b = { ...a, pricePerPeriod: 1_001n };
      await expect(sendAmendment(world, b)).to.be.revertedWithCustomError(world.vault, "ERC6909InsufficientAllowance");
      expect((await world.market.recordOf(deal.id)).root, "as it was").to.equal(deal.terms.root);
      expect((await revision(world, deal)).nonce).to.equal(0n);
    });
  });

  it("leaves a stake minimum to openings", async () => {
    const world = await deployMarket({ minStake: 400_000n });
    const deal = await openDeal(world);
    await world.registry.connect(world.provider).unprovision(world.marketAddress, world.tokenAddress, 200_000n);
    await expect(sendAmendment(world, await amendmentFor(world, deal, await makePiece(300, 2)))).to.emit(
      world.market,
      "Amended",
    );
  });
});
