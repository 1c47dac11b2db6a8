import { expect } from "chai";
import { sha256 as hashOf } from "ethers";
import { NO_HASH, type ProvenanceRecord, rawCidOf, recordStruct } from "../../src/protocol/index.js";
import { ProvenanceBook } from "../../src/provenance/book.js";
import { type Content, contentOf } from "../../src/provenance/content.js";
import { isWarning } from "../../src/provenance/findings.js";
import { buildSet, formatMembership, parseMembership } from "../../src/provenance/sets/index.js";
import { MAX_RECORDS, type VerifyOptions, verifyContent } from "../../src/provenance/verify.js";
import { pseudoRandom } from "../piece/helpers.js";
import { epoch, makePiece, networkHelpers, openDeal, proveWindow } from "../support/market.js";
import {
  type Account,
  anchor,
  CHAIN_ID,
  deployProvenance,
  freshHash,
  idOf,
  now,
  type ProvenanceWorld,
  pieceIdOf,
  recordFor,
  register,
  setOf,
  Verdict,
} from "../support/provenance.js";
import { overheard, readerOf } from "../support/provenance-reader.js";

const BYTES = pseudoRandom(1_000, 7);

describe("provenance: verifying", () => {
  let content: Content;
  const fixture = () => networkHelpers.loadFixture(deployProvenance);
  before(async () => {
    content = await contentOf(new Blob([BYTES]));
  });

  const verify = async (world: ProvenanceWorld, options: Partial<VerifyOptions> = {}, of = content) => {
    const reader = await readerOf(world);
    return verifyContent(reader, await ProvenanceBook.open(reader), of, { now: await now(), ...options });
  };
  /** A record of the bytes. */
  const claim = (world: ProvenanceWorld, changes: Partial<ProvenanceRecord> = {}, by?: Account) =>
    register(world, { contentHash: content.contentHash, size: content.size, ...changes }, by);
  const codes = ({ records, findings }: Awaited<ReturnType<typeof verify>>) =>
    [...records.flatMap((record) => record.findings), ...findings].map(({ code }) => code);

  /** A world in which a piece is held, and its content. */
  async function held() {
    const world = await fixture();
    const deal = await openDeal(world);
    const { payload } = await makeBytes();
    const of = await contentOf(new Blob([payload]));
    expect(of.pieceId).to.equal(pieceIdOf(deal));
    await proveWindow(world, deal, 1);
    await networkHelpers.mineUpTo(epoch(deal, 1) + deal.tier.window + 1);
    const stored = { contentHash: of.contentHash, size: of.size, pieceId: of.pieceId };
    return { world, deal, of, stored };
  }
  /** What `openDeal` stores. */
  async function makeBytes() {
    const payload = new Uint8Array(1_000).map((_, i) => (i * 31 + 97 + (i >> 8)) & 0xff);
    expect((await makePiece(1_000)).commitment).to.deep.equal((await contentOf(new Blob([payload]))).commitment);
    return { payload };
  }

  describe("the outcome", () => {
    it("is verified where the bytes are a record's, are held, and nothing speaks against them", async () => {
      const { world, deal, of, stored } = await held();
      const { record, id, at } = await register(world, { ...stored, cid: rawCidOf(of.contentHash) });
      const report = await verify(world, {}, of);
      expect(report).to.deep.include({ outcome: "verified", content: of, more: 0, against: undefined, findings: [] });
      expect(report.records).to.have.length(1);
      const [only] = report.records;
      expect(only?.known.record).to.deep.equal(record);
      expect(only).to.deep.include({ registeredAt: Number(at), said: [], findings: [], aiTraining: "allowed" });
      expect(only?.holdings.map(({ dealId }) => dealId)).to.deep.equal([deal.id]);
      expect(only?.history.map((node) => [node.id, node.relation])).to.deep.equal([[id, "self"]]);
    });

    it("is unknown where nobody has registered them", async () => {
      const world = await fixture();
      await register(world);
      expect(await verify(world)).to.deep.include({
        outcome: "unknown",
        records: [],
        against: undefined,
        findings: [],
      });
      expect((await verify(world, { against: freshHash() })).outcome).to.equal("unknown");
    });

    it("is altered where they are said to be of a record or a set, and are not", async () => {
      const world = await fixture();
      const { id } = await register(world);
      const set = await anchor(world, [recordFor(world)]);
      for (const against of [id, set.id, id.toUpperCase().replace("0X", "0x")]) {
        const report = await verify(world, { against });
        expect([report.outcome, report.against?.id]).to.deep.equal(["altered", against.toLowerCase()]);
      }
    });

    it("is a warning where they are registered, and something else should be in their place", async () => {
      const { world, of, stored } = await held();
      await register(world, stored);
      const other = await register(world);
      const report = await verify(world, { against: other.id }, of);
      expect([report.outcome, report.against?.id, ...codes(report)]).to.deep.equal([
        "warning",
        other.id,
        "OTHER_BYTES",
      ]);
    });

    it("is the worst of all records, whoever made them", async () => {
      const { world, of, stored } = await held();
      const clean = await register(world, stored);
      const bad = await register(world, stored, world.stranger);
      expect((await verify(world, {}, of)).outcome).to.equal("verified");
      await world.provenance.connect(world.stranger).withdraw(bad.id, "");
      const report = await verify(world, {}, of);
      expect(report.outcome).to.equal("warning");
      expect(report.records.map(({ known }) => known.id)).to.deep.equal([clean.id, bad.id]);
      expect(report.records.map(({ findings }) => findings.length)).to.deep.equal([0, 1]);
    });

    it("is that of the records which the reader believes", async () => {
      const { world, of, stored } = await held();
      const { client, stranger, keeper } = world;
      const clean = await register(world, stored);
      const bad = await register(world, { ...stored, pieceId: freshHash() }, stranger);
      for (const options of [{ only: [clean.id.toUpperCase()] }, { registrants: [client.address.toLowerCase()] }]) {
        const report = await verify(world, options, of);
        expect([report.outcome, report.records.length]).to.deep.equal(["verified", 1]);
      }
      const suspect = await verify(world, { registrants: [stranger.address, keeper.address] }, of);
      expect(codes(suspect)).to.deep.equal(["NOT_HELD", "OTHER_PIECE"]);
      const nobody = { registrants: [keeper.address] };
      expect(await verify(world, nobody, of)).to.include({ outcome: "unknown", against: undefined });
      // The bytes are of that record: nothing was altered, whether or not its registrant is believed.
      expect((await verify(world, { ...nobody, against: bad.id }, of)).outcome).to.equal("unknown");
      const other = await register(world);
      expect((await verify(world, { ...nobody, against: other.id }, of)).outcome).to.equal("altered");
      const named = await verify(world, { only: [other.id], against: other.id }, of);
      expect([named.outcome, named.records.length]).to.deep.equal(["altered", 0]);
    });

    it("counts disputes of those whom the reader believes, while they count", async () => {
      const { world, of, stored } = await held();
      const { id } = await register(world, stored);
      const expires = (await now()) + 1_000n;
      await world.provenance.connect(world.keeper).attest(id, NO_HASH, Verdict.Disputes, expires, "staged");
      const report = await verify(world, {}, of);
      expect([report.outcome, ...codes(report)]).to.deep.equal(["warning", "DISPUTED"]);
      expect(report.records[0]?.said.map(({ reason }) => reason)).to.deep.equal(["staged"]);
      const believing = (attester: Account) => verify(world, { attesters: [attester.address.toLowerCase()] }, of);
      expect((await believing(world.keeper)).outcome).to.equal("warning");
      const other = await believing(world.stranger);
      expect([other.outcome, other.records[0]?.said.length]).to.deep.equal(["verified", 1]);
      expect((await verify(world, { now: expires }, of)).outcome).to.equal("warning");
      const later = await verify(world, { now: expires + 1n }, of);
      expect([later.outcome, later.records[0]?.said.length]).to.deep.equal(["verified", 0]);
    });

    it("is a warning where there are more records than are looked into", async () => {
      const world = await fixture();
      const records = Array.from({ length: MAX_RECORDS + 2 }, (_, i) =>
        recordFor(world, { contentHash: content.contentHash, size: content.size, license: `LicenseRef-${i}` }),
      );
      await world.provenance.connect(world.client).registerMany(records.map(recordStruct));
      const report = await verify(world);
      expect([report.outcome, report.records.length, report.more]).to.deep.equal(["warning", MAX_RECORDS, 2]);
      expect(report.findings.map(({ code }) => code)).to.deep.equal(["MORE_RECORDS"]);
      const last = records.at(-1) as ProvenanceRecord;
      const named = await verify(world, { only: [idOf(world, last)] });
      expect([named.records.length, named.more, named.findings.length]).to.deep.equal([1, 0, 0]);
    });
  });

  it("does not hide a record that says a size which can't be", async () => {
    const world = await fixture();
    const { id } = await claim(world, { size: content.size + 1n });
    const report = await verify(world);
    expect([report.outcome, report.records[0]?.known.id]).to.deep.equal(["warning", id]);
    expect(codes(report)).to.deep.equal(["OTHER_SIZE", "NOT_HELD"].sort((a) => (a === "NOT_HELD" ? -1 : 1)));
  });

  it("walks all ancestors, and carries their refusal down", async () => {
    const world = await fixture();
    const { client, keeper, stranger, provenance } = world;
    const root = await register(world, { aiTraining: "refused", license: "CC-BY-NC-ND-4.0" }, keeper);
    const edge = (parent: string) => [{ parent, kind: "derivation" as const }];
    const middle = await register(world, { parents: edge(root.id), license: "CC0-1.0", kind: "derived" });
    await claim(world, { parents: edge(middle.id), license: "CC0-1.0", kind: "derived" });
    await provenance.connect(keeper).withdraw(root.id, "stolen");
    await provenance.connect(stranger).attest(middle.id, NO_HASH, Verdict.Disputes, 0, "");
    const report = await verify(world);
    expect(new Set(codes(report))).to.include.keys(
      ...["ANCESTOR_WITHDRAWN", "ANCESTOR_DISPUTED", "LICENSE_CONFLICT", "AI_TRAINING", "NOT_HELD"],
    );
    expect(report.records[0]?.aiTraining).to.equal("refused");
    expect(report.records[0]?.history.map(({ id, depth, state }) => [id, depth, state]).slice(1)).to.deep.equal([
      [middle.id, 1, "disputed"],
      [root.id, 2, "withdrawn"],
    ]);
    expect(client.address).to.equal(report.records[0]?.known.registrant);
  });

  it("leaves out what was made of a record", async () => {
    const world = await fixture();
    const { id } = await claim(world);
    await register(world, { parents: [{ parent: id, kind: "training" }], kind: "trained-on" });
    expect((await verify(world)).records[0]?.history).to.have.length(1);
  });

  describe("in a set", () => {
    const SHARED = {
      kind: "original",
      license: "MIT",
      aiTraining: "allowed",
      parents: [],
      manifestHash: freshHash(),
    } as const;

    /** The bytes in a set of three, anchored where that is wanted. */
    async function inSet(anchored = true) {
      const world = await fixture();
      const registry = { chainId: CHAIN_ID, registry: world.provenanceAddress };
      const others = [1, 2].map((i) => ({ sha256: hashOf(pseudoRandom(10, i)), size: 10n }));
      const entries = [{ sha256: content.contentHash, size: content.size }, ...others];
      const built = buildSet({ ...registry, registrant: world.client.address, shared: SHARED, entries });
      const records = entries.map(({ sha256, size }) => recordFor(world, { ...SHARED, contentHash: sha256, size }));
      records.sort((a, b) => (a.contentHash < b.contentHash ? -1 : 1));
      const { set, id, proofOf, call } = setOf(world, records, built.set);
      expect(id).to.equal(built.id);
      if (anchored) await world.provenance.connect(world.client).anchor(call);
      const index = records.findIndex(({ contentHash }) => contentHash === content.contentHash);
      const record = records[index] as ProvenanceRecord;
      const { tree: _, contents: __, ...head } = built;
      const membership = { record, id: idOf(world, record), index, proof: proofOf(index) };
      const registerIt = () => world.provenance.registerAnchored(recordStruct(record), call, index, proofOf(index));
      return { world, set, setId: id, member: { membership, head }, registerIt };
    }

    it("counts as a record, as old as its set", async () => {
      const { world, member, setId } = await inSet();
      const at = await now();
      await networkHelpers.mine(5);
      const report = await verify(world, { member });
      expect(report.records).to.have.length(1);
      expect(report.records[0]?.known).to.deep.include({ anchoredIn: setId, record: member.membership.record });
      expect(report.records[0]?.known.id).to.equal(member.membership.id);
      expect(report.records[0]?.registeredAt).to.equal(Number(at));
      expect(codes(report)).to.deep.equal(["NOT_HELD", "MANIFEST_UNCHECKED"]);
      const manifests = [member.head.set.manifestHash];
      expect(codes(await verify(world, { member, manifests }))).to.deep.equal(["NOT_HELD"]);
      const proven = parseMembership(formatMembership(member.membership, member.head));
      expect((await verify(world, { member: proven })).records).to.have.length(1);
    });

    it("is nothing where the set is not known on the chain, or the proof leads to another", async () => {
      const unanchored = await inSet(false);
      expect((await verify(unanchored.world, { member: unanchored.member })).outcome).to.equal("unknown");
      const { world, member } = await inSet();
      const { membership, head } = member;
      const forged = { ...membership, record: { ...membership.record, license: "CC0-1.0" } };
      expect((await verify(world, { member: { membership: forged, head } })).outcome).to.equal("unknown");
      const other = await contentOf(new Blob(["other bytes"]));
      expect((await verify(world, { member }, other)).outcome).to.equal("unknown");
    });

    it("is one record, whether or not it was registered by itself", async () => {
      const { world, member, setId, registerIt } = await inSet();
      const before = await verify(world, { member });
      await registerIt();
      for (const options of [{ member }, {}]) {
        const report = await verify(world, options);
        expect(report.records.map(({ known }) => known.id)).to.deep.equal([member.membership.id]);
        expect(report.records[0]?.known.anchoredIn).to.equal(setId);
        expect(report.records[0]?.registeredAt).to.equal(before.records[0]?.registeredAt);
      }
    });

    it("falls with its set, whether or not it was registered by itself before", async () => {
      for (const byItself of [false, true]) {
        const { world, member, setId, registerIt } = await inSet();
        if (byItself) await registerIt();
        await world.provenance.connect(world.client).withdraw(setId, "wrong folder");
        const warnings = (await verify(world, { member })).records[0]?.findings.filter(isWarning);
        expect(warnings?.map(({ code }) => code)).to.deep.equal(["ANCESTOR_WITHDRAWN", "NOT_HELD"]);
      }
    });

    it("is believed by the name of the set or of its registrant, and is of the set", async () => {
      const { world, member, setId } = await inSet();
      const all = await verify(world, { member, only: [setId], against: setId });
      expect([all.records.length, all.against]).to.deep.equal([1, undefined]);
      const { stranger, client } = world;
      expect((await verify(world, { member, registrants: [client.address] })).records).to.have.length(1);
      expect((await verify(world, { member, registrants: [stranger.address] })).outcome).to.equal("unknown");
    });

    it("is beside records of the same bytes by others", async () => {
      const { world, member } = await inSet();
      const { id } = await claim(world, {}, world.stranger);
      const report = await verify(world, { member });
      expect(report.records.map(({ known }) => known.id)).to.deep.equal([member.membership.id, id]);
    });
  });

  it("verifies the absence of bytes, too", async () => {
    const world = await fixture();
    const nothing = await contentOf(new Blob([]));
    await register(world, { contentHash: nothing.contentHash, size: 0n });
    const report = await verify(world, {}, nothing);
    expect([report.outcome, ...codes(report)]).to.deep.equal(["warning", "NOT_HELD"]);
  });

  it("reads the market once for all records of the bytes", async () => {
    const { world, of, stored } = await held();
    const { id } = await register(world, stored);
    await register(world, stored, world.stranger);
    const book = await ProvenanceBook.open(await readerOf(world));
    const readsFor = async (records: number, options: Partial<VerifyOptions>) => {
      let reads = 0;
      const reader = await readerOf(
        world,
        overheard("getLogs", () => {
          reads++;
        }),
      );
      const report = await verifyContent(reader, book, of, { now: await now(), ...options });
      expect([report.outcome, report.records.length]).to.deep.equal(["verified", records]);
      return reads;
    };
    const one = await readsFor(1, { only: [id] });
    expect(one).to.be.greaterThan(0);
    expect(await readsFor(2, {})).to.equal(one);
  });
});
