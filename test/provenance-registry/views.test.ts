import { expect } from "chai";
import type { Result } from "ethers";
import { recordStruct, sortEdges } from "../../src/protocol/index.js";
import { networkHelpers } from "../support/market.js";
import {
  anchor,
  deployProvenance,
  freshHash,
  idOf,
  NOTHING,
  type ProvenanceWorld,
  recordFor,
  refused,
  register,
  stateOf,
} from "../support/provenance.js";

describe("ProvenanceRegistry: views", () => {
  const fixture = () => networkHelpers.loadFixture(deployProvenance);

  const parentsOf = async (world: ProvenanceWorld, call: ReturnType<typeof recordStruct>) => {
    const { id, parents } = await world.provenance.parentsOf(call);
    return { id, parents: parents.map((state) => (state as unknown as Result).toObject()) };
  };

  describe("parentsOf", () => {
    it("says in one call how each parent stands, in the record's order", async () => {
      const world = await fixture();
      const provenance = world.provenance.connect(world.client);
      const [withdrawn, replaced] = [await register(world), await register(world, { kind: "edited" })];
      const set = await anchor(world, [recordFor(world)]);
      const foreign = await register(world, { aiTraining: "refused" }, world.stranger);
      await provenance.withdraw(withdrawn.id, "");
      await provenance.supersede(replaced.id, set.id);
      const ids = [withdrawn.id, replaced.id, set.id, foreign.id];
      const parents = sortEdges([
        ...ids.map((parent) => ({ parent, kind: "input" as const })),
        { parent: foreign.id, kind: "training" },
      ]);
      const { id, call } = await register(world, { parents });
      const answer = await parentsOf(world, call);
      expect(answer.id).to.equal(id);
      const expected = await Promise.all(parents.map(({ parent }) => stateOf(world, parent)));
      expect(answer.parents).to.deep.equal(expected);
      expect(new Set(expected.map((state) => Object.values(state).join())).size, "four that differ").to.equal(4);
    });

    it("says that there are none", async () => {
      const world = await fixture();
      const { id, call } = await register(world);
      expect(await parentsOf(world, call)).to.deep.equal({ id, parents: [] });
    });

    it("takes no parents that the record doesn't have", async () => {
      const world = await fixture();
      const [parent, other] = [await register(world), await register(world)];
      const { record } = await register(world, { parents: [{ parent: parent.id, kind: "revision" }] });
      const forged = { ...record, parents: [{ parent: other.id, kind: "revision" as const }] };
      const asked = world.provenance.parentsOf(recordStruct(forged));
      await refused(world, asked, "UnknownRecord", idOf(world, forged));
    });
  });

  it("know nothing of what is not there, and say so", async () => {
    const world = await fixture();
    const { provenance, stranger } = world;
    const id = freshHash();
    expect(await stateOf(world, id)).to.deep.equal(NOTHING);
    expect(await provenance.linkCount(id)).to.equal(0n);
    await expect(provenance.linkAt(id, 0)).to.be.revertedWithPanic(0x32);
    expect([...(await provenance.holdingsOf(id, 0, 10))]).to.deep.equal([]);
    expect(await provenance.isHeld(id)).to.equal(false);
    expect([...(await provenance.verdictsOf(id, stranger, [id]))]).to.deep.equal([0n]);
  });
});
