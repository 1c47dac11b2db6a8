import { expect } from "chai";
import { BlockFollower } from "../../src/chain/follower.js";
import { DealBook } from "../../src/keeper/deals.js";
import { type DevChain, startDevChain, testLogger } from "../support/dev-chain.js";
import { failure } from "../support/failure.js";
import { bytesOf, Parties } from "../support/keeping.js";

interface Range {
  readonly fromBlock: number;
  readonly toBlock: number;
}

describe("DealBook", () => {
  const { signal } = new AbortController();
  let chain: DevChain;
  let id: bigint;
  let opened: number;
  /** What was asked of the node, and what it makes of it. */
  let asked: Range[];
  let answer: (range: Range) => Range | Error;

  before(async () => {
    chain = await startDevChain();
    const parties = await Parties.on(chain);
    id = (await parties.open([parties.terms(await parties.pieces.add(bytesOf(1)))]))[0] as bigint;
    opened = await chain.provider.getBlockNumber();
    await chain.mine(100);
  });
  after(() => chain.stop());
  beforeEach(() => {
    asked = [];
    answer = (range) => range;
  });

  const book = () => {
    const provider = new Proxy(chain.provider, {
      get(target, name) {
        if (name === "getLogs") {
          return async (filter: Range) => {
            asked.push({ fromBlock: filter.fromBlock, toBlock: filter.toBlock });
            const range = answer(filter);
            if (range instanceof Error) throw range;
            return target.getLogs({ ...filter, ...range });
          };
        }
        const value = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const { deployment, contracts } = chain;
    const follower = new BlockFollower({ provider, logger: testLogger(), logRange: 10 });
    return new DealBook({ provider, deployment, contracts, follower });
  };
  const headAt = (number: number) => ({ head: { number, hash: "", timestamp: 0, gasLimit: 0n } });

  it("goes on where a node broke off, and does not begin again", async () => {
    const deals = book();
    const start = chain.deployment.block;
    answer = (range) => (range.fromBlock > start + 40 ? new Error("503") : range);
    expect((await failure(deals.sync(headAt(opened + 100), signal))).message).to.equal("503");
    const reached = Math.max(...asked.filter(({ fromBlock }) => fromBlock <= start + 40).map(({ toBlock }) => toBlock));
    asked = [];
    answer = (range) => range;
    await deals.sync(headAt(opened + 100), signal);
    expect(asked[0]?.fromBlock).to.equal(reached + 1);
    expect([...deals.ids]).to.deep.equal([id]);
  });

  it("finds a deal in blocks that the node which was asked for logs did not have yet", async () => {
    const deals = book();
    answer = ({ fromBlock, toBlock }) => ({ fromBlock, toBlock: Math.min(toBlock, opened - 1) });
    await deals.sync(headAt(opened - 1), signal);
    answer = ({ fromBlock }) => ({ fromBlock: Math.min(fromBlock, opened - 1), toBlock: opened - 1 });
    await deals.sync(headAt(opened + 1), signal);
    expect([...deals.ids]).to.deep.equal([]);
    answer = (range) => range;
    await deals.sync(headAt(opened + 2), signal);
    expect([...deals.ids]).to.deep.equal([id]);
  });

  it("reads recent blocks again, and no older ones", async () => {
    const deals = book();
    await deals.sync(headAt(opened + 60), signal);
    asked = [];
    await deals.sync(headAt(opened + 61), signal);
    expect(asked[0]?.fromBlock).to.equal(opened + 60 - 32 + 1);
  });
});
