import { expect } from "chai";
import fc from "fast-check";
import {
  type AnchoredSet,
  anchorIdOf,
  anchorStruct,
  type ProvenanceRecord,
  provenanceDomain,
  recordStruct,
  signAnchoring,
  signRegistration,
  sortEdges,
} from "../../src/protocol/index.js";
import { runs } from "../support/effort.js";
import { ALIAS, ethers, networkHelpers } from "../support/market.js";
import {
  type Account,
  CHAIN_ID,
  deployProvenance,
  Form,
  fittingRecord,
  fittingSet,
  idOf,
  NOTHING,
  now,
  type ProvenanceWorld,
  recordFor,
  refused,
  register,
  registerMany,
  setOf,
  stateOf,
  VALID_UNTIL,
} from "../support/provenance.js";

describe("ProvenanceRegistry: signed by the registrant, sent by anybody", () => {
  const fixture = () => networkHelpers.loadFixture(deployProvenance);

  const sign = (world: ProvenanceWorld, records: readonly ProvenanceRecord[], by: Account = world.client) =>
    signRegistration(by, world.recordDomain, records, VALID_UNTIL);
  const send = (world: ProvenanceWorld, records: readonly ProvenanceRecord[], signature: string, until = VALID_UNTIL) =>
    world.provenance.connect(world.stranger).registerFor(records.map(recordStruct), until, signature);

  /** Two records of the client's, the second made of the first, and its signature over both. */
  async function signed() {
    const world = await fixture();
    const first = recordFor(world);
    const second = recordFor(world, { parents: [{ parent: idOf(world, first), kind: "revision" }] });
    const records = [first, second];
    return { world, records, ids: records.map((record) => idOf(world, record)), signature: await sign(world, records) };
  }

  const invalid = async (world: ProvenanceWorld, call: Promise<unknown>, registrant = world.client.address) =>
    refused(world, call, "InvalidSignature", registrant);

  describe("records", () => {
    it("are registered as their registrant's, in order", async () => {
      const { world, records, ids, signature } = await signed();
      const { provenance, client, stranger } = world;
      const call = provenance.connect(stranger).registerFor;
      const answer = await call.staticCall(records.map(recordStruct), VALID_UNTIL, signature);
      expect([...answer]).to.deep.equal(ids);
      await send(world, records, signature);
      const logged = await provenance.queryFilter(provenance.filters.Registered(undefined, client));
      expect(logged.map(({ args }) => args.id)).to.deep.equal(ids);
      const { registrant, registeredAt } = await stateOf(world, ids[1] as string);
      expect([registrant, registeredAt]).to.deep.equal([client.address, await now()]);
    });

    it("are what the signature is over, to the last member", async () => {
      const world = await fixture();
      const parents = (await registerMany(world, 4)).map((parent) => ({ parent, kind: "input" as const }));
      const registrant = world.client.address;
      const takes = async (drawn: ProvenanceRecord, count: number) => {
        const record = { ...drawn, registrant, parents: sortEdges(parents.slice(0, count)) };
        const records = [record, recordFor(world)];
        const signature = await sign(world, records);
        const ids = await world.provenance.registerFor.staticCall(records.map(recordStruct), VALID_UNTIL, signature);
        expect([...ids]).to.deep.equal(records.map((each) => idOf(world, each)));
      };
      await fc.assert(fc.asyncProperty(fittingRecord, fc.nat(4), takes), { numRuns: runs(40) });
    });

    it("count until the last second that the signature names", async () => {
      const { world, records, ids } = await signed();
      const until = (await now()) + 100n;
      const signature = await signRegistration(world.client, world.recordDomain, records, until);
      await networkHelpers.time.setNextBlockTimestamp(until);
      await send(world, records, signature, until);
      expect((await stateOf(world, ids[1] as string)).registeredAt).to.equal(until);
    });

    it("come too late a second after", async () => {
      const { world, records } = await signed();
      const until = (await now()) + 100n;
      const signature = await signRegistration(world.client, world.recordDomain, records, until);
      await networkHelpers.time.setNextBlockTimestamp(until + 1n);
      await refused(world, send(world, records, signature, until), "SignatureExpired", until);
    });

    it("can't be given more time by who sends them", async () => {
      const { world, records, signature } = await signed();
      await invalid(world, send(world, records, signature, VALID_UNTIL + 1n));
    });

    it("are nobody else's to sign for", async () => {
      const { world, records } = await signed();
      await invalid(world, send(world, records, await sign(world, records, world.stranger)));
      await invalid(world, send(world, records, "0x"));
      await invalid(world, send(world, records, `0x${"00".repeat(65)}`));
    });

    it("are not nobody's, nor an id alias's, by a signature that recovers nobody", async () => {
      const world = await fixture();
      for (const registrant of [ethers.ZeroAddress, ALIAS]) {
        await invalid(world, send(world, [recordFor(world, { registrant })], `0x${"00".repeat(65)}`), registrant);
      }
    });

    it("are signed for this chain and this registry", async () => {
      const { world, records } = await signed();
      for (const [chainId, registry] of [
        [CHAIN_ID + 1, world.provenanceAddress],
        [CHAIN_ID, world.marketAddress],
      ] as const) {
        const domain = provenanceDomain(chainId, registry);
        await invalid(world, send(world, records, await signRegistration(world.client, domain, records, VALID_UNTIL)));
      }
    });

    it("are as they were signed: none is changed, left out, added or moved", async () => {
      const { world, records, ids, signature } = await signed();
      const [first, second] = records as [ProvenanceRecord, ProvenanceRecord];
      const changed: Partial<ProvenanceRecord>[] = [
        { contentHash: ids[0] as string },
        { size: 1_001n },
        { pieceId: ids[0] as string },
        { cid: "0x00" },
        { parents: [] },
        { parents: [{ parent: ids[0] as string, kind: "training" }] },
        { kind: "edited" },
        { license: "CC-BY-4.1" },
        { aiTraining: "refused" },
        { manifestHash: ids[0] as string },
      ];
      for (const change of changed) await invalid(world, send(world, [first, { ...second, ...change }], signature));
      await invalid(world, send(world, [first], signature));
      await invalid(world, send(world, [second], signature));
      await invalid(world, send(world, [second, first], signature));
      await invalid(world, send(world, [...records, recordFor(world)], signature));
      for (const id of ids) expect(await stateOf(world, id)).to.deep.equal(NOTHING);
    });

    it("are registered once by a signature", async () => {
      const { world, records, ids, signature } = await signed();
      await send(world, records, signature);
      await refused(world, send(world, records, signature), "RecordExists", ids[0]);
    });

    it("are all registered or none", async () => {
      const { world, records, ids, signature } = await signed();
      await world.provenance.connect(world.client).register(recordStruct(records[0] as ProvenanceRecord));
      await refused(world, send(world, records, signature), "RecordExists", ids[0]);
      expect(await stateOf(world, ids[1] as string)).to.deep.equal(NOTHING);
    });

    it("are all of the one who signed", async () => {
      const world = await fixture();
      const { client, keeper } = world;
      const records = [recordFor(world), recordFor(world, { registrant: keeper.address })];
      const call = send(world, records, await sign(world, records));
      await refused(world, call, "NotRegistrant", keeper.address, client.address);
    });

    it("are at least one", async () => {
      const world = await fixture();
      await refused(world, send(world, [], await sign(world, [])), "NothingToRegister");
    });

    it("may be a contract's, which says itself what it has signed", async () => {
      const world = await fixture();
      const wallet = await ethers.deployContract("Wallet1271", [world.signer]);
      const registrant = await wallet.getAddress();
      const records = [recordFor(world, { registrant }), recordFor(world, { registrant })];
      await invalid(world, send(world, records, await sign(world, records)), registrant);
      const signature = await sign(world, records, world.signer);
      await wallet.setRejects(true);
      await invalid(world, send(world, records, signature), registrant);
      await wallet.setRejects(false);
      await send(world, records, signature);
      const state = await stateOf(world, idOf(world, records[1] as ProvenanceRecord));
      expect([state.form, state.registrant]).to.deep.equal([Form.Record, registrant]);
    });

    it("are held to what every record is held to", async () => {
      const world = await fixture();
      const records = [recordFor(world, { cid: `0x${"00".repeat(65)}` })];
      await refused(world, send(world, records, await sign(world, records)), "CidTooLong", 65n);
    });
  });

  describe("a set", () => {
    const signSet = (world: ProvenanceWorld, { set }: ReturnType<typeof setOf>, by: Account = world.client) =>
      signAnchoring(by, world.recordDomain, set, VALID_UNTIL);
    const sendSet = (
      world: ProvenanceWorld,
      { call }: ReturnType<typeof setOf>,
      signature: string,
      until = VALID_UNTIL,
    ) => world.provenance.connect(world.stranger).anchorFor(call, until, signature);

    async function made() {
      const world = await fixture();
      const set = setOf(world, [recordFor(world), recordFor(world)]);
      return { world, set, signature: await signSet(world, set) };
    }

    it("is anchored as its registrant's", async () => {
      const { world, set, signature } = await made();
      const { provenance, client, stranger } = world;
      const answer = await provenance.connect(stranger).anchorFor.staticCall(set.call, VALID_UNTIL, signature);
      expect(answer).to.equal(set.id);
      await expect(sendSet(world, set, signature))
        .to.emit(provenance, "Anchored")
        .withArgs(set.id, client.address, set.set.manifestHash, Object.values(set.call));
      const { form, registrant, registeredAt } = await stateOf(world, set.id);
      expect([form, registrant, registeredAt]).to.deep.equal([Form.Set, client.address, await now()]);
    });

    it("is what the signature is over, to the last member", async () => {
      const world = await fixture();
      const { id: parent } = await register(world, recordFor(world));
      const takes = async (drawn: AnchoredSet) => {
        // Its parents have to be there: one edge of each kind that was drawn.
        const parents = sortEdges(drawn.parents.map(({ kind }) => ({ parent, kind })));
        const set = { ...drawn, parents, registrant: world.client.address };
        const signature = await signAnchoring(world.client, world.recordDomain, set, VALID_UNTIL);
        const id = await world.provenance.anchorFor.staticCall(anchorStruct(set), VALID_UNTIL, signature);
        expect(id).to.equal(anchorIdOf(world.recordDomain, set));
      };
      await fc.assert(fc.asyncProperty(fittingSet, takes), { numRuns: runs(40) });
    });

    it("counts until the last second that the signature names, and not a second longer", async () => {
      const { world, set } = await made();
      const until = (await now()) + 100n;
      const signature = await signAnchoring(world.client, world.recordDomain, set.set, until);
      const snapshot = await networkHelpers.takeSnapshot();
      await networkHelpers.time.setNextBlockTimestamp(until + 1n);
      await refused(world, sendSet(world, set, signature, until), "SignatureExpired", until);
      await snapshot.restore();
      await networkHelpers.time.setNextBlockTimestamp(until);
      await sendSet(world, set, signature, until);
      expect((await stateOf(world, set.id)).registeredAt).to.equal(until);
    });

    it("is as it was signed, by its registrant, for this registry", async () => {
      const { world, set, signature } = await made();
      const changes = [
        { root: set.id },
        { count: 3n },
        { license: "" },
        { aiTraining: "allowed" as const },
        { manifestHash: set.id },
      ];
      for (const change of changes) {
        const call = anchorStruct({ ...set.set, ...change });
        await invalid(world, world.provenance.anchorFor(call, VALID_UNTIL, signature));
      }
      await invalid(world, sendSet(world, set, signature, VALID_UNTIL - 1n));
      await invalid(world, sendSet(world, set, await signSet(world, set, world.stranger)));
      for (const domain of [
        provenanceDomain(CHAIN_ID + 1, world.provenanceAddress),
        provenanceDomain(CHAIN_ID, world.marketAddress),
      ]) {
        const elsewhere = await signAnchoring(world.client, domain, set.set, VALID_UNTIL);
        await invalid(world, sendSet(world, set, elsewhere));
      }
    });

    it("is anchored once by a signature", async () => {
      const { world, set, signature } = await made();
      await sendSet(world, set, signature);
      await refused(world, sendSet(world, set, signature), "RecordExists", set.id);
    });

    it("may be a contract's", async () => {
      const world = await fixture();
      const wallet = await ethers.deployContract("Wallet1271", [world.signer]);
      const registrant = await wallet.getAddress();
      const set = setOf(world, [recordFor(world, { registrant })], { registrant });
      await invalid(world, sendSet(world, set, await signSet(world, set)), registrant);
      await sendSet(world, set, await signSet(world, set, world.signer));
      expect((await stateOf(world, set.id)).registrant).to.equal(registrant);
    });
  });
});
