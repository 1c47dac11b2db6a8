import { expect } from "chai";
import { ethers as core } from "ethers";
import { signTerms } from "../../src/protocol/index.js";
import {
  epoch,
  ethers,
  makePiece,
  networkHelpers,
  nextBlockIs,
  openDeal,
  openTerms,
  pack,
  proofNow,
  proveWindow,
  Status,
  standardMarket,
  termsFor,
  type World,
} from "../support/market.js";

const selector = (world: World, error: string): string => {
  const fragment = world.market.interface.getError(error) ?? world.randomness.interface.getError(error);
  if (!fragment) throw new Error(`no error ${error}`);
  return fragment.selector;
};

describe("StorageMarket: prove", () => {
  const fixture = () => networkHelpers.loadFixture(standardMarket);

  it("takes a proof from anybody, once a window, and counts it", async () => {
    const world = await fixture();
    const deal = await openDeal(world);
    await networkHelpers.mineUpTo(epoch(deal, 1) + 1);
    const proof = await proofNow(world, deal);
    await expect(world.market.connect(world.stranger).prove(deal.id, proof))
      .to.emit(world.market, "Proven")
      .withArgs(deal.id, 1n);
    await expect(world.market.prove(deal.id, proof))
      .to.be.revertedWithCustomError(world.market, "AlreadyProven")
      .withArgs(deal.id, 1n);
    const view = await world.lens.dealOf(deal.id);
    expect([view.proven, view.lastProven]).to.deep.equal([1n, 1n]);
  });

  it("has windows that are the blocks in (e_k, e_k + window]", async () => {
    const world = await fixture();
    const deal = await openDeal(world);
    const { window } = deal.tier;
    const closed = (call: Promise<unknown>) =>
      expect(call).to.be.revertedWithCustomError(world.market, "NoOpenWindow").withArgs(deal.id);
    await nextBlockIs(epoch(deal, 1));
    await closed(world.market.prove(deal.id, "0x"));
    await networkHelpers.mineUpTo(epoch(deal, 1) + 1);
    const early = await proofNow(world, deal);
    await nextBlockIs(epoch(deal, 1) + window + 1);
    await closed(world.market.prove(deal.id, early));
    await networkHelpers.mineUpTo(epoch(deal, 2) + 1);
    const last = await proofNow(world, deal);
    await nextBlockIs(epoch(deal, 2) + window);
    await world.market.prove(deal.id, last);
    expect((await world.lens.dealOf(deal.id)).lastProven).to.equal(2n);
  });

  it("takes a proof in the first block after the challenge", async () => {
    const world = await fixture();
    const deal = await openDeal(world);
    await networkHelpers.mineUpTo(epoch(deal, 1) + 1);
    const snapshot = await networkHelpers.takeSnapshot();
    const proof = await proofNow(world, deal);
    await snapshot.restore();
    // The seed is the hash of block e_1, the same in every block after it.
    expect((await world.lens.challengeOf(deal.id)).epoch).to.equal(BigInt(epoch(deal, 1)));
    await world.market.prove(deal.id, proof);
  });

  it("has no window after the last", async () => {
    const world = await fixture();
    const deal = await openDeal(world, { periods: 3 });
    for (const k of [1, 2, 3]) await proveWindow(world, deal, k);
    await nextBlockIs(epoch(deal, 4) + 1);
    await expect(world.market.prove(deal.id, "0x")).to.be.revertedWithCustomError(world.market, "NoOpenWindow");
    expect(await world.market.statusOf(deal.id)).to.equal(Status.Completed);
  });

  it("refuses the proof of another window, another deal, another leaf, and of half the tree", async () => {
    const world = await fixture();
    const deal = await openDeal(world, {}, 5_000);
    const twin = await openTerms(world, termsFor(world, deal.piece));
    const refused = (id: bigint, proof: string, window = 2n) =>
      expect(world.market.prove(id, proof))
        .to.be.revertedWithCustomError(world.market, "InvalidProof")
        .withArgs(id, window);
    await networkHelpers.mineUpTo(epoch(deal, 1) + 1);
    const old = await proofNow(world, deal);
    await networkHelpers.mineUpTo(epoch(deal, 2) + 1);
    const right = await proofNow(world, deal);
    await refused(deal.id, old);
    const { leaves } = await world.lens.challengeOf(deal.id);
    const others = leaves.map((leaf) => (leaf + 1n) % deal.piece.commitment.leafCount);
    await refused(deal.id, core.hexlify(await deal.piece.proofOf(others)));
    await refused(deal.id, core.dataSlice(right, 0, core.dataLength(right) - 32));
    await refused(deal.id, core.concat([right, core.ZeroHash]));
    await refused(deal.id, "0x");
    const { window } = await world.lens.challengeOf(twin);
    await refused(twin, right, window);
    await world.market.prove(deal.id, right);
  });

  it("refuses a true root with a false leafCount", async () => {
    const world = await fixture();
    const piece = await makePiece(5_000);
    const leafCount = piece.commitment.leafCount / 2n;
    const id = await openTerms(world, termsFor(world, piece, { leafCount }));
    const { firstEpoch } = await world.lens.dealOf(id);
    await networkHelpers.mineUpTo(Number(firstEpoch) + 1);
    const { leaves } = await world.lens.challengeOf(id);
    const proof = core.hexlify(await piece.proofOf(leaves));
    await expect(world.market.prove(id, proof)).to.be.revertedWithCustomError(world.market, "InvalidProof");
    const pieceId = core.keccak256(
      core.AbiCoder.defaultAbiCoder().encode(["bytes32", "uint256"], [core.hexlify(piece.commitment.root), leafCount]),
    );
    expect(await world.market.pieceIdOf(id)).to.equal(pieceId);
  });

  it("refuses deals that do not exist, and defaulted ones", async () => {
    const world = await fixture();
    await expect(world.market.prove(1n, "0x")).to.be.revertedWithCustomError(world.market, "UnknownDeal").withArgs(1n);
    const deal = await openDeal(world);
    await nextBlockIs(epoch(deal, 4) + 1);
    await expect(world.market.prove(deal.id, "0x"))
      .to.be.revertedWithCustomError(world.market, "WrongStatus")
      .withArgs(deal.id, Status.Defaulted);
  });

  it("asks for the leaves of the smallest pieces too", async () => {
    const world = await fixture();
    for (const bytes of [1, 40, 100, 127, 128]) {
      const deal = await openDeal(world, {}, bytes);
      await proveWindow(world, deal, 1);
      expect((await world.lens.dealOf(deal.id)).proven).to.equal(1n);
    }
  });

  it("can't be proven once the chain has forgotten the seed", async () => {
    const world = await fixture();
    const tiers = [{ period: 20_000, window: 9_000, challenges: 3, maxMisses: 1 }];
    const market = await ethers.deployContract("StorageMarket", [{ ...world.config, tiers }]);
    await world.vault.connect(world.client).setOperator(market, true);
    const domain = { ...world.domain, verifyingContract: await market.getAddress() };
    const terms = termsFor(world, await makePiece(500), { collateral: 0n });
    const signature = await signTerms(world.provider, domain, terms);
    await market.connect(world.client).open(terms, "0x", signature);
    const id = await market.dealIdOf(terms);
    const first = Number((await market.recordOf(id)).course.firstEpoch);
    await networkHelpers.mineUpTo(first + 8_500);
    await expect(market.prove(id, "0x"))
      .to.be.revertedWithCustomError(world.randomness, "SeedUnavailable")
      .withArgs(BigInt(first));
    await expect(market.proveMany([id], pack(["0x"])))
      .to.emit(market, "ProofSkipped")
      .withArgs(id, selector(world, "SeedUnavailable"));
  });

  describe("proveMany", () => {
    it("proves the good ones and names what is wrong with the others", async () => {
      const world = await fixture();
      const deals = [await openDeal(world), await openDeal(world), await openDeal(world), await openDeal(world)];
      const [a, b, c, late] = deals as [(typeof deals)[0], (typeof deals)[0], (typeof deals)[0], (typeof deals)[0]];
      expect(new Set(deals.map((deal) => deal.first)).size).to.equal(1);
      await networkHelpers.mineUpTo(epoch(a, 1) + 1);
      const proofs = await Promise.all(deals.map((deal) => proofNow(world, deal)));
      await world.market.prove(b.id, proofs[1] as string);
      const bad = core.hexlify(core.getBytes(proofs[3] as string).map((byte, i) => (i === 70 ? byte ^ 1 : byte)));
      const ids = [a.id, 77n, b.id, c.id, late.id];
      const batch = pack([proofs[0] as string, "0x", proofs[1] as string, proofs[2] as string, bad]);
      expect(await world.market.proveMany.staticCall(ids, batch)).to.equal(2n);
      const call = world.market.proveMany(ids, batch);
      await expect(call).to.emit(world.market, "Proven").withArgs(a.id, 1n);
      await expect(call).to.emit(world.market, "ProofSkipped").withArgs(77n, selector(world, "UnknownDeal"));
      await expect(call).to.emit(world.market, "ProofSkipped").withArgs(b.id, selector(world, "AlreadyProven"));
      await expect(call).to.emit(world.market, "Proven").withArgs(c.id, 1n);
      await expect(call).to.emit(world.market, "ProofSkipped").withArgs(late.id, selector(world, "InvalidProof"));
      await nextBlockIs(epoch(a, 1) + 20);
      await expect(world.market.proveMany([a.id], pack([proofs[0] as string])))
        .to.emit(world.market, "ProofSkipped")
        .withArgs(a.id, selector(world, "NoOpenWindow"));
      await networkHelpers.mineUpTo(epoch(late, 4) + 1);
      await expect(world.market.proveMany([late.id], pack(["0x"])))
        .to.emit(world.market, "ProofSkipped")
        .withArgs(late.id, selector(world, "WrongStatus"));
    });

    it("proves the same deal once where it comes twice", async () => {
      const world = await fixture();
      const deal = await openDeal(world);
      await networkHelpers.mineUpTo(epoch(deal, 1) + 1);
      const proof = await proofNow(world, deal);
      await expect(world.market.proveMany([deal.id, deal.id], pack([proof, proof])))
        .to.emit(world.market, "ProofSkipped")
        .withArgs(deal.id, selector(world, "AlreadyProven"));
      expect((await world.lens.dealOf(deal.id)).proven).to.equal(1n);
    });

    it("refuses a batch whose bytes do not add up", async () => {
      const world = await fixture();
      const deal = await openDeal(world);
      await networkHelpers.mineUpTo(epoch(deal, 1) + 1);
      const batch = pack([await proofNow(world, deal)]);
      const malformed = (ids: bigint[], bytes: string) =>
        expect(world.market.proveMany(ids, bytes)).to.be.revertedWithCustomError(world.market, "MalformedBatch");
      await malformed([deal.id], core.dataSlice(batch, 0, core.dataLength(batch) - 1));
      await malformed([deal.id], core.concat([batch, "0x00"]));
      await malformed([deal.id], "0x00");
      await malformed([deal.id, deal.id], batch);
      await malformed([], batch);
      expect(await world.market.proveMany.staticCall([], "0x")).to.equal(0n);
    });
  });

  describe("isProven", () => {
    it("says whether the last closed window of a live deal was proven, for this very piece", async () => {
      const world = await fixture();
      const deal = await openDeal(world);
      const pieceId = await world.market.pieceIdOf(deal.id);
      const proven = () => world.market.isProven(deal.id, pieceId);
      expect(await proven()).to.equal(false);
      await proveWindow(world, deal, 1);
      expect(await proven(), "the first window is still open").to.equal(false);
      await networkHelpers.mineUpTo(epoch(deal, 1) + deal.tier.window + 1);
      expect(await proven()).to.equal(true);
      expect(await world.market.isProven(deal.id, core.ZeroHash)).to.equal(false);
      expect(await world.market.isProven(5n, pieceId)).to.equal(false);
      await proveWindow(world, deal, 2);
      expect(await proven(), "while the second is open and proven, the first still counts").to.equal(true);
      await networkHelpers.mineUpTo(epoch(deal, 3) + deal.tier.window + 1);
      expect(await proven(), "the third was missed").to.equal(false);
      await proveWindow(world, deal, 4);
      expect(await proven(), "the fourth is still open").to.equal(false);
      await networkHelpers.mineUpTo(epoch(deal, 5));
      expect(await proven()).to.equal(true);
      await networkHelpers.mineUpTo(epoch(deal, 6) + deal.tier.window + 1);
      expect(await proven(), "the deal is over").to.equal(false);
    });
  });
});
