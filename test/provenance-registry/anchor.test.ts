import { expect } from "chai";
import { type AnchoredSet, NO_HASH, type ProvenanceRecord, recordStruct } from "../../src/protocol/index.js";
import type { AnchorStructOutput } from "../../typechain-types/ProvenanceRegistry.js";
import { ALIAS, ethers, networkHelpers } from "../support/market.js";
import {
  anchor,
  deployProvenance,
  Form,
  freshHash,
  idOf,
  impersonated,
  NOTHING,
  now,
  type ProvenanceWorld,
  recordFor,
  refused,
  register,
  setOf,
  stateOf,
} from "../support/provenance.js";

describe("ProvenanceRegistry: anchor", () => {
  const fixture = () => networkHelpers.loadFixture(deployProvenance);

  /** Anchoring this reverts with this error. */
  async function refuses(changes: Partial<AnchoredSet>, error: string, ...args: unknown[]) {
    const world = await fixture();
    const { call } = setOf(world, [recordFor(world)], changes);
    await refused(world, world.provenance.connect(world.client).anchor(call), error, ...args);
  }

  describe("a set", () => {
    it("is known by its id, with what it says in one event", async () => {
      const world = await fixture();
      const { provenance, client } = world;
      const { id: parent } = await register(world, recordFor(world));
      const parents = [{ parent, kind: "training" as const }];
      const claims = { parents, kind: "derived" as const, license: "é".repeat(64) };
      const made = setOf(world, [recordFor(world), recordFor(world)], claims);
      expect(await stateOf(world, made.id)).to.deep.equal(NOTHING);
      expect(await provenance.connect(client).anchor.staticCall(made.call)).to.equal(made.id);
      await provenance.connect(client).anchor(made.call);
      expect(await stateOf(world, made.id)).to.deep.equal({
        ...NOTHING,
        ...{ form: Form.Set, registrant: client.address, registeredAt: await now(), kind: 2n, aiTraining: 3n },
      });
      const [logged, ...others] = await provenance.queryFilter(
        provenance.filters.Anchored(made.id, client, made.set.manifestHash),
      );
      expect(others).to.have.length(0);
      const said = logged?.args.anchor as AnchorStructOutput;
      const { registrant, root, count, kind, license, aiTraining, manifestHash } = said;
      expect({ registrant, root, count, kind, license, manifestHash, aiTraining }).to.deep.equal({
        ...{ registrant: made.set.registrant, root: made.set.root, count: 2n, kind: 2n },
        ...{ license: made.set.license, manifestHash: made.set.manifestHash, aiTraining: 3n },
      });
      expect(said.parents.map((edge) => [edge.parent, edge.kind])).to.deep.equal([[parent, 4n]]);
    });

    it("comes from what is registered, in ascending order, as records do", async () => {
      const world = await fixture();
      const strange = { parent: freshHash(), kind: "derivation" as const };
      const unknown = setOf(world, [recordFor(world)], { parents: [strange] });
      const sent = world.provenance.connect(world.client).anchor(unknown.call);
      await refused(world, sent, "UnknownParent", 0, strange.parent);
      const { id: parent } = await register(world, recordFor(world));
      const twice = [
        { parent, kind: "training" as const },
        { parent, kind: "derivation" as const },
      ];
      const unsorted = world.provenance
        .connect(world.client)
        .anchor(setOf(world, [recordFor(world)], { parents: twice }).call);
      await refused(world, unsorted, "ParentsNotAscending", 1);
    });

    it("is its registrant's to anchor", async () => {
      const world = await fixture();
      const { call } = setOf(world, [recordFor(world)]);
      const sent = world.provenance.connect(world.stranger).anchor(call);
      await refused(world, sent, "NotRegistrant", world.client.address, world.stranger.address);
    });

    it("is not an id alias's, nor nobody's", async () => {
      const world = await fixture();
      const aliased = setOf(world, [recordFor(world)], { registrant: ALIAS });
      const sent = world.provenance.connect(await impersonated(ALIAS)).anchor(aliased.call);
      await refused(world, sent, "InvalidAccount", ALIAS);
      const { call } = setOf(world, [recordFor(world)], { registrant: ethers.ZeroAddress });
      const from = { from: ethers.ZeroAddress };
      const asked = world.provenance.connect(ethers.provider).anchor.staticCall(call, from);
      await refused(world, asked, "InvalidAccount", ethers.ZeroAddress);
    });

    it("is anchored once", async () => {
      const world = await fixture();
      const { id, call } = await anchor(world, [recordFor(world)]);
      await refused(world, world.provenance.connect(world.client).anchor(call), "RecordExists", id);
    });

    it("has a root, and at least one record", async () => {
      await refuses({ root: NO_HASH }, "InvalidAnchor");
      await refuses({ count: 0n }, "InvalidAnchor");
    });

    it("has a licence of at most 128 bytes", async () => {
      await refuses({ license: "x".repeat(129) }, "LicenseTooLong", 129n);
      const world = await fixture();
      const { id } = await anchor(world, [recordFor(world)], { license: "x".repeat(128) });
      expect((await stateOf(world, id)).form).to.equal(Form.Set);
    });

    it("is of as many records as fit in 64 bits", async () => {
      const world = await fixture();
      const { id } = await anchor(world, [recordFor(world)], { count: 2n ** 64n - 1n });
      expect((await stateOf(world, id)).form).to.equal(Form.Set);
    });
  });

  /** Five records of the client's in an anchored set, of which none is registered. */
  async function anchored() {
    const world = await fixture();
    const records = Array.from({ length: 5 }, () => recordFor(world, { kind: "generated", aiTraining: "constrained" }));
    const made = await anchor(world, records);
    await networkHelpers.time.increase(1_000);
    return { world, records, made };
  }

  type Made = Awaited<ReturnType<typeof anchored>>["made"];

  const take = (
    world: ProvenanceWorld,
    record: ProvenanceRecord,
    made: Pick<Made, "call">,
    index: number,
    proof: string[],
  ) => world.provenance.connect(world.stranger).registerAnchored(recordStruct(record), made.call, index, proof);
  const isIn = (
    world: ProvenanceWorld,
    record: ProvenanceRecord,
    made: Pick<Made, "call">,
    index: number,
    proof: string[],
  ) => world.provenance.isAnchored(recordStruct(record), made.call, index, proof);

  describe("a record of an anchored set", () => {
    it("is registered by anybody, as of the set's time", async () => {
      const { world, records, made } = await anchored();
      const { provenance, client } = world;
      const record = records[4] as ProvenanceRecord;
      const id = idOf(world, record);
      expect(await isIn(world, record, made, 4, made.proofOf(4))).to.equal(true);
      const sent = await take(world, record, made, 4, made.proofOf(4));
      await expect(sent).to.emit(provenance, "RegisteredFromSet").withArgs(id, made.id);
      const [logged] = await provenance.queryFilter(provenance.filters.Registered(id, client, record.contentHash));
      expect(logged?.transactionHash).to.equal(sent.hash);
      expect((await now()) - made.at).to.be.greaterThan(999n);
      expect(await stateOf(world, id)).to.deep.equal({
        ...NOTHING,
        ...{ form: Form.Record, registrant: client.address, registeredAt: made.at, kind: 3n, aiTraining: 2n },
      });
      expect(await isIn(world, record, made, 4, made.proofOf(4)), "still").to.equal(true);
    });

    it("says its id to who calls", async () => {
      const { world, records, made } = await anchored();
      const record = records[0] as ProvenanceRecord;
      const { registerAnchored } = world.provenance;
      const answer = await registerAnchored.staticCall(recordStruct(record), made.call, 0, made.proofOf(0));
      expect(answer).to.equal(idOf(world, record));
    });

    it("can be a parent from then on, and not before", async () => {
      const { world, records, made } = await anchored();
      const parent = idOf(world, records[1] as ProvenanceRecord);
      const child = recordFor(world, { parents: [{ parent, kind: "derivation" }] });
      const sent = world.provenance.connect(world.client).register(recordStruct(child));
      await refused(world, sent, "UnknownParent", 0n, parent);
      await take(world, records[1] as ProvenanceRecord, made, 1, made.proofOf(1));
      await world.provenance.connect(world.client).register(recordStruct(child));
      expect((await stateOf(world, idOf(world, child))).form).to.equal(Form.Record);
    });

    it("is registered once, from the set or otherwise", async () => {
      const { world, records, made } = await anchored();
      const [one, two] = records as [ProvenanceRecord, ProvenanceRecord];
      await take(world, one, made, 0, made.proofOf(0));
      await refused(world, take(world, one, made, 0, made.proofOf(0)), "RecordExists", idOf(world, one));
      await world.provenance.connect(world.client).register(recordStruct(two));
      const before = await stateOf(world, idOf(world, two));
      await refused(world, take(world, two, made, 1, made.proofOf(1)), "RecordExists", idOf(world, two));
      expect(await stateOf(world, idOf(world, two)), "and keeps its own time").to.deep.equal(before);
    });

    it("may name another of the set as a parent, which is registered first", async () => {
      const world = await fixture();
      const parent = recordFor(world);
      const child = recordFor(world, { parents: [{ parent: idOf(world, parent), kind: "revision" }] });
      const made = await anchor(world, [child, parent]);
      const takeChild = () => take(world, child, made, 0, made.proofOf(0));
      await refused(world, takeChild(), "UnknownParent", 0n, idOf(world, parent));
      await take(world, parent, made, 1, made.proofOf(1));
      await takeChild();
      expect((await stateOf(world, idOf(world, child))).registeredAt).to.equal(made.at);
    });

    it("may be of an earlier time than its parents, which are there before it all the same", async () => {
      const world = await fixture();
      const parent = recordFor(world);
      const child = recordFor(world, { parents: [{ parent: idOf(world, parent), kind: "revision" }] });
      const made = await anchor(world, [child]);
      await world.provenance.connect(world.client).register(recordStruct(parent));
      await take(world, child, made, 0, []);
      const [older, younger] = [await stateOf(world, idOf(world, child)), await stateOf(world, idOf(world, parent))];
      expect(older.registeredAt).to.equal(made.at);
      expect(younger.registeredAt > made.at).to.equal(true);
    });

    it("is held to what every record is held to", async () => {
      const world = await fixture();
      const records = [recordFor(world, { contentHash: NO_HASH }), recordFor(world)];
      const made = await anchor(world, records);
      await refused(world, take(world, records[0] as ProvenanceRecord, made, 0, made.proofOf(0)), "InvalidContent");
    });

    it("can't be registered from a set that its registrant stands by no longer; what was before stays", async () => {
      const { world, records, made } = await anchored();
      await take(world, records[1] as ProvenanceRecord, made, 1, made.proofOf(1));
      await world.provenance.connect(world.client).withdraw(made.id, "");
      const taking = take(world, records[2] as ProvenanceRecord, made, 2, made.proofOf(2));
      await refused(world, taking, "AlreadyWithdrawn", made.id);
      const state = await stateOf(world, idOf(world, records[1] as ProvenanceRecord));
      expect([state.registeredAt, state.withdrawn]).to.deep.equal([made.at, false]);
    });
  });

  describe("a record is not in a set", () => {
    /** Neither the view nor the registration takes it for a member. */
    async function notIn(
      world: ProvenanceWorld,
      record: ProvenanceRecord,
      made: Pick<Made, "call" | "id">,
      index: number,
      proof: string[],
    ) {
      expect(await isIn(world, record, made, index, proof)).to.equal(false);
      await refused(world, take(world, record, made, index, proof), "NotInSet", made.id, idOf(world, record));
    }

    it("at another place, or at one after its end", async () => {
      const { world, records, made } = await anchored();
      const record = records[3] as ProvenanceRecord;
      for (const index of [0, 1, 2, 4, 5, 7, 3 + 8]) await notIn(world, record, made, index, made.proofOf(3));
    });

    it("by another proof: changed, cut, lengthened, or turned round", async () => {
      const { world, records, made } = await anchored();
      const record = records[3] as ProvenanceRecord;
      const proof = made.proofOf(3);
      for (const wrong of [
        [],
        proof.slice(0, -1),
        [...proof, NO_HASH],
        [...proof].reverse(),
        made.proofOf(2),
        [freshHash(), ...proof.slice(1)],
        [...proof.slice(0, -1), freshHash()],
      ]) {
        await notIn(world, record, made, 3, wrong);
      }
    });

    it("that has it with one member changed", async () => {
      const { world, records, made } = await anchored();
      await notIn(world, { ...(records[3] as ProvenanceRecord), size: 1_001n }, made, 3, made.proofOf(3));
    });

    it("that was not anchored, or is not as it was anchored", async () => {
      const { world, records, made } = await anchored();
      const record = records[3] as ProvenanceRecord;
      const changes: Partial<AnchoredSet>[] = [{ license: "" }, { count: 6n }, { aiTraining: "allowed" }, {}];
      for (const change of changes) {
        const other = setOf(world, records, { ...made.set, manifestHash: freshHash(), ...change });
        await notIn(world, record, other, 3, made.proofOf(3));
      }
    });

    it("of somebody else, who would claim in its registrant's name", async () => {
      const world = await fixture();
      const records = [recordFor(world), recordFor(world, { registrant: world.stranger.address })];
      const made = await anchor(world, records);
      await notIn(world, records[1] as ProvenanceRecord, made, 1, made.proofOf(1));
      expect(await isIn(world, records[0] as ProvenanceRecord, made, 0, made.proofOf(0))).to.equal(true);
    });

    it("that has more places than the tree of its proof", async () => {
      const world = await fixture();
      const record = recordFor(world);
      const made = await anchor(world, [record], { count: 2n ** 64n - 1n });
      await notIn(world, record, made, 0, []);
    });
  });

  it("a set of one record has that record's leaf as its root", async () => {
    const world = await fixture();
    const record = recordFor(world);
    const made = await anchor(world, [record]);
    expect(made.set.root).to.equal(
      ethers.solidityPackedKeccak256(["bytes1", "bytes32"], ["0x00", idOf(world, record)]),
    );
    await take(world, record, made, 0, []);
    expect((await stateOf(world, idOf(world, record))).registeredAt).to.equal(made.at);
  });

  it("a set is a parent as a record is, and stays when its records are registered", async () => {
    const { world, records, made } = await anchored();
    await take(world, records[0] as ProvenanceRecord, made, 0, made.proofOf(0));
    const { id } = await register(world, { kind: "trained-on", parents: [{ parent: made.id, kind: "training" }] });
    expect((await stateOf(world, id)).form).to.equal(Form.Record);
    expect((await stateOf(world, made.id)).form).to.equal(Form.Set);
  });
});
