import { expect } from "chai";
import { toBeHex } from "ethers";
import fc from "fast-check";
import { base64url } from "multiformats/bases/base64";
import { type Edge, NO_HASH } from "../../../src/protocol/index.js";
import { openSetFile } from "../../../src/provenance/sets/file-node.js";
import {
  formatMembership,
  type Membership,
  parseMembership,
  type SetContent,
  type SetPlan,
  verifyMembership,
} from "../../../src/provenance/sets/index.js";
import { ByteReader, varint } from "../../../src/provenance/sets/varint.js";
import { expectError } from "../../piece/helpers.js";
import { runs } from "../../support/effort.js";
import { removeFolders } from "../../support/pieces.js";
import { claims, contents, registries, SHARED, setFileOf, sha256 } from "./helpers.js";

/** The set of some contents, and the membership of one of them. */
async function memberOf(entries: readonly SetContent[], changes: Partial<SetPlan> = {}) {
  const { chainId, registry, id, set, shared, membership } = await (async () => {
    const file = await openSetFile(await setFileOf(entries, changes));
    const found = (await file.find((entries[0] as SetContent).sha256)) as Membership;
    await file.close();
    return { ...file, membership: found };
  })();
  return { head: { chainId, registry, id, set, shared }, membership };
}

const bytesOf = (text: string) => base64url.baseDecode(JSON.parse(text).proof);
const textOf = (bytes: Uint8Array) => JSON.stringify({ holdfast: "membership/1", proof: base64url.baseEncode(bytes) });

describe("sets: the proof of one file", () => {
  after(removeFolders);

  it("carries the membership and the set, whatever they claim", async () => {
    const count = fc.integer({ min: 1, max: 40 });
    await fc.assert(
      fc.asyncProperty(registries, claims, count, async (at, shared, n) => {
        const { membership, head } = await memberOf(contents(n), { ...at, shared });
        const proven = parseMembership(formatMembership(membership, head));
        expect(proven).to.deep.equal({ membership, head });
        expect(verifyMembership(proven.membership, proven.head)).to.equal(true);
      }),
      { numRuns: runs(30) },
    );
  });

  it("may be laid out as people like it", async () => {
    const { membership, head } = await memberOf(contents(3));
    const text = `\n${JSON.stringify(JSON.parse(formatMembership(membership, head)), null, 2)}\n`;
    expect(parseMembership(text)).to.deep.equal({ membership, head });
  });

  it("takes less than 1 KiB in a set of 100,000, and 44 bytes more for each parent", async () => {
    const { membership, head } = await memberOf(contents(1), { shared: { ...SHARED, parents: [] } });
    const proof = Array.from({ length: 17 }, () => NO_HASH);
    const large = { ...head, set: { ...head.set, count: 100_000n } };
    const lengthWith = (parents: Edge[]) => {
      const record = { ...membership.record, size: 2n ** 40n, parents };
      return formatMembership({ ...membership, record, index: 99_999, proof }, large).length;
    };
    const [parent] = SHARED.parents as [Edge];
    expect(lengthWith([])).to.be.lessThan(985);
    expect(lengthWith([parent]))
      .to.be.within(lengthWith([]) + 43, lengthWith([]) + 45)
      .and.lessThan(1_030);
  });

  it("does not pass where any byte of it is another, or is gone, or one more", async () => {
    const { membership, head } = await memberOf(contents(5));
    const bytes = bytesOf(formatMembership(membership, head));
    for (let at = 0; at < bytes.length; at++) {
      for (const mask of [1, 0x80, 0xff]) {
        await expectError("PROOF_INVALID", () => parseMembership(textOf(bytes.with(at, (bytes[at] as number) ^ mask))));
      }
      await expectError("PROOF_INVALID", () => parseMembership(textOf(bytes.subarray(0, at))));
    }
    await expectError("PROOF_INVALID", () => parseMembership(textOf(new Uint8Array([...bytes, 0]))));
  });

  it("is no proof of another file of the set", async () => {
    const { membership, head } = await memberOf(contents(5));
    const [, other] = contents(2) as [SetContent, SetContent];
    const record = { ...membership.record, contentHash: other.sha256, size: other.size };
    await expectError("PROOF_INVALID", () => parseMembership(formatMembership({ ...membership, record }, head)));
    expect(verifyMembership({ ...membership, record }, head)).to.equal(false);
    expect(verifyMembership({ ...membership, index: 4 - membership.index }, head)).to.equal(membership.index === 2);
    expect(verifyMembership(membership, { ...head, id: sha256("x") })).to.equal(false);
    const foreign = { ...membership.record, registrant: toBeHex(1, 20) };
    expect(verifyMembership({ ...membership, record: foreign }, head)).to.equal(false);
  });

  it("refuses texts that are no proof, and long ones before it reads them", async () => {
    const { membership, head } = await memberOf(contents(2));
    const text = formatMembership(membership, head);
    const wrong = [
      ...["", "{", "null", "[]", "{}", '{"holdfast":"membership/1"}', '{"holdfast":"membership/1","proof":5}'],
      text.replace("membership/1", "membership/2"),
      text.replace("{", '{"more":1,'),
      text.replace(/"proof":"../, '"proof":"=!'),
      text.replace(/"proof":"../, '"proof":"+/'),
      `${"[".repeat(4_000)}${"]".repeat(4_000)}`,
      text + " ".repeat(10_000),
    ];
    for (const each of wrong) await expectError("PROOF_INVALID", () => parseMembership(each));
  });

  it("never fails but by its own error, whatever its bytes are", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (noise) => {
        await expectError("PROOF_INVALID", () => parseMembership(textOf(noise)));
      }),
      { numRuns: runs(300) },
    );
  });
});

describe("sets: numbers in few bytes", () => {
  const read = (bytes: number[] | Uint8Array, max = 2n ** 64n - 1n) =>
    new ByteReader(Uint8Array.from(bytes)).varint(max);

  it("come back, and take seven bits a byte", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
        expect(read(varint(value))).to.equal(value);
        expect(varint(value)).to.have.length(Math.max(1, Math.ceil(value.toString(2).length / 7)));
      }),
    );
    expect([...varint(300n)]).to.deep.equal([0xac, 0x02]);
  });

  it("have one form, and end", () => {
    for (const wrong of [[], [0x80], [0x80, 0], [0x81, 0], Array(10).fill(0x80), Array(20).fill(0xff)]) {
      expect(() => read(wrong), String(wrong)).to.throw(RangeError);
    }
    expect(() => read([5], 4n)).to.throw(RangeError);
    expect(read([4], 4n)).to.equal(4n);
  });
});
