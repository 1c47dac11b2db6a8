import { expect } from "chai";
import {
  AI_TRAINING,
  EDGE_KINDS,
  MAX_CID_BYTES,
  MAX_LICENSE_BYTES,
  MAX_PARENTS,
  NO_HASH,
  type ProvenanceRecord,
  RECORD_KINDS,
  recordStruct,
} from "../../src/protocol/index.js";
import type { RecordStructOutput } from "../../typechain-types/ProvenanceRegistry.js";
import { ALIAS, ethers, networkHelpers } from "../support/market.js";
import {
  deployProvenance,
  derivedFrom,
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
  registerMany,
  stateOf,
} from "../support/provenance.js";

describe("ProvenanceRegistry: register", () => {
  const fixture = () => networkHelpers.loadFixture(deployProvenance);

  /** Registering this reverts with this error. */
  async function refuses(changes: Partial<ProvenanceRecord>, error: string, ...args: unknown[]) {
    const world = await fixture();
    const call = world.provenance.connect(world.client).register(recordStruct(recordFor(world, changes)));
    await refused(world, call, error, ...args);
  }

  describe("what is known of a record afterwards", () => {
    it("is who registered it, when, and what it says it is", async () => {
      const world = await fixture();
      const record = recordFor(world, { kind: "aggregated", aiTraining: "refused" });
      expect(await stateOf(world, idOf(world, record))).to.deep.equal(NOTHING);
      expect(await world.provenance.connect(world.client).register.staticCall(recordStruct(record))).to.equal(
        idOf(world, record),
      );
      await world.provenance.connect(world.client).register(recordStruct(record));
      expect(await stateOf(world, idOf(world, record))).to.deep.equal({
        ...NOTHING,
        ...{ form: Form.Record, registrant: world.client.address, registeredAt: await now(), kind: 5n, aiTraining: 3n },
      });
    });

    it("tells every kind and every permission apart", async () => {
      const world = await fixture();
      for (const kind of RECORD_KINDS) {
        for (const aiTraining of AI_TRAINING) {
          const { id } = await register(world, { kind, aiTraining });
          const state = await world.provenance.stateOf(id);
          const words = [RECORD_KINDS[Number(state.kind)], AI_TRAINING[Number(state.aiTraining)]];
          expect(words).to.deep.equal([kind, aiTraining]);
        }
      }
    });
  });

  describe("the event", () => {
    /** Registers a record, and compares its log with what Solidity would have emitted, and with the record. */
    async function saysAll(world: ProvenanceWorld, changes: Partial<ProvenanceRecord>) {
      const { provenance } = world;
      const { id, record, call } = await register(world, changes);
      const [logged, ...others] = await provenance.queryFilter(provenance.filters.Registered(id));
      expect(others).to.have.length(0);
      const plain = provenance.interface.encodeEventLog("Registered", [
        id,
        record.registrant,
        record.contentHash,
        call,
      ]);
      expect([logged?.topics, logged?.data]).to.deep.equal([plain.topics, plain.data]);
      expect([logged?.args.id, logged?.args.registrant, logged?.args.contentHash]).to.deep.equal([
        id,
        record.registrant,
        record.contentHash,
      ]);
      const said = logged?.args.record as RecordStructOutput;
      const { registrant, contentHash, size, pieceId, cid, license, manifestHash } = said;
      expect({
        ...{ registrant, contentHash, size, pieceId, cid, license, manifestHash },
        parents: said.parents.map((edge) => ({ parent: edge.parent, kind: EDGE_KINDS[Number(edge.kind)] })),
        kind: RECORD_KINDS[Number(said.kind)],
        aiTraining: AI_TRAINING[Number(said.aiTraining)],
      }).to.deep.equal(record);
    }

    it("has a record whole that names nothing but its content", async () => {
      const world = await fixture();
      await saysAll(world, { size: 0n, license: "", aiTraining: "unstated" });
    });

    it("has a record whole that names everything, as long as it may be, with 64 parents", async () => {
      const world = await fixture();
      const ids = await registerMany(world, MAX_PARENTS);
      await saysAll(world, {
        size: 2n ** 64n - 1n,
        pieceId: freshHash(),
        cid: `0x${"a5".repeat(MAX_CID_BYTES)}`,
        parents: derivedFrom(ids),
        kind: "aggregated",
        license: "é".repeat(MAX_LICENSE_BYTES / 2),
        aiTraining: "refused",
        manifestHash: `0x${"ff".repeat(32)}`,
      });
    });

    it("has a record whole of each length that ends within a word, with one parent", async () => {
      const world = await fixture();
      const [parent] = (await registerMany(world, 1)) as [string];
      for (const length of [1, 31, 32, 33, 63]) {
        await saysAll(world, {
          parents: [{ parent, kind: "training" }],
          cid: `0x${"11".repeat(length)}`,
          license: "x".repeat(2 * length),
        });
      }
    });

    it("and the id are of what the record says, however its calldata is laid out", async () => {
      const world = await fixture();
      const { provenance, client, provenanceAddress } = world;
      const call = recordStruct(recordFor(world, { license: "MIT", cid: "0x0155" }));
      const canonical = provenance.interface.encodeFunctionData("register", [call]);
      // The padding of the licence, which comes last, is not zero; nor is it where the call ends.
      const dirty = `${canonical.slice(0, -2)}01${"ab".repeat(40)}`;
      expect(provenance.interface.decodeFunctionData("register", dirty)[0].license).to.equal("MIT");
      await client.sendTransaction({ to: provenanceAddress, data: dirty });
      const [logged] = await provenance.queryFilter(provenance.filters.Registered(await provenance.recordIdOf(call)));
      const args = [await provenance.recordIdOf(call), call.registrant, call.contentHash, call];
      expect(logged?.data).to.equal(provenance.interface.encodeEventLog("Registered", args).data);
      const id = await provenance.recordIdOf(call);
      await refused(world, client.sendTransaction({ to: provenanceAddress, data: canonical }), "RecordExists", id);
    });
  });

  describe("one record", () => {
    it("is registered once", async () => {
      const world = await fixture();
      const { id, call } = await register(world);
      const before = await stateOf(world, id);
      await refused(world, world.provenance.connect(world.client).register(call), "RecordExists", id);
      expect(await stateOf(world, id)).to.deep.equal(before);
    });

    it("is another than the next registrant's of the same bytes: to be first keeps nobody out", async () => {
      const world = await fixture();
      const one = await register(world);
      const two = await register(world, { contentHash: one.record.contentHash }, world.stranger);
      expect(two.id).to.not.equal(one.id);
      const filter = world.provenance.filters.Registered(undefined, undefined, one.record.contentHash);
      const found = await world.provenance.queryFilter(filter);
      expect(found.map(({ args }) => args.registrant)).to.deep.equal([world.client.address, world.stranger.address]);
    });

    it("is its registrant's to register, and nobody else's", async () => {
      const world = await fixture();
      const call = recordStruct(recordFor(world));
      const { client, stranger } = world;
      const sent = world.provenance.connect(stranger).register(call);
      await refused(world, sent, "NotRegistrant", client.address, stranger.address);
    });

    it("is not an id alias's, which is a second address of somebody", async () => {
      const world = await fixture();
      const call = recordStruct(recordFor(world, { registrant: ALIAS }));
      const sent = world.provenance.connect(await impersonated(ALIAS)).register(call);
      await refused(world, sent, "InvalidAccount", ALIAS);
    });

    it("is not nobody's", async () => {
      const world = await fixture();
      const call = recordStruct(recordFor(world, { registrant: ethers.ZeroAddress }));
      const sent = world.provenance.connect(ethers.provider).register.staticCall(call, { from: ethers.ZeroAddress });
      await refused(world, sent, "InvalidAccount", ethers.ZeroAddress);
    });

    it("names a content hash", async () => {
      await refuses({ contentHash: NO_HASH }, "InvalidContent");
    });

    it("has a CID of at most 64 bytes", async () => {
      const world = await fixture();
      await register(world, { cid: `0x${"01".repeat(64)}` });
      await refuses({ cid: `0x${"01".repeat(65)}` }, "CidTooLong", 65n);
    });

    it("has a licence of at most 128 bytes, not characters", async () => {
      const world = await fixture();
      await register(world, { license: "x".repeat(128) });
      await register(world, { license: "é".repeat(64) });
      await refuses({ license: "x".repeat(129) }, "LicenseTooLong", 129n);
      await refuses({ license: "é".repeat(65) }, "LicenseTooLong", 130n);
    });

    it("is of a kind, a permission and edges that there are", async () => {
      const world = await fixture();
      const [parent] = (await registerMany(world, 1)) as [string];
      const good = recordStruct(recordFor(world, { parents: [{ parent, kind: "training" }] }));
      const send = (changes: object) => world.provenance.connect(world.client).register({ ...good, ...changes });
      await expect(send({ kind: 6 })).to.be.revert(ethers);
      await expect(send({ aiTraining: 4 })).to.be.revert(ethers);
      await expect(send({ parents: [{ parent, kind: 5 }] })).to.be.revert(ethers);
      await expect(send({})).to.emit(world.provenance, "Registered");
    });
  });
});
