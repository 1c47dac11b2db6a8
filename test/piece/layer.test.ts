import { expect } from "chai";
import fc from "fast-check";
import { commitmentOf, commitWithLayer, DEFAULT_LAYER_LEVEL, TreeLayer, zeroSubtree } from "../../src/piece/index.js";
import { Subtree } from "../../src/piece/tree.js";
import { cut, expectError, pseudoRandom } from "./helpers.js";

const KIB = 1024;

describe("piece: tree layer", () => {
  it("holds the nodes of its level, whatever the level and the size", async () => {
    const input = fc.tuple(
      fc.integer({ min: 1, max: 700 * KIB }),
      fc.integer({ min: 2, max: 20 }),
      fc.array(fc.nat(), { maxLength: 4 }),
    );
    await fc.assert(
      fc.asyncProperty(input, async ([size, level, places]) => {
        const payload = pseudoRandom(size, size);
        const { commitment, layer } = await commitWithLayer(cut(payload, places), { level });
        const whole = new Subtree(commitment.height);
        whole.payload.set(payload);
        whole.build(size);
        expect(layer.level).to.equal(Math.min(level, commitment.height));
        expect(Buffer.compare(layer.nodes, whole.touched(layer.level))).to.equal(0);
        expect(layer.commitment).to.equal(commitment);
      }),
      { numRuns: 60 },
    );
  }).timeout(60_000);

  it("takes 32 bytes for each 127 KiB of payload by default", async () => {
    const { layer } = await commitWithLayer(pseudoRandom(10 * 127 * KIB + 1));
    expect(layer.level).to.equal(DEFAULT_LAYER_LEVEL);
    expect(layer.nodes.length).to.equal(11 * 32);
  });

  it("survives the way to the disk and back", async () => {
    for (const [size, level] of [
      [1, 12],
      [127, 2],
      [300 * KIB, 12],
      [300 * KIB, 3],
    ] as const) {
      const { layer } = await commitWithLayer(pseudoRandom(size, size), { level });
      // A view in a larger buffer, as a read from a file may return it.
      const stored = Buffer.concat([Buffer.alloc(7), layer.encode()]).subarray(7);
      const read = TreeLayer.decode(stored, layer.commitment);
      expect(read.commitment).to.deep.equal(layer.commitment);
      expect(read.level).to.equal(layer.level);
      expect(read.nodes).to.deep.equal(layer.nodes);
    }
  });

  it("notices every flipped bit of what was stored", async () => {
    const { layer } = await commitWithLayer(pseudoRandom(2000), { level: 3 });
    const bytes = layer.encode();
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const at = bit >> 3;
      const flipped = bytes.slice();
      flipped[at] = (flipped[at] as number) ^ (1 << (bit & 7));
      await expectError("CORRUPT_LAYER", () => TreeLayer.decode(flipped, layer.commitment));
    }
  });

  it("refuses bytes that are no layer, or another piece's", async () => {
    const { commitment, layer } = await commitWithLayer(pseudoRandom(300 * KIB));
    const bytes = layer.encode();
    const longer = Buffer.concat([bytes, new Uint8Array(32)]);
    for (const wrong of [new Uint8Array(), bytes.subarray(0, 31), bytes.subarray(0, -32), bytes.subarray(1), longer]) {
      await expectError("CORRUPT_LAYER", () => TreeLayer.decode(wrong, commitment));
    }
    const other = (await commitWithLayer(pseudoRandom(300 * KIB, 2))).commitment;
    await expectError("CORRUPT_LAYER", () => TreeLayer.decode(bytes, other));
    const larger = commitmentOf(commitment.root, commitment.payloadSize * 2n);
    await expectError("CORRUPT_LAYER", () => TreeLayer.decode(bytes, larger));
  });

  it("cannot be made of nodes or levels that don't fit the commitment", async () => {
    const { commitment, layer } = await commitWithLayer(pseudoRandom(2000), { level: 3 });
    for (const level of [1, 2, 4, 7, 2.5]) {
      await expectError("CORRUPT_LAYER", () => new TreeLayer(commitment, level, layer.nodes));
    }
    const empty = commitmentOf(zeroSubtree(2), 0n);
    await expectError("CORRUPT_LAYER", () => new TreeLayer(empty, 2, new Uint8Array()));
  });
});
