import { expect } from "chai";
import { EDGE_KINDS, NO_HASH, type ProvenanceRecord, recordStruct, sortEdges } from "../../src/protocol/index.js";
import { networkHelpers } from "../support/market.js";
import {
  anchor,
  deployProvenance,
  derivedFrom,
  Form,
  idOf,
  recordFor,
  refused,
  register,
  registerMany,
  stateOf,
} from "../support/provenance.js";

describe("ProvenanceRegistry: parents", () => {
  const fixture = () => networkHelpers.loadFixture(deployProvenance);

  it("are records and sets, anybody's, each in as many ways as there are", async () => {
    const world = await fixture();
    const foreign = await register(world, {}, world.stranger);
    const set = await anchor(world, [recordFor(world)]);
    const [own] = (await registerMany(world, 1)) as [string];
    const parents = sortEdges([
      ...EDGE_KINDS.map((kind) => ({ parent: own, kind })),
      { parent: foreign.id, kind: "revision" },
      { parent: set.id, kind: "component" },
    ]);
    const { id } = await register(world, { parents });
    expect((await stateOf(world, id)).form).to.equal(Form.Record);
  });

  it("are at most 64", async () => {
    const world = await fixture();
    const ids = await registerMany(world, 65);
    await register(world, { parents: derivedFrom(ids.slice(1)) });
    const all = [...ids].sort().map((parent) => ({ parent, kind: "derivation" as const }));
    const call = recordStruct(recordFor(world, { parents: all }));
    await refused(world, world.provenance.connect(world.client).register(call), "TooManyParents", 65n);
  });

  it("are registered before", async () => {
    const world = await fixture();
    const [known] = (await registerMany(world, 1)) as [string];
    const unknown = `0x${"ff".repeat(32)}`;
    const call = recordStruct(recordFor(world, { parents: derivedFrom([known, unknown]) }));
    await refused(world, world.provenance.connect(world.client).register(call), "UnknownParent", 1n, unknown);
    const zero = recordStruct(recordFor(world, { parents: derivedFrom([NO_HASH]) }));
    await refused(world, world.provenance.connect(world.client).register(zero), "UnknownParent", 0n, NO_HASH);
  });

  it("are never the record itself: whatever id it names there, its own is another", async () => {
    const world = await fixture();
    let record = recordFor(world);
    for (let tries = 0; tries < 3; tries++) {
      const own = idOf(world, record);
      record = { ...record, parents: derivedFrom([own]) };
      expect(idOf(world, record)).to.not.equal(own);
      const call = recordStruct(record);
      await refused(world, world.provenance.connect(world.client).register(call), "UnknownParent", 0n, own);
    }
  });

  it("come in ascending order", async () => {
    const world = await fixture();
    const [low, middle, high] = (await registerMany(world, 3)).sort() as [string, string, string];
    const send = (parents: ProvenanceRecord["parents"]) =>
      world.provenance.connect(world.client).register(recordStruct(recordFor(world, { parents })));
    // A kind of a higher number makes up for no lower parent.
    const [a, b, c] = [
      { parent: low, kind: "training" },
      { parent: middle, kind: "derivation" },
      { parent: high, kind: "input" },
    ] as const;
    await refused(world, send([b, a, c]), "ParentsNotAscending", 1n);
    await refused(world, send([a, c, b]), "ParentsNotAscending", 2n);
    await expect(send([a, b, c])).to.emit(world.provenance, "Registered");
  });

  it("come once with each kind, the kinds of one in ascending order", async () => {
    const world = await fixture();
    const [parent] = (await registerMany(world, 1)) as [string];
    const send = (...kinds: (typeof EDGE_KINDS)[number][]) => {
      const record = recordFor(world, { parents: kinds.map((kind) => ({ parent, kind })) });
      return world.provenance.connect(world.client).register(recordStruct(record));
    };
    await refused(world, send("input", "input"), "ParentsNotAscending", 1n);
    await refused(world, send("derivation", "training", "revision"), "ParentsNotAscending", 2n);
    await expect(send("derivation", "revision", "training")).to.emit(world.provenance, "Registered");
  });
});
