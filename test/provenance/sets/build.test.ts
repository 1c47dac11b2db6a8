import { expect } from "chai";
import { getBytes, hexlify } from "ethers";
import fc from "fast-check";
import { AnchorTree } from "../../../src/protocol/anchor-tree.js";
import { anchorIdOf, type Edge, NO_HASH, provenanceDomain, recordIdOf } from "../../../src/protocol/index.js";
import { expectError } from "../../piece/helpers.js";
import { runs } from "../../support/effort.js";
import { contents, PARENT, REGISTRANT, REGISTRY, SHARED, setOf, sha256 } from "./helpers.js";

describe("sets: building", () => {
  it("has a record for each content, in ascending order, and the tree over their ids", () => {
    const domain = provenanceDomain(REGISTRY.chainId, REGISTRY.registry);
    const ids = contents(5)
      .sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1))
      .map(({ sha256: contentHash, size }) =>
        recordIdOf(domain, { ...SHARED, registrant: REGISTRANT, contentHash, size, pieceId: NO_HASH, cid: "0x" }),
      );
    const set = setOf(contents(5));
    const root = hexlify(AnchorTree.of(ids.map((id) => getBytes(id))).root);
    expect(set.set).to.deep.equal({ registrant: REGISTRANT, root, count: 5n, ...SHARED });
    expect(set.id).to.equal(anchorIdOf(domain, set.set));
    expect(set)
      .to.include({ ...REGISTRY })
      .and.to.deep.include({ shared: SHARED });
    const packed = contents(5).map(({ sha256: hash, size }) => hash + size.toString(16).padStart(16, "0"));
    expect(hexlify(set.contents)).to.equal(
      `0x${packed
        .map((text) => text.slice(2))
        .sort()
        .join("")}`,
    );
  });

  it("is the same set in whatever order and however often its contents come, and in whatever case they are written", () => {
    const all = contents(20);
    const { id } = setOf(all);
    fc.assert(
      fc.property(fc.shuffledSubarray(all, { minLength: 20 }), fc.subarray(all), (shuffled, again) => {
        expect(setOf([...shuffled, ...again]).id).to.equal(id);
      }),
      { numRuns: runs(30) },
    );
    const upper = all.map(({ sha256: hash, size }) => ({ sha256: `0x${hash.slice(2).toUpperCase()}`, size }));
    const registry = REGISTRY.registry.toLowerCase();
    expect(setOf(upper, { registry, registrant: REGISTRANT.toLowerCase() }).id).to.equal(id);
  });

  it("is another set where anything that is claimed is another", () => {
    const all = contents(3);
    const ids = [
      setOf(all),
      setOf(all.slice(1)),
      setOf(contents(3, "x")),
      setOf(all.map((content) => ({ ...content, size: content.size + 1n }))),
      setOf(all, { chainId: 1 }),
      setOf(all, { registry: REGISTRANT }),
      setOf(all, { registrant: REGISTRY.registry }),
      setOf(all, { shared: { ...SHARED, kind: "edited" } }),
      setOf(all, { shared: { ...SHARED, license: "MIT" } }),
      setOf(all, { shared: { ...SHARED, aiTraining: "refused" } }),
      setOf(all, { shared: { ...SHARED, parents: [] } }),
      setOf(all, { shared: { ...SHARED, manifestHash: NO_HASH } }),
    ].map(({ id }) => id);
    expect(new Set(ids).size).to.equal(ids.length);
  });

  it("puts parents in the order that the contract takes", () => {
    const parents: Edge[] = [
      { parent: PARENT, kind: "training" },
      { parent: PARENT, kind: "derivation" },
      { parent: PARENT.toUpperCase().replace("0X", "0x"), kind: "training" },
    ];
    expect(setOf(contents(1), { shared: { ...SHARED, parents } }).shared.parents).to.deep.equal([
      { parent: PARENT, kind: "derivation" },
      { parent: PARENT, kind: "training" },
    ]);
  });

  it("refuses what the contract would refuse, or what can't be", async () => {
    await expectError("EMPTY_SET", () => setOf([]));
    const [content] = contents(1) as [ReturnType<typeof contents>[0]];
    await expectError("CONTENT_CONFLICT", () => setOf([content, { ...content, size: content.size + 1n }]));
    // 43 characters of 3 bytes.
    await expectError("INVALID_LICENSE", () => setOf([content], { shared: { ...SHARED, license: "文".repeat(43) } }));
    expect(setOf([content], { shared: { ...SHARED, license: "x".repeat(128) } }).set.count).to.equal(1n);
    const parents = Array.from({ length: 65 }, (_, i): Edge => ({ parent: sha256(String(i)), kind: "input" }));
    await expectError("TOO_MANY_PARENTS", () => setOf([content], { shared: { ...SHARED, parents } }));
    for (const wrong of [{ sha256: "0x12" }, { sha256: "zz" }, { size: -1n }, { size: 2n ** 64n }]) {
      expect(() => setOf([{ ...content, ...wrong }])).to.throw(TypeError);
    }
    expect(() => setOf([content], { registrant: "0x12" })).to.throw(TypeError);
  });
});
