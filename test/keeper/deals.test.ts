import { expect } from "chai";
import { type ContractRunner, hexlify } from "ethers";
import type { Chain } from "../../src/chain/chain.js";
import { BlockFollower } from "../../src/chain/follower.js";
import type { HoldfastError } from "../../src/errors.js";
import { DealBook, readDeals } from "../../src/keeper/deals.js";
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

  it("reads what the lens says of each deal, and leaves out those that do not exist", async () => {
    await chain.automine(true);
    const parties = await Parties.on(chain);
    const commitments = await Promise.all([11, 12, 13].map((number) => parties.pieces.add(bytesOf(number))));
    const terms = commitments.map((commitment, i) => parties.terms(commitment, { tier: i, periods: 6 + i }));
    const ids = await parties.open(terms);
    const asked = [ids[0]!, 7n, ids[1]!, ids[2]!];
    const { contracts } = chain;
    const deals = await readDeals({ contracts } as Chain, asked, signal);
    expect(deals.map((deal) => deal.id)).to.deep.equal(ids);
    for (const [i, deal] of deals.entries()) {
      const view = await contracts.lens.dealOf(ids[i]!);
      expect(hexlify(deal.root)).to.equal(terms[i]!.root);
      for (const name of ["owner", "provider", "leafCount", "token", "price", "collateral", "successor"] as const) {
        expect(deal[name]).to.equal(view[name]);
      }
      for (const name of [
        "tier",
        "firstEpoch",
        "periods",
        "maxPeriods",
        "lastProven",
        "demandMisses",
        "paidWindows",
        "stage",
      ] as const) {
        expect(deal[name]).to.equal(Number(view[name]));
      }
      const { closed, open, provenClosed, missed, allowance, status } = view.standing;
      const standing = { closed, open, provenClosed, missed, allowance, status };
      expect(deal.standing).to.deep.equal(
        Object.fromEntries(Object.entries(standing).map(([name, value]) => [name, Number(value)])),
      );
    }
  });

  it("takes no answer for deals that has another number of them", async () => {
    const { lens } = chain.contracts;
    for (const wrong of [["0x"], ["one"], ["one", "one", "one"]]) {
      const answer = wrong[0] === "0x" ? "0x" : await listOf(wrong.length);
      const runner = { call: async () => answer, provider: chain.provider };
      const contracts = { ...chain.contracts, lens: lens.connect(runner as unknown as ContractRunner) };
      const { code } = (await failure(readDeals({ contracts } as Chain, [id, id], signal))) as HoldfastError;
      expect(code).to.equal("BAD_ANSWER");
    }
  });

  async function listOf(count: number): Promise<string> {
    const { lens } = chain.contracts;
    const call = await lens.dealsOf.populateTransaction(Array.from({ length: count }, () => id));
    return chain.provider.call(call);
  }
});
