import { expect } from "chai";
import { encodeBytes32String } from "ethers";
import { NO_HASH } from "../../src/protocol/index.js";
import { ALIAS, ethers, networkHelpers } from "../support/market.js";
import {
  anchor,
  deployProvenance,
  freshHash,
  impersonated,
  now,
  type ProvenanceWorld,
  recordFor,
  refused,
  register,
  stateOf,
  Verdict,
} from "../support/provenance.js";

const ORIGIN = encodeBytes32String("origin");
const CAPTION = encodeBytes32String("caption");
const WHOLE = NO_HASH;

describe("ProvenanceRegistry: attest and revoke", () => {
  const fixture = () => networkHelpers.loadFixture(deployProvenance);

  /** A record of the client's, for the stranger and the keeper to speak of. */
  async function subject() {
    const world = await fixture();
    const { id } = await register(world);
    return { world, id, stranger: world.provenance.connect(world.stranger) };
  }

  const verdicts = async (world: ProvenanceWorld, id: string, topics: readonly string[], by = world.stranger) => [
    ...(await world.provenance.verdictsOf(id, by, [...topics])),
  ];
  const said = async (world: ProvenanceWorld, id: string, topic: string, by = world.stranger) => {
    const { attestedAt, expires, verdict, revoked } = await world.provenance.attestationOf(id, by, topic);
    return { attestedAt, expires, verdict, revoked };
  };
  const NOTHING_SAID = { attestedAt: 0n, expires: 0n, verdict: Verdict.None, revoked: false };

  describe("attest", () => {
    it("says something of somebody else's record, in one event", async () => {
      const { world, id, stranger } = await subject();
      expect(await said(world, id, ORIGIN)).to.deep.equal(NOTHING_SAID);
      const before = await stateOf(world, id);
      const expires = (await now()) + 1_000n;
      await expect(stranger.attest(id, ORIGIN, Verdict.Vouches, expires, "seen the negative"))
        .to.emit(world.provenance, "Attested")
        .withArgs(id, world.stranger.address, ORIGIN, Verdict.Vouches, expires, "seen the negative");
      const attestedAt = await now();
      expect(await said(world, id, ORIGIN)).to.deep.equal({
        ...{ attestedAt, expires, verdict: Verdict.Vouches, revoked: false },
      });
      expect(await verdicts(world, id, [ORIGIN])).to.deep.equal([Verdict.Vouches]);
      expect(await stateOf(world, id), "and nothing of the record itself").to.deep.equal(before);
    });

    it("says it of a set, or of what is withdrawn, as well", async () => {
      const world = await fixture();
      const { id } = await anchor(world, [recordFor(world)]);
      await world.provenance.connect(world.client).withdraw(id, "");
      await world.provenance.connect(world.stranger).attest(id, WHOLE, Verdict.Disputes, 0, "");
      expect(await verdicts(world, id, [WHOLE])).to.deep.equal([Verdict.Disputes]);
    });

    it("replaces what the sender said before on the topic, be it revoked or expired", async () => {
      const { world, id, stranger } = await subject();
      const expires = (await now()) + 1_000n;
      await stranger.attest(id, ORIGIN, Verdict.Vouches, expires, "");
      await stranger.attest(id, ORIGIN, Verdict.Disputes, 0, "");
      expect(await said(world, id, ORIGIN)).to.deep.equal({
        ...{ attestedAt: await now(), expires: 0n, verdict: Verdict.Disputes, revoked: false },
      });
      await stranger.revoke(id, ORIGIN, "");
      expect(await verdicts(world, id, [ORIGIN])).to.deep.equal([Verdict.None]);
      await stranger.attest(id, ORIGIN, Verdict.Vouches, expires, "");
      expect(await verdicts(world, id, [ORIGIN])).to.deep.equal([Verdict.Vouches]);
      await networkHelpers.time.increaseTo(expires + 1n);
      expect(await verdicts(world, id, [ORIGIN])).to.deep.equal([Verdict.None]);
      await stranger.attest(id, ORIGIN, Verdict.Vouches, 0, "");
      expect(await verdicts(world, id, [ORIGIN])).to.deep.equal([Verdict.Vouches]);
    });

    it("is apart for each topic, each attester and each subject", async () => {
      const { world, id, stranger } = await subject();
      const other = await register(world);
      await stranger.attest(id, ORIGIN, Verdict.Vouches, 0, "");
      await stranger.attest(id, WHOLE, Verdict.Disputes, 0, "");
      await world.provenance.connect(world.keeper).attest(id, ORIGIN, Verdict.Disputes, 0, "");
      const topics = [WHOLE, CAPTION, ORIGIN, ORIGIN];
      const { None, Vouches, Disputes } = Verdict;
      expect(await verdicts(world, id, topics)).to.deep.equal([Disputes, None, Vouches, Vouches]);
      expect(await verdicts(world, id, topics, world.keeper)).to.deep.equal([None, None, Disputes, Disputes]);
      expect(await verdicts(world, other.id, topics)).to.deep.equal([None, None, None, None]);
      expect(await verdicts(world, id, [])).to.deep.equal([]);
      await stranger.revoke(id, ORIGIN, "");
      expect(await verdicts(world, id, topics)).to.deep.equal([Disputes, None, None, None]);
      expect(await verdicts(world, id, topics, world.keeper)).to.deep.equal([None, None, Disputes, Disputes]);
    });

    it("counts until the last second that it names, and is readable after that", async () => {
      const { world, id, stranger } = await subject();
      const expires = (await now()) + 1_000n;
      await stranger.attest(id, ORIGIN, Verdict.Vouches, expires, "");
      await networkHelpers.time.increaseTo(expires);
      expect(await verdicts(world, id, [ORIGIN])).to.deep.equal([Verdict.Vouches]);
      await networkHelpers.time.increaseTo(expires + 1n);
      expect(await verdicts(world, id, [ORIGIN])).to.deep.equal([Verdict.None]);
      const { verdict, revoked } = await said(world, id, ORIGIN);
      expect([verdict, revoked]).to.deep.equal([Verdict.Vouches, false]);
    });

    it("may expire in the second in which it is said, not before", async () => {
      const { world, id, stranger } = await subject();
      const time = (await now()) + 100n;
      const snapshot = await networkHelpers.takeSnapshot();
      await networkHelpers.time.setNextBlockTimestamp(time + 1n);
      await refused(world, stranger.attest(id, ORIGIN, Verdict.Vouches, time, ""), "InvalidExpiry", time);
      await snapshot.restore();
      await networkHelpers.time.setNextBlockTimestamp(time);
      await stranger.attest(id, ORIGIN, Verdict.Vouches, time, "");
      expect(await verdicts(world, id, [ORIGIN])).to.deep.equal([Verdict.Vouches]);
    });

    it("may expire as late as 48 bits reach, and no later", async () => {
      const { world, id, stranger } = await subject();
      const last = 2n ** 48n - 1n;
      await stranger.attest(id, ORIGIN, Verdict.Vouches, last, "");
      expect((await said(world, id, ORIGIN)).expires).to.equal(last);
      const types = ["bytes32", "bytes32", "uint8", "uint256", "string"];
      const values = [id, ORIGIN, Verdict.Vouches, last + 1n, ""];
      const { selector } = world.provenance.interface.getFunction("attest");
      const data = ethers.concat([selector, ethers.AbiCoder.defaultAbiCoder().encode(types, values)]);
      await expect(world.stranger.sendTransaction({ to: world.provenanceAddress, data })).to.be.revert(ethers);
    });

    it("is of what there is", async () => {
      const { world, stranger } = await subject();
      const unknown = freshHash();
      await refused(world, stranger.attest(unknown, ORIGIN, Verdict.Vouches, 0, ""), "UnknownRecord", unknown);
    });

    it("is for others than the registrant", async () => {
      const { world, id } = await subject();
      const sent = world.provenance.connect(world.client).attest(id, ORIGIN, Verdict.Vouches, 0, "");
      await refused(world, sent, "OwnRecord", id);
    });

    it("is not for an id alias, by which a registrant could vouch for itself, nor for nobody", async () => {
      const { world, id } = await subject();
      const alias = world.provenance.connect(await impersonated(ALIAS));
      await refused(world, alias.attest(id, ORIGIN, Verdict.Vouches, 0, ""), "InvalidAccount", ALIAS);
      const { attest } = world.provenance.connect(ethers.provider);
      const asked = attest.staticCall(id, ORIGIN, Verdict.Vouches, 0, "", { from: ethers.ZeroAddress });
      await refused(world, asked, "InvalidAccount", ethers.ZeroAddress);
    });

    it("says something: to say nothing any more is to revoke", async () => {
      const { world, id, stranger } = await subject();
      await refused(world, stranger.attest(id, ORIGIN, Verdict.None, 0, ""), "InvalidVerdict");
      await expect(stranger.attest(id, ORIGIN, 3, 0, "")).to.be.revert(ethers);
    });

    it("has a reason of at most 256 bytes", async () => {
      const { world, id, stranger } = await subject();
      const attest = (reason: string) => stranger.attest(id, ORIGIN, Verdict.Vouches, 0, reason);
      await refused(world, attest("x".repeat(257)), "ReasonTooLong", 257n);
      await expect(attest("é".repeat(128))).to.emit(world.provenance, "Attested");
    });
  });

  describe("revoke", () => {
    it("takes back what was said, and leaves it readable", async () => {
      const { world, id, stranger } = await subject();
      await stranger.attest(id, ORIGIN, Verdict.Vouches, 0, "");
      const before = await said(world, id, ORIGIN);
      await expect(stranger.revoke(id, ORIGIN, "it was staged"))
        .to.emit(world.provenance, "Revoked")
        .withArgs(id, world.stranger.address, ORIGIN, "it was staged");
      expect(await said(world, id, ORIGIN)).to.deep.equal({ ...before, revoked: true });
      expect(await verdicts(world, id, [ORIGIN])).to.deep.equal([Verdict.None]);
    });

    it("needs something that was said", async () => {
      const { world, id, stranger } = await subject();
      const by = world.stranger.address;
      await refused(world, stranger.revoke(id, ORIGIN, ""), "NothingToRevoke", id, by, ORIGIN);
      await stranger.attest(id, CAPTION, Verdict.Vouches, 0, "");
      await refused(world, stranger.revoke(id, ORIGIN, ""), "NothingToRevoke", id, by, ORIGIN);
      const unknown = freshHash();
      await refused(world, stranger.revoke(unknown, CAPTION, ""), "NothingToRevoke", unknown, by, CAPTION);
    });

    it("is for what the sender itself has said, not another, the registrant neither", async () => {
      const { world, id, stranger } = await subject();
      await stranger.attest(id, ORIGIN, Verdict.Disputes, 0, "");
      for (const other of [world.keeper, world.client]) {
        const sent = world.provenance.connect(other).revoke(id, ORIGIN, "");
        await refused(world, sent, "NothingToRevoke", id, other.address, ORIGIN);
      }
      expect(await verdicts(world, id, [ORIGIN])).to.deep.equal([Verdict.Disputes]);
    });

    it("is done once", async () => {
      const { world, id, stranger } = await subject();
      await stranger.attest(id, ORIGIN, Verdict.Vouches, 0, "");
      await stranger.revoke(id, ORIGIN, "");
      const again = stranger.revoke(id, ORIGIN, "");
      await refused(world, again, "NothingToRevoke", id, world.stranger.address, ORIGIN);
    });

    it("may be of what has expired", async () => {
      const { world, id, stranger } = await subject();
      const expires = (await now()) + 100n;
      await stranger.attest(id, ORIGIN, Verdict.Vouches, expires, "");
      await networkHelpers.time.increaseTo(expires + 1n);
      await stranger.revoke(id, ORIGIN, "");
      expect((await said(world, id, ORIGIN)).revoked).to.equal(true);
    });

    it("has a reason of at most 256 bytes", async () => {
      const { world, id, stranger } = await subject();
      await stranger.attest(id, ORIGIN, Verdict.Vouches, 0, "");
      await refused(world, stranger.revoke(id, ORIGIN, "x".repeat(257)), "ReasonTooLong", 257n);
      await expect(stranger.revoke(id, ORIGIN, "x".repeat(256))).to.emit(world.provenance, "Revoked");
    });
  });
});
