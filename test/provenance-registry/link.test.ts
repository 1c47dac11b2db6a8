import { expect } from "chai";
import { NO_HASH, type ProvenanceRecord, recordStruct } from "../../src/protocol/index.js";
import { amendDeal } from "../support/changes.js";
import { epoch, ethers, makePiece, networkHelpers, type OpenedDeal, openDeal, proveWindow } from "../support/market.js";
import {
  deployProvenance,
  freshHash,
  idOf,
  links,
  type ProvenanceWorld,
  pieceIdOf,
  recordFor,
  refused,
  register,
} from "../support/provenance.js";

describe("ProvenanceRegistry: link", () => {
  const fixture = () => networkHelpers.loadFixture(deployProvenance);

  /** Two deals on one piece, and a record of the client's that names it. */
  async function stored() {
    const world = await fixture();
    const deals = [await openDeal(world), await openDeal(world)] as const;
    const { record, id } = await register(world, { pieceId: pieceIdOf(deals[0]) });
    return { world, record, id, one: deals[0], two: deals[1] };
  }

  const link = (world: ProvenanceWorld, record: ProvenanceRecord, deals: readonly Pick<OpenedDeal, "id">[]) =>
    world.provenance.connect(world.client).link(
      recordStruct(record),
      deals.map(({ id }) => id),
    );

  it("names deals by which the record's piece is held, in order", async () => {
    const { world, record, id, one, two } = await stored();
    const { provenance } = world;
    const sent = await link(world, record, [two, one]);
    await expect(sent).to.emit(provenance, "Linked").withArgs(id, two.id);
    await expect(sent).to.emit(provenance, "Linked").withArgs(id, one.id);
    expect(await links(world, id)).to.deep.equal([two.id, one.id]);
    await expect(provenance.linkAt(id, 2)).to.be.revertedWithPanic(0x32);
  });

  it("adds to what was named before", async () => {
    const { world, record, id, one, two } = await stored();
    await link(world, record, [one]);
    await link(world, record, []);
    await link(world, record, [two]);
    expect(await links(world, id)).to.deep.equal([one.id, two.id]);
  });

  it("is apart for each record of a piece", async () => {
    const { world, record, id, one } = await stored();
    const other = await register(world, { pieceId: record.pieceId });
    await link(world, record, [one]);
    expect(await links(world, other.id)).to.deep.equal([]);
    await link(world, other.record, [one]);
    expect(await links(world, other.id)).to.deep.equal([one.id]);
    expect(await links(world, id)).to.deep.equal([one.id]);
  });

  it("is open to deals of others: whoever pays for them holds the piece", async () => {
    const { world, id, record, one } = await stored();
    await world.market.connect(world.client).transferFrom(world.client, world.stranger, one.id);
    await link(world, record, [one]);
    expect(await links(world, id)).to.deep.equal([one.id]);
  });

  it("is the registrant's to do", async () => {
    const { world, record, one } = await stored();
    const sent = world.provenance.connect(world.stranger).link(recordStruct(record), [one.id]);
    await refused(world, sent, "NotRegistrant", world.client.address, world.stranger.address);
  });

  it("is of a record that is registered, as it was registered", async () => {
    const { world, record, one } = await stored();
    const unknown = recordFor(world, { pieceId: record.pieceId });
    await refused(world, link(world, unknown, [one]), "UnknownRecord", idOf(world, unknown));
    const other = { ...record, pieceId: freshHash() };
    await refused(world, link(world, other, [one]), "UnknownRecord", idOf(world, other));
  });

  it("is of deals that there are: what does not exist has a piece id, too", async () => {
    const world = await fixture();
    const nothing = ethers.keccak256(ethers.AbiCoder.defaultAbiCoder().encode(["bytes32", "uint64"], [NO_HASH, 0]));
    expect(await world.market.pieceIdOf(12_345n)).to.equal(nothing);
    const { call, id } = await register(world, { pieceId: nothing });
    const sent = world.provenance.connect(world.client).link(call, [12_345n]);
    await refused(world, sent, "PieceMismatch", id, 12_345n);
  });

  it("is of a record that names a piece", async () => {
    const world = await fixture();
    const { record, id } = await register(world, { pieceId: NO_HASH });
    const deal = await openDeal(world);
    await refused(world, link(world, record, [deal]), "NoPiece", id);
    await refused(world, link(world, record, []), "NoPiece", id);
  });

  it("is to deals on that very piece: not on another, nor on the same root with other leaves", async () => {
    const { world, record, id, one } = await stored();
    const other = await openDeal(world, {}, 2_000);
    await refused(world, link(world, record, [other]), "PieceMismatch", id, other.id);
    const longer = await openDeal(world, { leafCount: one.terms.leafCount + 1n });
    expect(longer.terms.root).to.equal(one.terms.root);
    await refused(world, link(world, record, [longer]), "PieceMismatch", id, longer.id);
    await refused(world, link(world, record, [{ id: 7n }]), "PieceMismatch", id, 7n);
  });

  it("is to the piece that a deal is on now: until an amendment takes effect, the one before", async () => {
    const { world, record, id, one } = await stored();
    await proveWindow(world, one, 1);
    const next = await amendDeal(world, one, await makePiece(5_000, 2));
    const amended = await register(world, { pieceId: pieceIdOf(next) });
    await refused(world, link(world, amended.record, [one]), "PieceMismatch", amended.id, one.id);
    await networkHelpers.mineUpTo(epoch(one, 1) + one.tier.window + 1);
    await refused(world, link(world, record, [one]), "PieceMismatch", id, one.id);
    await link(world, amended.record, [one]);
    expect(await links(world, amended.id)).to.deep.equal([one.id]);
  });

  it("is done once with each deal", async () => {
    const { world, record, id, one, two } = await stored();
    await refused(world, link(world, record, [one, two, one]), "AlreadyLinked", id, one.id);
    await link(world, record, [one]);
    await refused(world, link(world, record, [two, one]), "AlreadyLinked", id, one.id);
    expect(await links(world, id), "all or none").to.deep.equal([one.id]);
  });

  it("is open to records that are withdrawn: the bytes are held all the same", async () => {
    const { world, record, id, one } = await stored();
    await world.provenance.connect(world.client).withdraw(id, "");
    await link(world, record, [one]);
    expect(await links(world, id)).to.deep.equal([one.id]);
  });
});
