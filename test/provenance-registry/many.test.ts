import { expect } from "chai";
import { NO_HASH, recordStruct } from "../../src/protocol/index.js";
import { networkHelpers } from "../support/market.js";
import {
  deployProvenance,
  derivedFrom,
  idOf,
  NOTHING,
  now,
  recordFor,
  refused,
  stateOf,
} from "../support/provenance.js";

describe("ProvenanceRegistry: many records at once", () => {
  const fixture = () => networkHelpers.loadFixture(deployProvenance);

  it("are registered in order, each with those before it as parents, all at one time", async () => {
    const world = await fixture();
    const { provenance, client } = world;
    const first = recordFor(world);
    const second = recordFor(world, { parents: derivedFrom([idOf(world, first)]) });
    const third = recordFor(world, { parents: derivedFrom([idOf(world, first), idOf(world, second)]) });
    const records = [first, second, third];
    const ids = records.map((record) => idOf(world, record));
    const calls = records.map(recordStruct);
    expect([...(await provenance.connect(client).registerMany.staticCall(calls))]).to.deep.equal(ids);
    await provenance.connect(client).registerMany(calls);
    const logged = await provenance.queryFilter(provenance.filters.Registered(undefined, client));
    expect(logged.map(({ args }) => args.id)).to.deep.equal(ids);
    const time = await now();
    for (const id of ids) expect((await stateOf(world, id)).registeredAt).to.equal(time);
  });

  it("are all registered or none: a child before its parent", async () => {
    const world = await fixture();
    const first = recordFor(world);
    const second = recordFor(world, { parents: derivedFrom([idOf(world, first)]) });
    const sent = world.provenance.connect(world.client).registerMany([second, first].map(recordStruct));
    await refused(world, sent, "UnknownParent", 0n, idOf(world, first));
    const wrongLast = [first, second, recordFor(world, { contentHash: NO_HASH })].map(recordStruct);
    await refused(world, world.provenance.connect(world.client).registerMany(wrongLast), "InvalidContent");
    for (const record of [first, second]) expect(await stateOf(world, idOf(world, record))).to.deep.equal(NOTHING);
  });

  it("are all the sender's", async () => {
    const world = await fixture();
    const { client, stranger } = world;
    const records = [recordFor(world), recordFor(world, { registrant: stranger.address })].map(recordStruct);
    const sent = world.provenance.connect(client).registerMany(records);
    await refused(world, sent, "NotRegistrant", stranger.address, client.address);
  });

  it("have no record twice", async () => {
    const world = await fixture();
    const record = recordFor(world);
    const sent = world.provenance.connect(world.client).registerMany([record, record].map(recordStruct));
    await refused(world, sent, "RecordExists", idOf(world, record));
  });

  it("are not none", async () => {
    const world = await fixture();
    await refused(world, world.provenance.connect(world.client).registerMany([]), "NothingToRegister");
  });
});
