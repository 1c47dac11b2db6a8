import { expect } from "chai";
import fc from "fast-check";
import {
  commitWithLayer,
  hashNodes,
  payloadUnder,
  prove,
  sortedDistinct,
  type TreeLayer,
  verifyProof,
  zeroSubtree,
} from "../../src/piece/index.js";
import { Subtree } from "../../src/piece/tree.js";
import { expectError, pseudoRandom } from "./helpers.js";

const KIB = 1024;

/** Every node of a payload's tree, levels[l][p], by the plainest means. */
function wholeTree(payload: Uint8Array, height: number): Uint8Array[][] {
  const subtree = new Subtree(height);
  subtree.payload.set(payload);
  subtree.build(payload.length);
  const levels = [Array.from({ length: 2 ** height }, (_, i) => subtree.node(0, i))];
  for (let level = 0; level < height; level++) {
    const below = levels[level] as Uint8Array[];
    levels.push(
      Array.from({ length: below.length / 2 }, (_, i) =>
        hashNodes(below[2 * i] as Uint8Array, below[2 * i + 1] as Uint8Array),
      ),
    );
  }
  return levels;
}

/** The depth-first order by recursion from the root: another way to say what `prove` says by climbing. */
function expectedProof(levels: Uint8Array[][], indices: readonly bigint[]): Uint8Array {
  const nodes: Uint8Array[] = [];
  const holds = (level: number, position: number): boolean =>
    indices.some((index) => Number(index) >= position * 2 ** level && Number(index) < (position + 1) * 2 ** level);
  const visit = (level: number, position: number): void => {
    const [left, right] = [2 * position, 2 * position + 1];
    if (level === 0) nodes.push(levels[0]?.[position] as Uint8Array);
    else if (!holds(level - 1, left)) {
      visit(level - 1, right);
      nodes.push(levels[level - 1]?.[left] as Uint8Array);
    } else {
      visit(level - 1, left);
      if (holds(level - 1, right)) visit(level - 1, right);
      else nodes.push(levels[level - 1]?.[right] as Uint8Array);
    }
  };
  visit(levels.length - 1, 0);
  return Buffer.concat(nodes);
}

const reader =
  (payload: Uint8Array) =>
  (offset: number, length: number): Uint8Array =>
    payload.subarray(offset, offset + length);

const piece = async (size: number, level: number): Promise<{ payload: Uint8Array; layer: TreeLayer }> => {
  const payload = pseudoRandom(size, size);
  return { payload, layer: (await commitWithLayer(payload, { level })).layer };
};

