import { expect } from "chai";
import { NO_HASH, recordStruct } from "../../src/protocol/index.js";
import { networkHelpers } from "../support/market.js";
import {
  anchor,
  deployProvenance,
  freshHash,
  idOf,
  recordFor,
  refused,
  register,
  registerMany,
  stateOf,
} from "../support/provenance.js";

describe("ProvenanceRegistry: what a registrant does with its own afterwards", () => {
  const fixture = () => networkHelpers.loadFixture(deployProvenance);

  describe("withdraw", () => {
    it("marks a record, with a reason, and changes nothing else of it", async () => {
      const world = await fixture();
      const { provenance, client } = world;
      const { id } = await register(world, { kind: "aggregated", aiTraining: "refused" });
      const before = await stateOf(world, id);
      await expect(provenance.connect(client).withdraw(id, "the caption was wrong"))
        .to.emit(provenance, "Withdrawn")
        .withArgs(id, "the caption was wrong");
      expect(await stateOf(world, id)).to.deep.equal({ ...before, withdrawn: true });
    });

    it("marks a set as well", async () => {
      const world = await fixture();
      const { id } = await anchor(world, [recordFor(world)]);
      const before = await stateOf(world, id);
      await world.provenance.connect(world.client).withdraw(id, "");
      expect(await stateOf(world, id)).to.deep.equal({ ...before, withdrawn: true });
    });

    it("leaves the record there: it can't be registered again, and can still be a parent", async () => {
      const world = await fixture();
      const { id, call } = await register(world);
      await world.provenance.connect(world.client).withdraw(id, "");
      await refused(world, world.provenance.connect(world.client).register(call), "RecordExists", id);
      const child = await register(world, { parents: [{ parent: id, kind: "revision" }] }, world.stranger);
      expect((await stateOf(world, child.id)).withdrawn, "its children's registrants decide of those").to.equal(false);
    });

    it("is done once", async () => {
      const world = await fixture();
      const { id } = await register(world);
      await world.provenance.connect(world.client).withdraw(id, "");
      await refused(world, world.provenance.connect(world.client).withdraw(id, "again"), "AlreadyWithdrawn", id);
    });

    it("is the registrant's to do", async () => {
      const world = await fixture();
      const { client, stranger } = world;
      const { id } = await register(world);
      const sent = world.provenance.connect(stranger).withdraw(id, "");
      await refused(world, sent, "NotRegistrant", client.address, stranger.address);
    });

    it("is of something", async () => {
      const world = await fixture();
      for (const id of [freshHash(), NO_HASH]) {
        await refused(world, world.provenance.connect(world.client).withdraw(id, ""), "UnknownRecord", id);
      }
    });

    it("has a reason of at most 256 bytes", async () => {
      const world = await fixture();
      const { id } = await register(world);
      const { provenance, client } = world;
      const sent = provenance.connect(client).withdraw(id, "é".repeat(129));
      await refused(world, sent, "ReasonTooLong", 258n);
      await refused(world, provenance.connect(client).withdraw(id, "x".repeat(257)), "ReasonTooLong", 257n);
      await expect(provenance.connect(client).withdraw(id, "x".repeat(256)))
        .to.emit(provenance, "Withdrawn")
        .withArgs(id, "x".repeat(256));
    });
  });

  describe("supersede", () => {
    /** Two records of the client's, the second of a later second. */
    async function two() {
      const world = await fixture();
      const [old, later] = [await register(world), await register(world)];
      return { world, old: old.id, later: later.id };
    }

    it("puts a later record in the place of one, and changes nothing else of either", async () => {
      const { world, old, later } = await two();
      const before = [await stateOf(world, old), await stateOf(world, later)] as const;
      await expect(world.provenance.connect(world.client).supersede(old, later))
        .to.emit(world.provenance, "Superseded")
        .withArgs(old, later);
      expect(await stateOf(world, old)).to.deep.equal({ ...before[0], supersededBy: later });
      expect(await stateOf(world, later)).to.deep.equal(before[1]);
    });

    it("goes on from one to the next, and joins several in one", async () => {
      const { world, old, later } = await two();
      const provenance = world.provenance.connect(world.client);
      const [other, last] = [await register(world), await register(world)];
      await provenance.supersede(old, later);
      await provenance.supersede(later, last.id);
      await provenance.supersede(other.id, last.id);
      const successors = await Promise.all([old, later, other.id, last.id].map((id) => stateOf(world, id)));
      expect(successors.map(({ supersededBy }) => supersededBy)).to.deep.equal([later, last.id, last.id, NO_HASH]);
    });

    it("is possible between records and sets, and beside a withdrawal", async () => {
      const world = await fixture();
      const provenance = world.provenance.connect(world.client);
      const record = await register(world);
      const set = await anchor(world, [recordFor(world)]);
      await provenance.withdraw(record.id, "");
      await provenance.supersede(record.id, set.id);
      const last = await register(world);
      await provenance.supersede(set.id, last.id);
      await provenance.withdraw(set.id, "");
      const states = [await stateOf(world, record.id), await stateOf(world, set.id)];
      expect(states.map(({ withdrawn, supersededBy }) => [withdrawn, supersededBy])).to.deep.equal([
        [true, set.id],
        [true, last.id],
      ]);
    });

    it("is done once", async () => {
      const { world, old, later } = await two();
      const { id } = await register(world);
      const provenance = world.provenance.connect(world.client);
      await provenance.supersede(old, later);
      await refused(world, provenance.supersede(old, id), "AlreadySuperseded", old, later);
    });

    it("is never by itself, by an earlier one, or by one of the same second", async () => {
      const { world, old, later } = await two();
      const provenance = world.provenance.connect(world.client);
      await refused(world, provenance.supersede(old, old), "NotLater", old, old);
      await refused(world, provenance.supersede(later, old), "NotLater", later, old);
      const [one, other] = (await registerMany(world, 2)) as [string, string];
      await refused(world, provenance.supersede(one, other), "NotLater", one, other);
    });

    it("counts a record out of a set from the set's time", async () => {
      const world = await fixture();
      const provenance = world.provenance.connect(world.client);
      const member = recordFor(world);
      const set = await anchor(world, [member]);
      const later = await register(world);
      await provenance.registerAnchored(recordStruct(member), set.call, 0, []);
      const id = idOf(world, member);
      await refused(world, provenance.supersede(later.id, id), "NotLater", later.id, id);
      await refused(world, provenance.supersede(set.id, id), "NotLater", set.id, id);
      await provenance.supersede(id, later.id);
      expect((await stateOf(world, id)).supersededBy).to.equal(later.id);
    });

    it("is the registrant's to do, of both", async () => {
      const { world, old, later } = await two();
      const { provenance, client, stranger } = world;
      const foreign = await register(world, {}, stranger);
      const [theirs, mine] = [provenance.connect(stranger), provenance.connect(client)];
      await refused(world, theirs.supersede(old, later), "NotRegistrant", client.address, stranger.address);
      await refused(world, theirs.supersede(old, foreign.id), "NotRegistrant", client.address, stranger.address);
      await refused(world, mine.supersede(old, foreign.id), "NotRegistrant", stranger.address, client.address);
    });

    it("is of something, by something", async () => {
      const { world, old, later } = await two();
      const provenance = world.provenance.connect(world.client);
      const unknown = freshHash();
      await refused(world, provenance.supersede(unknown, later), "UnknownRecord", unknown);
      await refused(world, provenance.supersede(old, unknown), "UnknownRecord", unknown);
      await refused(world, provenance.supersede(old, NO_HASH), "UnknownRecord", NO_HASH);
    });
  });
});
