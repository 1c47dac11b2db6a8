import { expect } from "chai";
import { concat, getBytes, hexlify, keccak256, randomBytes } from "ethers";
import fc from "fast-check";
import { anchorRootOf, anchorZeros } from "../../src/protocol/anchor-tree.js";
import {
  type AnchoredSet,
  AnchorTree,
  anchorDepth,
  anchorLeaf,
  anchorNode,
  includesRecord,
  recordStruct,
} from "../../src/protocol/index.js";
import { runs } from "../support/effort.js";
import { networkHelpers } from "../support/market.js";
import { deployProvenance, idOf, type ProvenanceWorld, recordFor, setOf } from "../support/provenance.js";
import { hex } from "./arbitraries.js";

const MOST = 40;
const bytes32 = hex(32).map((value) => getBytes(value));
const idsOf = (count: number) => Array.from({ length: count }, (_, i) => getBytes(keccak256(Uint8Array.of(i))));

describe("protocol: anchor tree", () => {
  const fixture = () => networkHelpers.loadFixture(deployProvenance);

  /** Anchors a set with this root and count; gives what the contract says of places in it. */
  async function anchored(world: ProvenanceWorld, changes: Pick<AnchoredSet, "root" | "count">) {
    const { call } = setOf(world, [recordFor(world)], changes);
    await world.provenance.connect(world.client).anchor(call);
    return (record: ReturnType<typeof recordFor>, index: number, proof: readonly Uint8Array[]) =>
      world.provenance.isAnchored(
        recordStruct(record),
        call,
        index,
        proof.map((node) => hexlify(node)),
      );
  }

  it(`is the contract's: every place of every set of 1 to ${MOST} records, and no other place`, async () => {
    const world = await fixture();
    const records = Array.from({ length: MOST }, () => recordFor(world));
    for (let count = 1; count <= MOST; count++) {
      const { tree, set, call, proofOf } = setOf(world, records.slice(0, count));
      await world.provenance.connect(world.client).anchor(call);
      expect(hexlify(tree.root)).to.equal(set.root);
      const asked = records.slice(0, count).map(async (record, index) => {
        const struct = recordStruct(record);
        const proof = proofOf(index);
        const right = await world.provenance.isAnchored(struct, call, index, proof);
        const beside = await world.provenance.isAnchored(struct, call, index === 0 ? count : index - 1, proof);
        return [right, beside];
      });
      const answers = await Promise.all(asked);
      expect(answers, `${count} records`).to.deep.equal(Array(count).fill([true, false]));
    }
  });

  it("agrees with the contract on trees of up to 2^53 records, of which only a proof is known", async () => {
    const world = await fixture();
    const record = recordFor(world);
    const id = getBytes(idOf(world, record));
    const draws = fc
      .integer({ min: 0, max: 53 })
      .chain((bits) => fc.integer({ min: 1, max: Math.min(2 ** bits, Number.MAX_SAFE_INTEGER) }))
      .chain((count) =>
        fc.record({
          count: fc.constant(count),
          index: fc.integer({ min: 0, max: count - 1 }),
          proof: fc.array(bytes32, { minLength: anchorDepth(count), maxLength: anchorDepth(count) }),
          other: fc.integer({ min: 0, max: Math.min(2 * count, Number.MAX_SAFE_INTEGER) }),
          bit: fc.nat(255),
        }),
      );
    const agree = fc.asyncProperty(draws, async ({ count, index, proof, other, bit }) => {
      const root = anchorRootOf(id, index, proof);
      const contract = await anchored(world, { root: hexlify(root), count: BigInt(count) });
      const asked: [number, Uint8Array[]][] = [
        [index, proof],
        [other, proof],
        [index, [...proof, root]],
        [index, proof.slice(1)],
        [index, proof.map((node, i) => (i === bit % proof.length ? flipped(node, bit) : node))],
      ];
      for (const [place, siblings] of asked) {
        const says = includesRecord(root, count, id, place, siblings);
        expect(says).to.equal(await contract(record, place, siblings));
        const same = siblings.length === proof.length && siblings.every((node, i) => node === proof[i]);
        expect(says, "right ones, and no other").to.equal(same && place === index);
      }
    });
    await fc.assert(agree, { numRuns: runs(60) });
  });

  it("is the plain tree over leaves and zeros, hashed level by level", () => {
    for (let count = 1; count <= 20; count++) {
      const ids = idsOf(count);
      const depth = Math.ceil(Math.log2(count));
      const leaves = Array.from({ length: 2 ** depth }, (_, i) =>
        i < count ? keccak256(concat(["0x00", ids[i] as Uint8Array])) : `0x${"00".repeat(32)}`,
      );
      let level = leaves;
      while (level.length > 1) {
        level = level
          .filter((_, i) => i % 2 === 0)
          .map((left, i) => keccak256(concat(["0x01", left, level[2 * i + 1] as string])));
      }
      const tree = AnchorTree.of(ids);
      expect([tree.count, hexlify(tree.root)]).to.deep.equal([count, level[0]]);
      for (const [index, id] of ids.entries()) {
        expect(includesRecord(tree.root, count, id, index, tree.proof(index)), `${index} of ${count}`).to.equal(true);
      }
    }
  });

  it("has the least depth that has room for all", () => {
    const depths = [0, 1, 2, 3, 4, 5, 8, 9, 1_000_000, 2 ** 40, 2 ** 40 + 1].map(anchorDepth);
    expect(depths).to.deep.equal([0, 0, 1, 2, 2, 3, 3, 4, 20, 40, 41]);
  });

  it("has zeros after the last leaf, hashed as nodes are", () => {
    const [leaf, pair, four] = anchorZeros(2) as [Uint8Array, Uint8Array, Uint8Array];
    expect(hexlify(leaf)).to.equal(`0x${"00".repeat(32)}`);
    expect(hexlify(pair)).to.equal(keccak256(concat(["0x01", leaf, leaf])));
    expect(hexlify(four)).to.equal(keccak256(concat(["0x01", pair, pair])));
  });

  it("grows beyond what it first has room for", () => {
    const count = 2_500;
    const ids = Array.from({ length: count }, (_, i) => getBytes(keccak256(Uint8Array.of(i >> 8, i & 0xff))));
    const tree = AnchorTree.of(ids.values());
    expect(tree.layers.map((layer) => layer.length / 32)).to.deep.equal([
      2_500, 1_250, 625, 313, 157, 79, 40, 20, 10, 5, 3, 2, 1,
    ]);
    for (const index of [0, 1_023, 1_024, 2_047, 2_048, 2_499]) {
      expect(includesRecord(tree.root, count, ids[index] as Uint8Array, index, tree.proof(index))).to.equal(true);
    }
  });

  it("takes neither a node for a leaf, nor a zero for a record, nor another count", () => {
    const ids = idsOf(5);
    const tree = AnchorTree.of(ids);
    const [left, right] = [tree.proof(2)[1], tree.proof(0)[1]] as [Uint8Array, Uint8Array];
    const top = anchorNode(left, right);
    // The node over the first four leaves, as if it were a record.
    expect(includesRecord(tree.root, 2, top, 0, tree.proof(0).slice(2))).to.equal(false);
    expect(includesRecord(tree.root, 5, new Uint8Array(32), 5, tree.proof(4))).to.equal(false);
    expect(includesRecord(tree.root, 4, ids[0] as Uint8Array, 0, tree.proof(0))).to.equal(false);
    expect(includesRecord(tree.root, 9, ids[0] as Uint8Array, 0, tree.proof(0))).to.equal(false);
    // Only the depth follows from the count: 5 and 8 have the same.
    expect(includesRecord(tree.root, 8, ids[0] as Uint8Array, 0, tree.proof(0))).to.equal(true);
  });

  it("takes a place for a whole number among its own", () => {
    const ids = idsOf(5);
    const tree = AnchorTree.of(ids);
    for (const index of [-1, 0.5, 5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(includesRecord(tree.root, 5, ids[0] as Uint8Array, index, tree.proof(0)), `${index}`).to.equal(false);
    }
    for (const index of [-1, 5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => tree.proof(index), `${index}`).to.throw(RangeError, "among 5");
    }
    expect(includesRecord(tree.root.slice(1), 5, ids[0] as Uint8Array, 0, tree.proof(0)), "a short root").to.equal(
      false,
    );
  });

  it("is of at least one record", () => {
    expect(() => AnchorTree.of([]))
      .to.throw("a set has at least one record")
      .with.property("code", "EMPTY_SET");
  });

  it("hashes leaves and nodes apart", () => {
    const [one, two] = [randomBytes(32), randomBytes(32)];
    expect(hexlify(anchorLeaf(one))).to.equal(keccak256(concat(["0x00", one])));
    expect(hexlify(anchorNode(one, two))).to.equal(keccak256(concat(["0x01", one, two])));
  });
});

const flipped = (node: Uint8Array, bit: number) =>
  node.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
