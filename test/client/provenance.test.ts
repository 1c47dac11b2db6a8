import { expect } from "chai";
import type { ChainError } from "../../src/chain/errors.js";
import {
  anchorSet,
  attest,
  type ChainAccess,
  linkDeals,
  recordOf,
  registerRecord,
  registerRecords,
  revoke,
  supersede,
  withdraw,
} from "../../src/client/index.js";
import {
  MAX_PARENTS,
  MAX_REASON_BYTES,
  NO_HASH,
  type ProvenanceRecord,
  recordStruct,
} from "../../src/protocol/index.js";
import { expectError } from "../piece/helpers.js";
import { failure } from "../support/failure.js";
import { ethers, makePiece, networkHelpers, openTerms, termsFor } from "../support/market.js";
import {
  deployProvenance,
  Form,
  freshHash,
  idOf,
  links,
  now,
  type ProvenanceWorld,
  pieceIdOf,
  recordFor,
  register,
  registerMany,
  setOf,
  stateOf,
  Verdict,
} from "../support/provenance.js";
import { accessOf } from "../support/provenance-reader.js";

describe("client: provenance", () => {
  let world: ProvenanceWorld;
  let access: ChainAccess;

  beforeEach(async () => {
    world = await networkHelpers.loadFixture(deployProvenance);
    access = await accessOf(world, world.client);
  });

  /** Blocks that have come meanwhile: one for each transaction. */
  const blocksOf = async (act: () => Promise<unknown>) => {
    const before = await ethers.provider.getBlockNumber();
    await act();
    return (await ethers.provider.getBlockNumber()) - before;
  };
  /** Something that happens between the last look at the chain and the transaction. */
  const meanwhile = (act: () => Promise<unknown>): ChainAccess => {
    let acted = false;
    return {
      ...access,
      sender: {
        ...access.sender,
        async send(...args) {
          if (!acted) await act();
          acted = true;
          return access.sender.send(...args);
        },
      },
    };
  };
  const revertOf = async (act: Promise<unknown>) => (await failure<ChainError>(act)).revert?.name;

  describe("records", () => {
    it("claims what it is told to, of bytes", () => {
      const content = { contentHash: freshHash(), size: 5n, pieceId: freshHash() };
      const [a, b] = [freshHash(), freshHash()].sort() as [string, string];
      expect(recordOf(access.address, content)).to.deep.equal({
        ...{ registrant: access.address, ...content, parents: [], kind: "original", license: "" },
        ...{ aiTraining: "unstated", manifestHash: NO_HASH, cid: "0x" },
      });
      const parents = [b, a, a].map((parent) => ({ parent, kind: "input" as const }));
      const claims = {
        kind: "generated",
        license: "MIT",
        aiTraining: "refused",
        manifestHash: a,
        cid: "0x12",
      } as const;
      expect(recordOf(access.address, content, { ...claims, parents })).to.deep.equal({
        ...{ registrant: access.address, ...content, ...claims },
        parents: [a, b].map((parent) => ({ parent, kind: "input" })),
      });
    });

    it("refuses what the contract would refuse, or what is no licence", async () => {
      const content = { contentHash: freshHash(), size: 5n, pieceId: NO_HASH };
      await expectError("INVALID_LICENSE", () => recordOf(access.address, content, { license: "do what you like" }));
      const parents = Array.from({ length: MAX_PARENTS + 1 }, () => ({ parent: freshHash(), kind: "input" as const }));
      await expectError("TOO_MANY_PARENTS", () => recordOf(access.address, content, { parents }));
    });

    it("are registered once: what is there costs nothing", async () => {
      const record = recordFor(world);
      const first = await registerRecord(access, record);
      expect(first).to.deep.equal({ id: idOf(world, record), record, existed: false });
      expect((await stateOf(world, first.id)).form).to.equal(Form.Record);
      expect(
        await blocksOf(async () =>
          expect(await registerRecord(access, record)).to.deep.equal({ ...first, existed: true }),
        ),
      ).to.equal(0);
    });

    it("go in batches, in order, each once, without those that are there", async () => {
      const there = recordFor(world);
      await registerRecord(access, there);
      const chain: ProvenanceRecord[] = [there];
      for (let i = 0; i < 60; i++) {
        chain.push(recordFor(world, { parents: [{ parent: idOf(world, chain.at(-1)!), kind: "revision" }] }));
      }
      const wanted = [...chain, chain[5]!];
      let registered: Awaited<ReturnType<typeof registerRecords>> = [];
      const blocks = await blocksOf(async () => {
        registered = await registerRecords(access, wanted);
      });
      expect(blocks).to.equal(2);
      expect(registered.map(({ id }) => id)).to.deep.equal(wanted.map((record) => idOf(world, record)));
      expect(registered.map(({ existed }) => existed)).to.deep.equal(wanted.map((record) => record === there));
      expect(await blocksOf(() => registerRecords(access, []))).to.equal(0);
    });

    it("go in batches that Filecoin takes, however many parents they have", async () => {
      const parents = (await registerMany(world, MAX_PARENTS)).map((parent) => ({ parent, kind: "input" as const }));
      const heavy = Array.from({ length: 12 }, () =>
        recordFor(world, { parents: [...parents].sort((a, b) => (a.parent < b.parent ? -1 : 1)) }),
      );
      const sizes: number[] = [];
      const send: ChainAccess["sender"]["send"] = (call, doing) => {
        sizes.push((call.data as string).length / 2);
        return access.sender.send(call, doing);
      };
      await registerRecords({ ...access, sender: { ...access.sender, send } }, heavy);
      expect(sizes).to.have.length(2);
      for (const size of sizes) expect(size).to.be.lessThan(65_536);
    });

    it("are all registered where somebody else registers one meanwhile", async () => {
      const records = [recordFor(world), recordFor(world), recordFor(world)];
      const racing = meanwhile(() => world.provenance.connect(world.client).register(recordStruct(records[1]!)));
      await registerRecords(racing, records);
      for (const record of records) expect((await stateOf(world, idOf(world, record))).form).to.equal(Form.Record);
      const alone = recordFor(world);
      await registerRecord(
        meanwhile(() => world.provenance.connect(world.client).register(recordStruct(alone))),
        alone,
      );
    });

    it("DONE_MEANWHILE where a node goes on saying that they are there, and that they are not", async () => {
      const revert = { name: "RecordExists", args: [], text: "RecordExists()" };
      const sender: ChainAccess["sender"] = { ...access.sender, send: async () => ({ status: "done", revert }) };
      await expectError("DONE_MEANWHILE", () => registerRecord({ ...access, sender }, recordFor(world)));
    });

    it("fail with what the contract says", async () => {
      const unknown = recordFor(world, { parents: [{ parent: freshHash(), kind: "input" }] });
      expect(await revertOf(registerRecord(access, unknown))).to.equal("UnknownParent");
      const foreign = recordFor(world, { registrant: world.keeper.address });
      expect(await revertOf(registerRecord(access, foreign))).to.equal("NotRegistrant");
    });
  });

  it("anchors a set once", async () => {
    const { set, id } = setOf(world, [recordFor(world), recordFor(world)]);
    expect(await anchorSet(access, set)).to.equal(id);
    expect((await stateOf(world, id)).form).to.equal(Form.Set);
    expect(await blocksOf(() => anchorSet(access, set))).to.equal(0);
    const other = setOf(world, [recordFor(world)], { registrant: world.keeper.address });
    expect(await revertOf(anchorSet(access, other.set))).to.equal("NotRegistrant");
  });

  describe("links", () => {
    let deals: bigint[];
    let record: ProvenanceRecord;
    let id: string;

    beforeEach(async () => {
      const piece = await makePiece(1_000);
      deals = [];
      for (let i = 0; i < 3; i++) deals.push(await openTerms(world, termsFor(world, piece)));
      ({ record, id } = await register(world, { pieceId: pieceIdOf({ piece }) }));
    });

    it("are made once, each once", async () => {
      const [a, b, c] = deals as [bigint, bigint, bigint];
      expect(await blocksOf(() => linkDeals(access, record, [a, a, b]))).to.equal(1);
      expect(await blocksOf(() => linkDeals(access, record, [c, b, a]))).to.equal(1);
      expect(await blocksOf(() => linkDeals(access, record, deals))).to.equal(0);
      expect(await links(world, id)).to.deep.equal([a, b, c]);
    });

    it("are all made where one is made meanwhile", async () => {
      const own = world.provenance.connect(world.client);
      await linkDeals(
        meanwhile(() => own.link(recordStruct(record), [deals[1]!])),
        record,
        deals,
      );
      expect(new Set(await links(world, id))).to.deep.equal(new Set(deals));
    });

    it("fail with what the contract says", async () => {
      const other = await openTerms(world, termsFor(world, await makePiece(2_000, 2)));
      expect(await revertOf(linkDeals(access, record, [deals[0]!, other]))).to.equal("PieceMismatch");
      expect(await links(world, id)).to.deep.equal([]);
      const pieceless = await register(world);
      expect(await revertOf(linkDeals(access, pieceless.record, deals))).to.equal("NoPiece");
      expect(await revertOf(linkDeals(await accessOf(world, world.keeper), record, deals))).to.equal("NotRegistrant");
    });
  });

  describe("what one thinks of others' claims", () => {
    let id: string;
    let critic: ChainAccess;
    const said = async (topic = NO_HASH) => {
      const { verdict, revoked, expires } = await world.provenance.attestationOf(id, critic.address, topic);
      return { verdict, revoked, expires };
    };

    beforeEach(async () => {
      ({ id } = await register(world));
      critic = await accessOf(world, world.keeper);
    });

    it("is said, and taken back", async () => {
      await attest(critic, id, { verdict: "vouches" });
      expect(await said()).to.deep.equal({ verdict: Verdict.Vouches, revoked: false, expires: 0n });
      const [topic, expires] = [freshHash(), (await now()) + 100n];
      await attest(critic, id, { verdict: "disputes", topic, expires, reason: "staged" });
      expect(await said(topic)).to.deep.equal({ verdict: Verdict.Disputes, revoked: false, expires });
      await revoke(critic, id, topic, "mistaken");
      expect(await said(topic)).to.include({ revoked: true });
      expect(await said()).to.include({ revoked: false });
      await revoke(critic, id);
      expect(await blocksOf(() => revoke(critic, id)), "nothing to revoke").to.equal(0);
    });

    it("is not said of one's own, nor of nothing, nor with an end in the past", async () => {
      expect(await revertOf(attest(access, id, { verdict: "vouches" }))).to.equal("OwnRecord");
      expect(await revertOf(attest(critic, freshHash(), { verdict: "vouches" }))).to.equal("UnknownRecord");
      expect(await revertOf(attest(critic, id, { verdict: "vouches", expires: 1n }))).to.equal("InvalidExpiry");
    });

    it("REASON_TOO_LONG, in bytes, before anything is sent", async () => {
      const [fits, over] = ["文".repeat(85), "文".repeat(86)];
      expect(Buffer.byteLength(fits)).to.be.at.most(MAX_REASON_BYTES);
      expect(Buffer.byteLength(over)).to.be.greaterThan(MAX_REASON_BYTES);
      await expectError("REASON_TOO_LONG", () => attest(critic, id, { verdict: "disputes", reason: over }));
      await expectError("REASON_TOO_LONG", () => revoke(critic, id, NO_HASH, over));
      await expectError("REASON_TOO_LONG", () => withdraw(access, id, over));
      await attest(critic, id, { verdict: "disputes", reason: fits });
    });
  });

  describe("what one has claimed", () => {
    it("is withdrawn by its registrant, for good", async () => {
      const { id } = await register(world);
      expect(await revertOf(withdraw(await accessOf(world, world.keeper), id))).to.equal("NotRegistrant");
      await withdraw(access, id, "wrong picture");
      expect((await stateOf(world, id)).withdrawn).to.equal(true);
      expect(await blocksOf(() => withdraw(access, id)), "withdrawn already").to.equal(0);
    });

    it("is superseded once; ALREADY_SUPERSEDED by another", async () => {
      const [old, newer, newest] = [await register(world), await register(world), await register(world)];
      await supersede(access, old.id, newer.id);
      expect((await stateOf(world, old.id)).supersededBy).to.equal(newer.id);
      expect(await blocksOf(() => supersede(access, old.id, newer.id.toUpperCase().replace("0X", "0x")))).to.equal(0);
      const error = await expectError("ALREADY_SUPERSEDED", () => supersede(access, old.id, newest.id));
      expect(error.message).to.include(newer.id);
      expect(await revertOf(supersede(access, newest.id, old.id))).to.equal("NotLater");
    });
  });
});