describe("piece: proofs", () => {
  it("proves any set of leaves, in depth-first order, from a layer of any level", async () => {
    const input = fc.tuple(
      fc.integer({ min: 1, max: 40_000 }),
      fc.integer({ min: 2, max: 12 }),
      fc.array(fc.nat(), { minLength: 1, maxLength: 20 }),
    );
    await fc.assert(
      fc.asyncProperty(input, async ([size, level, picks]) => {
        const { payload, layer } = await piece(size, level);
        const { leafCount, height } = layer.commitment;
        const indices = picks.map((pick) => BigInt(pick) % leafCount);
        const proof = await prove(layer, reader(payload), indices);
        const sorted = sortedDistinct(indices);
        expect(verifyProof(layer.commitment, sorted, proof)).to.equal(true);
        expect(Buffer.compare(proof, expectedProof(wholeTree(payload, height), sorted))).to.equal(0);
      }),
      { numRuns: 60 },
    );
  }).timeout(120_000);

  it("proves every leaf of every tiny piece, alone and all together", async () => {
    for (const size of [1, 31, 32, 63, 64, 95, 96, 126, 127, 128, 254, 255, 509]) {
      const { payload, layer } = await piece(size, 12);
      const all = Array.from({ length: Number(layer.commitment.leafCount) }, (_, i) => BigInt(i));
      for (const indices of [...all.map((index) => [index]), all]) {
        const proof = await prove(layer, reader(payload), indices);
        expect(verifyProof(layer.commitment, indices, proof), `${size} bytes, leaves ${indices}`).to.equal(true);
      }
    }
  });

  it("follows the worked example of docs/piece.md", async () => {
    const { payload, layer } = await piece(254, 2);
    const levels = wholeTree(payload, 3);
    const at = (level: number, position: number): Uint8Array => levels[level]?.[position] as Uint8Array;
    const nodes = [at(0, 1), at(0, 0), at(0, 2), at(0, 3), at(0, 6), at(0, 7), at(1, 2)];
    expect(Buffer.from(await prove(layer, reader(payload), [6n, 1n, 2n, 1n]))).to.deep.equal(Buffer.concat(nodes));
  });

  it("sends the zero subtrees of the padding like any other node", async () => {
    const { payload, layer } = await piece(128, 2);
    const proof = await prove(layer, reader(payload), [4n]);
    expect(proof.length).to.equal(4 * 32);
    expect(proof.subarray(32, 64)).to.deep.equal(zeroSubtree(0));
    expect(proof.subarray(64, 96)).to.deep.equal(zeroSubtree(1));
  });

  it("re-reads the touched subtrees only, each once, left to right", async () => {
    const { payload, layer } = await piece(900 * KIB + 5, 8);
    const reads: [number, number][] = [];
    const bytes = payloadUnder(8);
    const tail = Math.floor(payload.length / bytes);
    const last = layer.commitment.leafCount - 1n;
    await prove(
      layer,
      (offset, length) => {
        reads.push([offset, length]);
        return payload.subarray(offset, offset + length);
      },
      [last, 3n * 256n, 3n * 256n + 255n, 0n],
    );
    expect(bytes).to.equal(64 * 127);
    expect(reads).to.deep.equal([
      [0, bytes],
      [3 * bytes, bytes],
      [tail * bytes, payload.length - tail * bytes],
    ]);
  });

  it("works on trees taller than 32-bit arithmetic", () => {
    const height = 40;
    const leaf = pseudoRandom(32);
    // One leaf of data at the very end of a tree of 2^40 leaves, zeros before it.
    let root: Uint8Array = leaf;
    const nodes: Uint8Array[] = [leaf];
    for (let level = 0; level < height; level++) {
      nodes.push(zeroSubtree(level));
      root = hashNodes(zeroSubtree(level), root);
    }
    const leafCount = 1n << 40n;
    expect(verifyProof({ root, leafCount }, [leafCount - 1n], Buffer.concat(nodes))).to.equal(true);
    expect(verifyProof({ root, leafCount }, [leafCount - 2n], Buffer.concat(nodes))).to.equal(false);
  });

  describe("refuses", () => {
    let layer: TreeLayer;
    let payload: Uint8Array;
    let proof: Uint8Array;
    const indices = [2n, 3n, 40n, 77n, 1000n];

    before(async () => {
      ({ layer, payload } = await piece(35_000, 6));
      proof = await prove(layer, reader(payload), indices);
      expect(verifyProof(layer.commitment, indices, proof)).to.equal(true);
    });

    it("every single flipped bit, whether of the proof or of the root", () => {
      for (let bit = 0; bit < proof.length * 8; bit++) {
        const flipped = proof.slice();
        flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
        expect(verifyProof(layer.commitment, indices, flipped), `bit ${bit}`).to.equal(false);
      }
      for (let bit = 0; bit < 256; bit++) {
        const root = layer.commitment.root.slice();
        root[bit >> 3] = (root[bit >> 3] as number) ^ (1 << (bit & 7));
        expect(verifyProof({ ...layer.commitment, root }, indices, proof), `root bit ${bit}`).to.equal(false);
      }
    });

    it("a proof that is cut, extended, reordered or empty", () => {
      for (let length = 0; length < proof.length; length += 16) {
        expect(verifyProof(layer.commitment, indices, proof.subarray(0, length)), `${length} bytes`).to.equal(false);
      }
      for (const extra of [1, 31, 32, 64]) {
        const longer = Buffer.concat([proof, new Uint8Array(extra)]);
        expect(verifyProof(layer.commitment, indices, longer), `${extra} more bytes`).to.equal(false);
      }
      const swapped = Buffer.concat([proof.subarray(32, 64), proof.subarray(0, 32), proof.subarray(64)]);
      expect(verifyProof(layer.commitment, indices, swapped)).to.equal(false);
    });

    it("a proof for other leaves", () => {
      const others = [[2n, 3n, 40n, 77n, 1001n], [3n, 4n, 40n, 77n, 1000n], indices.slice(1), [...indices, 1002n]];
      for (const other of others) expect(verifyProof(layer.commitment, other, proof), `${other}`).to.equal(false);
    });

    it("inner nodes sold as leaves under a smaller leafCount", async () => {
      // The levels above 1 are a tree of their own; only the pair (root, leafCount) tells them apart.
      const single = await prove(layer, reader(payload), [4n]);
      const shorter = Buffer.concat([hashNodes(single.subarray(0, 32), single.subarray(32, 64)), single.subarray(64)]);
      const { root, leafCount } = layer.commitment;
      expect(verifyProof({ root, leafCount }, [4n], single)).to.equal(true);
      expect(verifyProof({ root, leafCount: leafCount / 2n }, [2n], shorter)).to.equal(true);
      expect(verifyProof({ root, leafCount }, [2n], shorter)).to.equal(false);
    });

    it("indices that are no challenge", async () => {
      const { leafCount } = layer.commitment;
      for (const wrong of [[], [leafCount], [-1n], [3n, leafCount + 5n]]) {
        await expectError("INVALID_INDICES", () => verifyProof(layer.commitment, wrong, proof));
        await expectError("INVALID_INDICES", () => prove(layer, reader(payload), wrong));
      }
      for (const wrong of [
        [3n, 2n],
        [2n, 2n],
      ]) {
        await expectError("INVALID_INDICES", () => verifyProof(layer.commitment, wrong, proof));
      }
      await expectError("INVALID_LEAF_COUNT", () =>
        verifyProof({ root: layer.commitment.root, leafCount: (1n << 40n) + 1n }, indices, proof),
      );
    });
  });

  describe("tells a provider that its disk", () => {
    const size = 500 * KIB;

    it("lost the file", async () => {
      const { layer } = await piece(size, 12);
      const cause = new Error("ENOENT");
      const error = await expectError("MISSING_BYTES", () => prove(layer, () => Promise.reject(cause), [9n]));
      expect(error.cause).to.equal(cause);
    });

    it("lost the end of the file, once a challenge falls there", async () => {
      const { payload, layer } = await piece(size, 12);
      const cutShort = reader(payload.subarray(0, size - 1));
      await prove(layer, cutShort, [0n]);
      const error = await expectError("MISSING_BYTES", () => prove(layer, cutShort, [layer.commitment.leafCount - 1n]));
      expect(error.message).to.match(/^\d+ of \d+ bytes from \d+ could be read$/);
    });

    it("changed any byte under a touched subtree", async () => {
      const { payload, layer } = await piece(size, 12);
      for (const at of [0, 126, 127, payloadUnder(12) - 1]) {
        const damaged = payload.slice();
        damaged[at] = (damaged[at] as number) ^ 1;
        await expectError("CORRUPT_BYTES", () => prove(layer, reader(damaged), [1000n]));
        await prove(layer, reader(damaged), [4096n]);
      }
    });

    it("is fine where the reader was merely stopped", async () => {
      const { layer } = await piece(size, 12);
      const stop = AbortSignal.abort();
      const thrown = await prove(layer, () => stop.throwIfAborted() as never, [9n]).catch((error: unknown) => error);
      expect(thrown).to.equal(stop.reason);
    });
  });
});
