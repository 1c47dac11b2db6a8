import { expect } from "chai";
import { toQuantity, ZeroAddress } from "ethers";
import { BlockFollower, type FollowerOptions, type HeadUpdate } from "../../src/chain/follower.js";
import { type DevChain, startDevChain, testLogger } from "../support/dev-chain.js";
import { failure } from "../support/failure.js";
import { nullRoundAt } from "../support/null-rounds.js";

describe("BlockFollower", () => {
  let chain: DevChain;
  let stop: AbortController;

  before(async () => {
    chain = await startDevChain();
    await chain.mine(70);
  });
  after(() => chain.stop());
  beforeEach(() => {
    stop = new AbortController();
  });
  afterEach(() => stop.abort());

  const follow = (options: Partial<FollowerOptions> = {}) =>
    new BlockFollower({ provider: chain.provider, logger: testLogger(), pollMs: 5, ...options });

  async function next(heads: AsyncGenerator<HeadUpdate, void>): Promise<HeadUpdate> {
    const { value } = await heads.next();
    if (!value) throw new Error("no head");
    return value;
  }

  it("gives the present head, then every later one as it comes", async () => {
    const heads = follow().heads(stop.signal);
    const first = await next(heads);
    expect(first.head.number).to.equal(await chain.provider.getBlockNumber());
    expect(first.head.gasLimit).to.equal(30_000_000n);
    const later = next(heads);
    await chain.mine();
    expect((await later).head.number).to.equal(first.head.number + 1);
    await chain.mine(5);
    const skipped = await next(heads);
    expect(skipped.head.number).to.equal(first.head.number + 6);
    expect(skipped.ancestor).to.equal(undefined);
  });

  for (const depth of [1, 3]) {
    it(`says which blocks a reorganisation of depth ${depth} left`, async () => {
      const heads = follow().heads(stop.signal);
      let { head } = await next(heads);
      for (let i = 0; i < 4; i++) {
        await chain.mine();
        ({ head } = await next(heads));
      }
      await chain.provider.send("anvil_reorg", [depth, []]);
      await chain.mine();
      const after = await next(heads);
      expect(after.ancestor).to.equal(head.number - depth);
      const calm = next(heads);
      await chain.mine();
      expect((await calm).ancestor).to.equal(undefined);
    });
  }

  it("goes on after a reorganisation that left an epoch without a block", async () => {
    const first = await chain.mine();
    const provider = nullRoundAt(chain.provider, first + 1);
    const heads = follow({ provider }).heads(stop.signal);
    expect((await next(heads)).head.number).to.equal(first);
    await chain.mine();
    expect((await next(heads)).head.number).to.equal(first + 1);
    await chain.provider.send("anvil_reorg", [1, []]);
    await chain.mine();
    expect((await next(heads)).ancestor).to.equal(first);
  });

  it("takes nothing for granted after a reorganisation deeper than it remembers", async () => {
    const heads = follow({ depth: 2 }).heads(stop.signal);
    const seen: number[] = [];
    for (let i = 0; i < 4; i++) {
      seen.push((await next(heads)).head.number);
      await chain.mine();
    }
    await chain.provider.send("anvil_reorg", [6, []]);
    const { ancestor } = await next(heads);
    expect(ancestor).to.equal(seen.at(-2)! - 1);
  });

  it("waits for a node that has fallen behind, and takes its shorter chain for no reorganisation", async () => {
    let behind: string | undefined;
    const provider = new Proxy(chain.provider, {
      get(target, name) {
        if (name === "getBlock") {
          return (tag: string | number) => target.getBlock(tag === "latest" && behind ? behind : tag);
        }
        const value = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const heads = follow({ provider }).heads(stop.signal);
    const first = await next(heads);
    await chain.mine();
    await next(heads);
    behind = toQuantity(first.head.number);
    const waiting = next(heads);
    await chain.mine();
    behind = undefined;
    expect(await waiting).to.deep.include({ head: { ...(await waiting).head, number: first.head.number + 2 } });
    expect((await waiting).ancestor).to.equal(undefined);
  });

  it("goes on after the node failed to answer", async () => {
    let failures = 3;
    const provider = new Proxy(chain.provider, {
      get(target, name) {
        if (name === "getBlock" && failures-- > 0) return () => Promise.reject(new Error("503"));
        const value = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    await next(follow({ provider }).heads(stop.signal));
    expect(failures).to.be.lessThan(0);
  });

  it("ends without an error when stopped", async () => {
    const heads = follow().heads(stop.signal);
    await next(heads);
    const end = heads.next();
    stop.abort();
    expect((await end).done).to.equal(true);
  });

  it("reads logs in bounded ranges, and smaller ones where the node refuses", async () => {
    const account = await chain.account();
    const vault = chain.contracts.vault.connect(account);
    const from = (await chain.provider.getBlockNumber()) + 1;
    for (let i = 1; i <= 5; i++) {
      await (await vault.deposit(ZeroAddress, account.address, i, { value: i })).wait();
      await chain.mine(3);
    }
    const to = await chain.provider.getBlockNumber();
    const ranges: number[] = [];
    const provider = new Proxy(chain.provider, {
      get(target, name) {
        if (name === "getLogs") {
          return (filter: { fromBlock: number; toBlock: number }) => {
            if (filter.toBlock - filter.fromBlock > 3) return Promise.reject(new Error("range too large"));
            ranges.push(filter.toBlock - filter.fromBlock + 1);
            return target.getLogs(filter);
          };
        }
        const value = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const filter = { address: chain.deployment.vault, topics: [vault.interface.getEvent("Deposited").topicHash] };
    const amounts: bigint[] = [];
    const ends: number[] = [];
    for await (const { logs, to: end } of follow({ provider, logRange: 16 }).logs(filter, from, to, stop.signal)) {
      ends.push(end);
      for (const log of logs) amounts.push(vault.interface.decodeEventLog("Deposited", log.data, log.topics)[3]);
    }
    expect(amounts).to.deep.equal([1n, 2n, 3n, 4n, 5n]);
    expect(Math.max(...ranges)).to.equal(4);
    expect(ranges.reduce((sum, range) => sum + range)).to.equal(to - from + 1);
    expect(ends.map((end, i) => end - (ends[i - 1] ?? from - 1))).to.deep.equal(ranges);
    expect(ends.at(-1)).to.equal(to);
  });

  it("fails where a single block's logs are refused", async () => {
    const provider = new Proxy(chain.provider, {
      get: (target, name) =>
        name === "getLogs" ? () => Promise.reject(new Error("gone")) : Reflect.get(target, name, target),
    });
    const logs = follow({ provider }).logs({}, 1, 9, stop.signal);
    expect((await failure(logs.next())).message).to.equal("gone");
  });
});
