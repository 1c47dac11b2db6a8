import { expect } from "chai";
import { ChainError } from "../../src/chain/errors.js";
import { calldataLimitOf } from "../../src/chain/limits.js";
import { batchLimits, ProofBatcher, sendSplitting, sideBySide } from "../../src/keeper/batches.js";
import { packProofs } from "../../src/protocol/index.js";
import { StorageMarket__factory } from "../../typechain-types/index.js";
import { failure } from "../support/failure.js";

const market = StorageMarket__factory.createInterface();

function batchesOf(nodes: readonly number[], limits: { calldata: number; gas: number }): Uint8Array[][] {
  const batcher = new ProofBatcher<{ proof: Uint8Array }>(limits);
  const batches = [];
  for (const count of nodes) {
    const full = batcher.add({ proof: new Uint8Array(32 * count) });
    if (full !== undefined) batches.push(full);
  }
  const rest = batcher.take();
  if (rest.length > 0) batches.push(rest);
  expect(batcher.take()).to.deep.equal([]);
  return batches.map((batch) => batch.map(({ proof }) => proof));
}

function calldataOf(proofs: readonly Uint8Array[]): number {
  return (market.encodeFunctionData("proveMany", [proofs.map(() => 1n), packProofs(proofs)]).length - 2) / 2;
}

describe("ProofBatcher", () => {
  it("fills transactions up to the bytes that the chain takes, and never beyond", () => {
    const nodes = Array.from({ length: 300 }, (_, i) => 60 + (i % 40));
    const calldata = 120 * 1024;
    const batches = batchesOf(nodes, { calldata, gas: 1e9 });
    expect(batches.flat().map((proof) => proof.length / 32)).to.deep.equal(nodes);
    for (const batch of batches) expect(calldataOf(batch)).to.be.at.most(calldata);
    for (const batch of batches.slice(0, -1)) expect(calldataOf(batch)).to.be.greaterThan(calldata - 100 * 32 - 34);
  });

  it("fills them up to the gas that a transaction may take", () => {
    const batches = batchesOf(Array(100).fill(4), { calldata: 1e6, gas: 1_000_000 });
    expect(batches.length).to.be.greaterThan(5);
    expect(batches.flat().length).to.equal(100);
  });

  it("sends a proof alone that is over the limits by itself", () => {
    expect(batchesOf([50, 5_000, 50], { calldata: 10_000, gas: 1e9 }).map((batch) => batch.length)).to.deep.equal([
      1, 1, 1,
    ]);
  });

  it("takes a share of the block, but never more than a transaction may have", () => {
    expect(batchLimits(30_000_000n, 0.25, calldataLimitOf(1))).to.deep.equal({ calldata: 122_880, gas: 7_500_000 });
    expect(batchLimits(10_000_000_000n, 0.5, 65_536)).to.deep.equal({ calldata: 65_536, gas: 2 ** 24 });
  });

  it("takes what the chain's nodes take: half as much on Filecoin as elsewhere", () => {
    for (const chainId of [314, 314_159, 31_415_926]) expect(calldataLimitOf(chainId)).to.equal(56 * 1024);
    for (const chainId of [1, 8_453, 31_337]) expect(calldataLimitOf(chainId)).to.equal(120 * 1024);
  });
});

describe("sendSplitting", () => {
  const refusal = (failure: "hopeless" | "retry") => new ChainError("REVERTED", "no", "", failure, undefined);

  it("finds the one that can't be sent, and sends the others", async () => {
    const sent: number[] = [];
    const refused: number[] = [];
    const send = async (items: readonly number[]) => {
      if (items.includes(5)) throw refusal("hopeless");
      sent.push(...items);
    };
    await sendSplitting([1, 2, 3, 4, 5, 6, 7], send, (items) => refused.push(...items));
    expect(sent).to.deep.equal([1, 2, 3, 4, 6, 7]);
    expect(refused).to.deep.equal([5]);
  });

  it("does not split where the way to the chain is the trouble", async () => {
    let tries = 0;
    const refused: number[] = [];
    const send = async () => {
      tries++;
      throw refusal("retry");
    };
    await sendSplitting([1, 2, 3], send, (items) => refused.push(...items));
    expect(tries).to.equal(1);
    expect(refused).to.deep.equal([1, 2, 3]);
  });
});

describe("sideBySide", () => {
  const ends: (() => void)[] = [];
  const act = (log: number[]) => (one: number) => {
    log.push(one);
    return new Promise<void>((resolve) => ends.push(resolve));
  };
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const numbers = async function* () {
    yield* [1, 2, 3, 4, 5];
  };

  for (const [what, all] of [
    ["a list", () => [1, 2, 3, 4, 5].values()],
    ["what comes one by one", numbers],
  ] as const) {
    it(`does so many at a time, and the next when one has ended: ${what}`, async () => {
      const begun: number[] = [];
      const done = sideBySide(all(), 3, act(begun));
      await turn();
      expect(begun).to.deep.equal([1, 2, 3]);
      ends.splice(1, 1)[0]!();
      await turn();
      expect(begun).to.deep.equal([1, 2, 3, 4]);
      while (ends.length > 0) {
        ends.shift()!();
        await turn();
      }
      await done;
      expect(begun).to.deep.equal([1, 2, 3, 4, 5]);
    });
  }

  it("waits for what was begun where one fails, and then says so", async () => {
    const done: number[] = [];
    const failing = sideBySide([1, 2, 3].values(), 2, async (one) => {
      if (one === 1) throw new Error("no");
      await turn();
      done.push(one);
    });
    expect((await failure(failing)).message).to.equal("no");
    expect(done).to.deep.equal([2, 3]);
  });
});
