import { expect } from "chai";
import fc from "fast-check";
import { challengeIndices } from "../../src/protocol/index.js";
import { expectError } from "../piece/helpers.js";
import { runs } from "../support/effort.js";
import { address } from "./arbitraries.js";
import { ethers, ledgerHarness } from "./harness.js";

const uint256 = fc.bigInt({ min: 0n, max: (1n << 256n) - 1n });
const input = fc.record({
  market: address,
  dealId: uint256,
  window: fc.integer({ min: 1, max: 2 ** 24 }),
  seed: uint256,
  count: fc.oneof(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 255 })),
  leafCount: fc.oneof(fc.bigInt({ min: 1n, max: 20n }), fc.bigInt({ min: 1n, max: 1n << 40n })),
});

describe("protocol: challenges", () => {
  it("asks for the leaves that the contracts ask for", async () => {
    const harness = await ledgerHarness();
    const { chainId } = await ethers.provider.getNetwork();
    await fc.assert(
      fc.asyncProperty(fc.array(input, { minLength: 20, maxLength: 20 }), async (cases) => {
        const answers = (await harness.challenges(cases)).map((leaves) => [...leaves]);
        expect(cases.map((c) => challengeIndices({ ...c, chainId }))).to.deep.equal(answers);
      }),
      { numRuns: runs(25) },
    );
  });

  it("are ascending, distinct, below leafCount, and depend on each input", () => {
    const base = {
      chainId: 1n,
      market: ethers.ZeroAddress,
      dealId: 7n,
      window: 1,
      seed: 9n,
      count: 5,
      leafCount: 1n << 40n,
    };
    const leaves = challengeIndices(base);
    expect(leaves).to.have.length(5);
    expect(leaves.every((leaf, i) => leaf < base.leafCount && (i === 0 || leaf > (leaves[i - 1] as bigint)))).to.equal(
      true,
    );
    const changes = [{ chainId: 2n }, { market: `0x${"1".repeat(40)}` }, { dealId: 8n }, { window: 2 }, { seed: 10n }];
    for (const change of changes) expect(challengeIndices({ ...base, ...change })).to.not.deep.equal(leaves);
    expect(challengeIndices({ ...base, leafCount: 1n })).to.deep.equal([0n]);
  });

  it("refuse a piece without leaves", async () => {
    const input = { chainId: 1n, market: ethers.ZeroAddress, dealId: 7n, window: 1, seed: 9n, count: 5, leafCount: 0n };
    await expectError("INVALID_LEAF_COUNT", () => challengeIndices(input));
  });
});
