import { expect } from "chai";
import { type DealTerms, recordStruct } from "../../src/protocol/index.js";
import { addProvider, amendDeal, migrateDeal, movedTerms } from "../support/changes.js";
import {
  epoch,
  makePiece,
  NO_BOUNTY,
  networkHelpers,
  nextBlockIs,
  type OpenedDeal,
  openDeal,
  openTerms,
  type Piece,
  proveWindow,
  Status,
  TIERS,
  termsFor,
} from "../support/market.js";
import {
  type Account,
  deployProvenance,
  links,
  type ProvenanceWorld,
  pieceIdOf,
  register,
} from "../support/provenance.js";

/** Links that `isHeld` looks at. */
const LOOKS = 64;
/** Moves that a link is followed over. */
const MOVES = 16;
const ALL = 1_000;

describe("ProvenanceRegistry: whether a piece is held", () => {
  const fixture = () => networkHelpers.loadFixture(deployProvenance);

  /** A deal that the client's record is linked to. */
  async function linked(changes: Partial<DealTerms> = {}) {
    const world = await fixture();
    const deal = await openDeal(world, changes);
    return { world, deal, ...(await linkedTo(world, [deal])) };
  }

  /** A record of the piece that these deals are on, linked to them. */
  async function linkedTo(world: ProvenanceWorld, deals: readonly OpenedDeal[]) {
    const { record, id } = await register(world, { pieceId: pieceIdOf(deals[0] as OpenedDeal) });
    const link = (ids: readonly bigint[]) =>
      world.provenance.connect(world.client).link(recordStruct(record), [...ids]);
    await link(deals.map((deal) => deal.id));
    return { id, link };
  }

  /** Mines until window k has closed, for views as well. */
  const close = (deal: OpenedDeal, k: number) => networkHelpers.mineUpTo(epoch(deal, k) + deal.tier.window + 1);

  /** What the registry says, as plain values; `isHeld` and `holdingsOf` never contradict each other. */
  async function holdings({ provenance }: ProvenanceWorld, id: string, from = 0, count = ALL) {
    const found = await provenance.holdingsOf(id, from, count);
    if (from === 0 && count === ALL && (await provenance.linkCount(id)) <= LOOKS) {
      expect(await provenance.isHeld(id)).to.equal(found.length > 0);
    }
    return found.map(({ dealId, provider, lastProvenEpoch }) => ({ dealId, provider, lastProvenEpoch }));
  }

  const holding = (deal: OpenedDeal, k: number, provider: Account) => ({
    dealId: deal.id,
    provider: provider.address,
    lastProvenEpoch: BigInt(epoch(deal, k)),
  });

  /** A deal as tests know it. */
  async function asOpened(world: ProvenanceWorld, id: bigint, terms: DealTerms, piece: Piece): Promise<OpenedDeal> {
    const { firstEpoch } = await world.lens.dealOf(id);
    return { id, terms, piece, first: Number(firstEpoch), tier: TIERS[0] };
  }

  /** The deal that another was moved to. */
  async function moved(world: ProvenanceWorld, deal: OpenedDeal, to: Account): Promise<OpenedDeal> {
    const terms = movedTerms(world, deal.piece, to.address);
    return asOpened(world, await migrateDeal(world, deal, terms, to), terms, deal.piece);
  }

  it("it is not before the first window has been proven and has closed", async () => {
    const { world, deal, id } = await linked();
    expect(await holdings(world, id), "just opened").to.deep.equal([]);
    await proveWindow(world, deal, 1);
    expect(await holdings(world, id), "window 1 is open still").to.deep.equal([]);
    await networkHelpers.mineUpTo(epoch(deal, 1) + deal.tier.window);
    expect(await holdings(world, id), "in its last block, too").to.deep.equal([]);
    await close(deal, 1);
    expect(await holdings(world, id)).to.deep.equal([holding(deal, 1, world.provider)]);
  });

  it("it is not when the first window was missed", async () => {
    const { world, deal, id } = await linked();
    await close(deal, 1);
    expect(await holdings(world, id)).to.deep.equal([]);
  });

  it("it is until a window is missed, and again when the next one was proven", async () => {
    const { world, deal, id } = await linked();
    await proveWindow(world, deal, 1);
    await close(deal, 1);
    await networkHelpers.mineUpTo(epoch(deal, 2) + deal.tier.window);
    expect(await holdings(world, id), "window 2 is open still").to.deep.equal([holding(deal, 1, world.provider)]);
    await close(deal, 2);
    expect(await holdings(world, id), "window 2 was missed").to.deep.equal([]);
    await proveWindow(world, deal, 3);
    expect(await holdings(world, id), "window 3 is open still").to.deep.equal([]);
    await close(deal, 3);
    expect(await holdings(world, id)).to.deep.equal([holding(deal, 3, world.provider)]);
  });

  it("names the last window that was proven, be it open still", async () => {
    const { world, deal, id } = await linked();
    await proveWindow(world, deal, 1);
    await proveWindow(world, deal, 2);
    expect(await holdings(world, id)).to.deep.equal([holding(deal, 2, world.provider)]);
    await close(deal, 2);
    expect(await holdings(world, id)).to.deep.equal([holding(deal, 2, world.provider)]);
  });

  it("it is not after a default, whether or not anybody has settled", async () => {
    const { world, deal, id } = await linked();
    await proveWindow(world, deal, 1);
    await close(deal, 4);
    expect(await world.market.statusOf(deal.id)).to.equal(Status.Defaulted);
    expect(await holdings(world, id)).to.deep.equal([]);
    await world.market.settle([deal.id], NO_BOUNTY);
    expect(await holdings(world, id)).to.deep.equal([]);
  });

  it("it is not after a deal has been completed, though its last window was proven", async () => {
    const { world, deal, id } = await linked({ periods: 3 });
    for (const k of [1, 2, 3]) await proveWindow(world, deal, k);
    expect(await holdings(world, id)).to.deep.equal([holding(deal, 3, world.provider)]);
    await close(deal, 3);
    expect(await world.market.statusOf(deal.id)).to.equal(Status.Completed);
    expect(await holdings(world, id)).to.deep.equal([]);
    await world.market.settle([deal.id], NO_BOUNTY);
    expect(await holdings(world, id)).to.deep.equal([]);
  });

  it("it is while a deal comes to its end", async () => {
    const { world, deal, id } = await linked();
    await proveWindow(world, deal, 1);
    await close(deal, 1);
    await world.market.connect(world.client).terminate(deal.id);
    expect(await world.market.statusOf(deal.id)).to.equal(Status.Ending);
    expect(await holdings(world, id)).to.deep.equal([holding(deal, 1, world.provider)]);
    await close(deal, 2);
    expect(await holdings(world, id)).to.deep.equal([]);
  });

  it("it is not by a deal that was amended to another piece, from when that takes effect", async () => {
    const { world, deal, id } = await linked();
    await proveWindow(world, deal, 1);
    await nextBlockIs(epoch(deal, 2) - 1);
    const next = await amendDeal(world, deal, await makePiece(5_000, 2));
    expect((await world.market.revisionOf(deal.id)).from).to.equal(3n);
    await proveWindow(world, deal, 2);
    await networkHelpers.mineUpTo(epoch(deal, 2) + deal.tier.window);
    expect(await holdings(world, id), "it waits").to.deep.equal([holding(deal, 2, world.provider)]);
    await close(deal, 2);
    expect(await holdings(world, id), "nobody has settled").to.deep.equal([]);
    await proveWindow(world, next, 3);
    await close(deal, 3);
    expect(await world.market.isProven(deal.id, pieceIdOf(next)), "the other piece is held").to.equal(true);
    expect(await holdings(world, id)).to.deep.equal([]);
    expect(await links(world, id), "the link stays").to.deep.equal([deal.id]);
  });

  describe("by several deals", () => {
    /** Five deals on a piece, of which the second and the fourth were proven last. */
    async function several() {
      const world = await fixture();
      const deals: OpenedDeal[] = [];
      for (let i = 0; i < 5; i++) deals.push(await openDeal(world));
      const { id } = await linkedTo(world, deals);
      const proven = [deals[1], deals[3]] as [OpenedDeal, OpenedDeal];
      for (const deal of proven) await proveWindow(world, deal, 1);
      await close(deals[4] as OpenedDeal, 1);
      return { world, id, proven: proven.map((deal) => holding(deal, 1, world.provider)) };
    }

    it("it is by those that were proven last, in the order of the links", async () => {
      const { world, id, proven } = await several();
      expect(await holdings(world, id)).to.deep.equal(proven);
    });

    it("is told page by page, of links and not of holdings", async () => {
      const { world, id, proven } = await several();
      const pages = await Promise.all([0, 1, 2, 3, 4].map((from) => holdings(world, id, from, 1)));
      expect(pages).to.deep.equal([[], [proven[0]], [], [proven[1]], []]);
      expect(await holdings(world, id, 1, 3)).to.deep.equal(proven);
      expect(await holdings(world, id, 2, 6)).to.deep.equal([proven[1]]);
      expect(await holdings(world, id, 0, 0)).to.deep.equal([]);
      expect(await holdings(world, id, 5, 1)).to.deep.equal([]);
    });

    it("is told of any page, however far out", async () => {
      const { world, id, proven } = await several();
      const most = 2n ** 256n - 1n;
      expect(await world.provenance.holdingsOf(id, 0, most)).to.have.length(2);
      expect((await world.provenance.holdingsOf(id, 2, most)).map(({ dealId }) => dealId)).to.deep.equal([
        proven[1]?.dealId,
      ]);
      expect(await world.provenance.holdingsOf(id, most, most)).to.have.length(0);
    });

    it("isHeld looks at the last 64 links, holdingsOf at all", async () => {
      const world = await fixture();
      const idle: OpenedDeal[] = [];
      for (let i = 0; i < LOOKS; i++) idle.push(await openDeal(world));
      const deal = await openDeal(world);
      const { id, link } = await linkedTo(world, [deal, ...idle.slice(1)]);
      await proveWindow(world, deal, 1);
      await close(deal, 1);
      expect(await holdings(world, id)).to.deep.equal([holding(deal, 1, world.provider)]);
      expect(await world.provenance.isHeld(id), "the 64th from the end").to.equal(true);
      await link([(idle[0] as OpenedDeal).id]);
      expect(await world.provenance.isHeld(id), "the 65th from the end").to.equal(false);
      expect(await holdings(world, id)).to.deep.equal([holding(deal, 1, world.provider)]);
    });
  });

  describe("by a deal that was moved", () => {
    /** A linked deal, proven once, moved to a second provider. */
    async function moving() {
      const world = await fixture();
      const rival = await addProvider(world);
      const deal = await openDeal(world);
      const { id, link } = await linkedTo(world, [deal]);
      await proveWindow(world, deal, 1);
      await close(deal, 1);
      const next = await moved(world, deal, rival);
      return { world, rival, deal, next, id, link };
    }

    it("it is by the old one until its end, then by the new one, without another link", async () => {
      const { world, rival, deal, next, id } = await moving();
      expect(await holdings(world, id), "just moved").to.deep.equal([holding(deal, 1, world.provider)]);
      await close(deal, 2);
      expect(await world.market.statusOf(deal.id)).to.equal(Status.Migrated);
      await proveWindow(world, next, 1);
      expect(await holdings(world, id), "the new one's first window is open").to.deep.equal([]);
      await close(next, 1);
      expect(await holdings(world, id)).to.deep.equal([holding(next, 1, rival)]);
      expect(await links(world, id)).to.deep.equal([deal.id]);
      await close(next, 2);
      expect(await holdings(world, id), "which missed a window").to.deep.equal([]);
    });

    it("it is by the new one when the old one has missed its last window", async () => {
      const { world, rival, next, id } = await moving();
      await proveWindow(world, next, 1);
      await close(next, 1);
      expect(await holdings(world, id)).to.deep.equal([holding(next, 1, rival)]);
    });

    it("it is by the old one alone while both prove, and by each once where both are linked", async () => {
      const world = await fixture();
      const rival = await addProvider(world);
      const piece = await makePiece(1_000);
      const terms = termsFor(world, piece, { provider: rival.address });
      const deal = await asOpened(world, await openTerms(world, terms, rival), terms, piece);
      const { id, link } = await linkedTo(world, [deal]);
      await proveWindow(world, deal, 1);
      const next = await moved(world, deal, world.provider);
      await proveWindow(world, next, 1);
      await close(next, 1);
      expect(await world.market.isProven(next.id, pieceIdOf(next))).to.equal(true);
      expect(await holdings(world, id)).to.deep.equal([holding(deal, 1, rival)]);
      await link([next.id]);
      expect(await holdings(world, id)).to.deep.equal([holding(deal, 1, rival), holding(next, 1, world.provider)]);
      await close(deal, 2);
      expect(await holdings(world, id), "the old one has ended").to.deep.equal([holding(next, 1, world.provider)]);
    });

    it(`it is followed over ${MOVES} moves; after more, the deal is linked again`, async () => {
      const world = await fixture();
      const rival = await addProvider(world);
      let deal = await openDeal(world);
      const { id, link } = await linkedTo(world, [deal]);
      for (let i = 0; i < MOVES; i++) deal = await moved(world, deal, i % 2 === 0 ? rival : world.provider);
      await proveWindow(world, deal, 1);
      await close(deal, 1);
      expect(await holdings(world, id)).to.deep.equal([holding(deal, 1, world.provider)]);
      const ended = deal;
      deal = await moved(world, deal, rival);
      await proveWindow(world, deal, 1);
      await close(deal, 1);
      expect(await world.market.statusOf(ended.id)).to.equal(Status.Migrated);
      expect(await world.market.isProven(deal.id, pieceIdOf(deal))).to.equal(true);
      expect(await holdings(world, id), "too far").to.deep.equal([]);
      await link([deal.id]);
      expect(await holdings(world, id)).to.deep.equal([holding(deal, 1, rival)]);
    });
  });
});
