import { expect } from "chai";
import fc from "fast-check";
import { network } from "hardhat";
import { commitWithLayer, prove, sortedDistinct, treeHeight, verifyProof } from "../../src/piece/index.js";
import type { PieceTreeCaller } from "../../typechain-types/index.js";
import { pseudoRandom } from "./helpers.js";

describe("piece: the contract's twin", () => {
  let caller: PieceTreeCaller;

  before(async () => {
    const { ethers } = await network.create();
    caller = (await ethers.deployContract("PieceTreeCaller")) as unknown as PieceTreeCaller;
  });

  it("accepts what prove() builds, and refuses with verifyProof() what was tampered with", async () => {
    const input = fc.tuple(
      fc.oneof(fc.integer({ min: 1, max: 520 }), fc.integer({ min: 1, max: 300_000 })),
      fc.integer({ min: 2, max: 14 }),
      fc.array(fc.nat(), { minLength: 1, maxLength: 12 }),
      fc.nat(),
    );
    await fc.assert(
      fc.asyncProperty(input, async ([size, level, picks, bit]) => {
        const payload = pseudoRandom(size, size);
        const { commitment, layer } = await commitWithLayer(payload, { level });
        const { root, leafCount } = commitment;
        const indices = sortedDistinct(picks.map((pick) => BigInt(pick) % leafCount));
        const proof = await prove(layer, (offset, length) => payload.subarray(offset, offset + length), indices);
        expect(await caller.verify(root, leafCount, indices, proof)).to.equal(true);

        const at = bit % (proof.length * 8);
        proof[at >> 3] = (proof[at >> 3] as number) ^ (1 << (at & 7));
        expect(verifyProof(commitment, indices, proof)).to.equal(false);
        expect(await caller.verify(root, leafCount, indices, proof)).to.equal(false);
      }),
      { numRuns: 60 },
    );
  });

  it("has trees of the same height", async () => {
    for (let level = 0n; level <= 40n; level++) {
      for (const leafCount of [(1n << level) - 1n, 1n << level, (1n << level) + 1n]) {
        if (leafCount < 1n || leafCount > 1n << 40n) continue;
        expect(await caller.height(leafCount), `${leafCount} leaves`).to.equal(BigInt(treeHeight(leafCount)));
      }
    }
  });
});
