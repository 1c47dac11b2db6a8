import { expect } from "chai";
import type { Log, Provider } from "ethers";
import fc from "fast-check";
import { logsBetween } from "../../src/chain/logs.js";
import { runs } from "../support/effort.js";

/** A node with so many logs in each block, that refuses to answer with more than `refusal` of them. */
function nodeOf(perBlock: (block: number) => number, refusal = Number.POSITIVE_INFINITY) {
  const answers: { readonly blocks: number; readonly logs: number }[] = [];
  const getLogs = async ({ fromBlock, toBlock }: { fromBlock: number; toBlock: number }) => {
    const blocks = Array.from({ length: toBlock - fromBlock + 1 }, (_, i) => fromBlock + i);
    const logs = blocks.flatMap((blockNumber) =>
      Array.from({ length: perBlock(blockNumber) }, (_, index) => ({ blockNumber, index })),
    );
    if (logs.length > refusal) throw new Error("too many logs");
    answers.push({ blocks: blocks.length, logs: logs.length });
    return logs as Log[];
  };
  return { provider: { getLogs } as unknown as Provider, answers };
}

async function read(provider: Provider, from: number, to: number, range?: number) {
  const logs: Log[] = [];
  const ends: number[] = [];
  for await (const page of logsBetween(provider, {}, from, to, range === undefined ? {} : { range })) {
    logs.push(...page.logs);
    ends.push(page.to);
  }
  return { logs, ends };
}

describe("logsBetween", () => {
  it("reads all logs once and in order, however they lie and whatever the node refuses", async () => {
    const densities = fc.array(fc.oneof(fc.constant(0), fc.nat(3), fc.nat(600)), { minLength: 1, maxLength: 120 });
    await fc.assert(
      fc.asyncProperty(densities, fc.integer({ min: 1, max: 40 }), fc.nat(1_000), async (density, range, spare) => {
        const perBlock = (block: number) => density[block - 5] ?? 0;
        const { provider, answers } = nodeOf(perBlock, Math.max(...density) + spare);
        const to = 5 + density.length - 1;
        const { logs, ends } = await read(provider, 5, to, range);
        const expected = density.flatMap((count, i) => Array.from({ length: count }, (_, index) => [5 + i, index]));
        expect(logs.map(({ blockNumber, index }) => [blockNumber, index])).to.deep.equal(expected);
        expect(ends.map((end, i) => end - (ends[i - 1] ?? 4))).to.deep.equal(answers.map(({ blocks }) => blocks));
        expect(Math.max(...answers.map(({ blocks }) => blocks))).to.be.at.most(range);
        expect(ends.at(-1)).to.equal(to);
      }),
      { numRuns: runs(50) },
    );
  });

  it("asks for fewer blocks where logs lie close, and for more where they don't", async () => {
    const { provider, answers } = nodeOf((block) => (block < 10_000 || block >= 10_100 ? 0 : 100));
    await read(provider, 1, 50_000);
    const [crowded, empty] = [answers.filter(({ logs }) => logs > 0), answers.filter(({ logs }) => logs === 0)];
    // All of the crowd comes at once where nothing has foretold it.
    expect(crowded.slice(1).every(({ logs }) => logs <= 1_000)).to.equal(true);
    expect(Math.max(...empty.map(({ blocks }) => blocks))).to.equal(2_000);
    expect(answers.length).to.be.at.most(50_000 / 2_000 + 12);

    const short = nodeOf(() => 1);
    await read(short.provider, 1_000, 1_063);
    expect(short.answers).to.deep.equal([{ blocks: 64, logs: 64 }]);

    const dense = nodeOf(() => 100);
    await read(dense.provider, 1, 500);
    expect(dense.answers.slice(0, 3)).to.deep.equal([
      { blocks: 16, logs: 1_600 },
      { blocks: 10, logs: 1_000 },
      { blocks: 10, logs: 1_000 },
    ]);
  });
});
