import { expect } from "chai";
import { hexlify, toUtf8Bytes } from "ethers";
import { ChainError } from "../../src/chain/errors.js";
import { type DealTerms, dealIdOf, type EdgeKind, NO_HASH, recordStruct, signTerms } from "../../src/protocol/index.js";
import { ProvenanceBook } from "../../src/provenance/book.js";
import { DealsByPiece, holdingsOf, holdingsOfKnown } from "../../src/provenance/evidence.js";
import { addProvider, amendDeal, migrateDeal, movedTerms } from "../support/changes.js";
import { failure } from "../support/failure.js";
import {
  epoch,
  ethers,
  makePiece,
  networkHelpers,
  nextBlockIs,
  type OpenedDeal,
  openDeal,
  proveWindow,
  TIERS,
  termsFor,
} from "../support/market.js";
import { deployProvenance, freshHash, type ProvenanceWorld, pieceIdOf, register } from "../support/provenance.js";
import { emptyAt, overheard, readerOf } from "../support/provenance-reader.js";

const URL = "https://provider.example";

describe("provenance: who holds a piece", () => {
  const fixture = () => networkHelpers.loadFixture(deployProvenance);
  const close = (deal: OpenedDeal, k: number) => networkHelpers.mineUpTo(epoch(deal, k) + deal.tier.window + 1);
  const holdings = async (world: ProvenanceWorld, id: string, deal: OpenedDeal) =>
    holdingsOf(await readerOf(world), id, pieceIdOf(deal));
  const dealsOf = async (...args: Parameters<typeof holdings>) => (await holdings(...args)).map(({ dealId }) => dealId);

  /** A deal that was proven, and its window closed; a record of its piece, linked to it where that is wanted. */
  async function held(link: boolean, changes: Partial<DealTerms> = {}) {
    const world = await fixture();
    const deal = await openDeal(world, changes);
    const { record, id } = await register(world, { pieceId: pieceIdOf(deal) });
    if (link) await world.provenance.connect(world.client).link(recordStruct(record), [deal.id]);
    await proveWindow(world, deal, 1);
    await close(deal, 1);
    return { world, deal, id };
  }

  for (const linked of [true, false]) {
    describe(linked ? "by deals that the registrant names" : "by deals that nobody names", () => {
      it("says which, by whom, and when they were proven last", async () => {
        const { world, deal, id } = await held(linked);
        const lastProvenEpoch = epoch(deal, 1);
        const { timestamp } = (await ethers.provider.getBlock(lastProvenEpoch))!;
        expect(await holdings(world, id, deal)).to.deep.equal([
          {
            ...{ dealId: deal.id, provider: world.provider.address, url: URL, linked },
            ...{ lastProvenEpoch, lastProvenAt: timestamp },
          },
        ]);
      });

      it("and when, where the challenge's epoch is a null round: at the block before", async () => {
        const { world, deal, id } = await held(linked);
        const { timestamp } = (await ethers.provider.getBlock(epoch(deal, 1) - 1))!;
        const reader = await readerOf(world, emptyAt(epoch(deal, 1)));
        const [holding] = await holdingsOf(reader, id, pieceIdOf(deal));
        expect(holding?.lastProvenAt).to.equal(timestamp);
      });

      it("not before the first window was proven, nor once one was missed", async () => {
        const { world, deal, id } = await held(linked);
        const early = await openDeal(world, {}, 2_000);
        expect(await dealsOf(world, id, early)).to.deep.equal([]);
        await close(deal, 2);
        expect(await dealsOf(world, id, deal)).to.deep.equal([]);
      });

      it("not after a default, nor after the end", async () => {
        const { world, deal, id } = await held(linked);
        await close(deal, 4);
        expect(await dealsOf(world, id, deal), "defaulted").to.deep.equal([]);
        const short = await held(linked, { periods: 3 });
        for (const k of [2, 3]) await proveWindow(short.world, short.deal, k);
        await close(short.deal, 3);
        expect(await dealsOf(short.world, short.id, short.deal), "completed").to.deep.equal([]);
      });

      it("not once it was amended to another piece, which is held by it then", async () => {
        const { world, deal, id } = await held(linked);
        await nextBlockIs(epoch(deal, 2) - 1);
        const next = await amendDeal(world, deal, await makePiece(5_000, 2));
        await proveWindow(world, deal, 2);
        await close(deal, 2);
        await proveWindow(world, next, 3);
        await close(deal, 3);
        expect(await dealsOf(world, id, deal)).to.deep.equal([]);
        const other = await register(world, { pieceId: pieceIdOf(next) });
        expect(await holdings(world, other.id, next)).to.have.length(1);
      });

      it("by the deal that it was moved to, and not by what it was before", async () => {
        const { world, deal, id } = await held(linked);
        const rival = await addProvider(world);
        const terms = movedTerms(world, deal.piece, rival.address);
        const successor = await migrateDeal(world, deal, terms, rival);
        const { firstEpoch } = await world.lens.dealOf(successor);
        const moved = { ...deal, id: successor, terms, first: Number(firstEpoch), tier: TIERS[0] };
        await proveWindow(world, moved, 1);
        await close(moved, 1);
        const [holding, ...others] = await holdings(world, id, deal);
        expect(others).to.deep.equal([]);
        expect(holding).to.include({ dealId: successor, provider: rival.address, linked });
      });
    });
  }

  it("names each deal once, those that are linked as such, the latest proven first", async () => {
    const { world, deal, id } = await held(true);
    const second = await openDeal(world);
    await proveWindow(world, deal, 2);
    await proveWindow(world, second, 1);
    await close(second, 1);
    const found = await holdings(world, id, deal);
    expect(found.map(({ dealId, linked }) => [dealId, linked])).to.have.deep.members([
      [deal.id, true],
      [second.id, false],
    ]);
    const epochs = found.map(({ lastProvenEpoch }) => lastProvenEpoch);
    expect(epochs).to.deep.equal([...epochs].sort((a, b) => b - a));
  });

  it("nobody does where no piece is named, and nothing is asked", async () => {
    const world = await fixture();
    const reader = await readerOf(
      world,
      overheard("call", () => {
        throw new Error("asked");
      }),
    );
    expect(await holdingsOf(reader, freshHash(), NO_HASH)).to.deep.equal([]);
    const error = await failure(holdingsOf(reader, freshHash(), freshHash()));
    expect(error)
      .to.be.instanceOf(ChainError)
      .with.property("message", "Failed to read which deals hold a piece: asked");
  });

  describe("whatever a stranger is", () => {
    /** A proven deal with somebody who puts nothing at stake, on the piece of a record. */
    async function heldBy(world: ProvenanceWorld, deal: OpenedDeal, stranger: ProvenanceWorld["stranger"]) {
      const terms = termsFor(world, deal.piece, { provider: stranger.address, collateral: 0n });
      const signature = await signTerms(stranger, world.domain, terms);
      await world.market.connect(world.client).open(terms, "0x", signature);
      const id = dealIdOf(world.domain, terms);
      const { firstEpoch } = await world.lens.dealOf(id);
      const own = { ...deal, id, terms, first: Number(firstEpoch) };
      await proveWindow(world, own, 1);
      await close(own, 1);
      return own;
    }

    it("has no URL where it is not registered", async () => {
      const { world, deal, id } = await held(false);
      await heldBy(world, deal, world.signer);
      const found = await holdings(world, id, deal);
      expect(found.find(({ provider }) => provider === world.signer.address)).to.include({ url: "" });
    });

    it("has none where its URL is empty, or no text", async () => {
      const { world, deal, id } = await held(false);
      const profile = { name: "", url: "~~~~", peerId: "", region: "0x000000000000", tiers: 7, offerUri: "" };
      const { registry, signer } = world;
      const data = registry.interface.encodeFunctionData("register", [profile]);
      await signer.sendTransaction({
        to: registry,
        data: data.replace(hexlify(toUtf8Bytes("~~~~")).slice(2), "ff80fe41"),
      });
      await heldBy(world, deal, signer);
      const urlOf = async () =>
        (await holdings(world, id, deal)).find(({ provider }) => provider === signer.address)?.url;
      expect(await urlOf()).to.equal("");
      await registry.connect(signer).updateProfile({ ...profile, url: "" });
      expect(await urlOf()).to.equal("");
    });
  });

  describe("within a larger piece", () => {
    const part = (kind: EdgeKind, parent: string) => ({ parents: [{ parent, kind }] });
    const heldWithin = async (world: ProvenanceWorld, id: string) => {
      const [reader, book] = [await readerOf(world), await ProvenanceBook.open(await readerOf(world))];
      return (await holdingsOfKnown(reader, book.known.values(), book.known.get(id)!)).map(({ within }) => within);
    };

    it("is held where its registrant says that the piece contains it, and nobody else", async () => {
      const { world, deal } = await held(false);
      const { id } = await register(world, { pieceId: NO_HASH });
      const pieceId = pieceIdOf(deal);
      expect(await heldWithin(world, id)).to.deep.equal([]);
      await register(world, { pieceId, ...part("derivation", id) });
      expect(await heldWithin(world, id), "no component").to.deep.equal([]);
      await register(world, { pieceId, registrant: world.stranger.address, ...part("component", id) }, world.stranger);
      expect(await heldWithin(world, id), "a stranger's").to.deep.equal([]);
      const whole = await register(world, { pieceId, ...part("component", id) });
      expect(await heldWithin(world, id)).to.deep.equal([whole.id]);
      await world.provenance.connect(world.client).withdraw(whole.id, "");
      expect(await heldWithin(world, id), "withdrawn").to.deep.equal([]);
    });

    it("is told to be held by itself where it is", async () => {
      const { world, deal, id } = await held(false);
      await register(world, { pieceId: pieceIdOf(deal), ...part("component", id) });
      expect(await heldWithin(world, id)).to.deep.equal([undefined]);
    });
  });

  it("reads the market once, however many records are asked about", async () => {
    const { world, deal, id } = await held(false);
    let reads = 0;
    const reader = await readerOf(
      world,
      overheard("getLogs", () => {
        reads++;
      }),
    );
    await holdingsOf(reader, id, pieceIdOf(deal));
    const once = reads;
    expect(once).to.be.greaterThan(0);
    const deals = new DealsByPiece(reader);
    expect(reads, "not before it is asked").to.equal(once);
    const all = await Promise.all([0, 1, 2].map(() => holdingsOf(reader, id, pieceIdOf(deal), deals)));
    expect(all.map((found) => found.length)).to.deep.equal([1, 1, 1]);
    expect(reads).to.equal(2 * once);
    expect(await deals.on(freshHash())).to.deep.equal([]);
  });
});
