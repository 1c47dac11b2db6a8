import { expect } from "chai";
import { toQuantity } from "ethers";
import type { Candidate, SettledEvent, SettleEconomics, WatchingKeeper } from "../../src/keeper/index.js";
import { worthOf } from "../../src/keeper/index.js";
import { windowOf } from "../../src/protocol/index.js";
import { type DevChain, startDevChain } from "../support/dev-chain.js";
import { bytesOf, COIN, COLLATERAL, Parties, pendingOn, startWatching, step } from "../support/keeping.js";
import { startRpcProxy } from "../support/rpc-proxy.js";
import { until } from "../support/running.js";

/** 5 % of a sixth of the collateral, and what the operator says that it is worth. */
const BOUNTY = COLLATERAL / 6n / 20n;
const PRICES: SettleEconomics["prices"] = new Map([[COIN, { wei: 10n ** 13n, units: 1n }]]);
const WORTH = BOUNTY * 10n ** 13n;
const GWEI = 10n ** 9n;
const TIER = { period: 64, window: 8, challenges: 1, maxMisses: 6 };
/** What anvil advises. */
const PRIORITY = GWEI;
const HIGH = 1_000n * GWEI;

describe("WatchingKeeper with economics", () => {
  let chain: DevChain;
  let parties: Parties;
  let settled: SettledEvent[];
  const stops: (() => Promise<void>)[] = [];

  beforeEach(async () => {
    // Windows far apart, so that what is due is that of one.
    chain = await startDevChain({ tiers: [TIER] });
    stops.push(() => chain.stop());
    parties = await Parties.on(chain);
    settled = [];
  });
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  /** Deals of a provider that never proves, at the head at which their first window can be settled, at a high fee. */
  async function missed(count: number): Promise<bigint[]> {
    const terms = [];
    for (let i = 0; i < count; i++) terms.push(parties.terms(await parties.pieces.add(bytesOf(i))));
    const ids = await parties.open(terms);
    const { firstEpoch } = await chain.contracts.lens.dealOf(ids.at(-1)!);
    const { lastBlock } = windowOf(Number(firstEpoch), TIER, 1);
    await chain.mine(lastBlock + chain.deployment.challengeFinality - (await chain.provider.getBlockNumber()));
    await stepAt(HIGH, 1);
    return ids;
  }

  /** Blocks whose gas costs so much in all, each looked at. */
  async function stepAt(fee: bigint, blocks: number, ...keepers: readonly WatchingKeeper[]): Promise<void> {
    for (let i = 0; i < blocks; i++) {
      await chain.provider.send("anvil_setNextBlockBaseFeePerGas", [toQuantity(fee - PRIORITY)]);
      await step(chain, 1, ...keepers);
    }
  }

  async function watch(options: Partial<Parameters<typeof startWatching>[1]> & { marginPercent?: number } = {}) {
    const { marginPercent = 0, ...rest } = options;
    const listen = (keeper: WatchingKeeper) => keeper.on("settled", (event) => settled.push(event));
    const economics = { prices: PRICES, marginPercent };
    // One that has something in the vault already, or its first bounty takes more gas than the next.
    const bountyTo = parties.client.address;
    const watching = await startWatching(chain, { listen, economics, bountyTo, ...rest });
    stops.push(watching.stop);
    return watching;
  }

  const gasOf = (ids: readonly bigint[]) => chain.contracts.market.settle.estimateGas([...ids], parties.client.address);

  it("waits until fees have fallen to where the bounty pays for the gas, and asks little meanwhile", async () => {
    const [id] = await missed(1);
    const proxy = await startRpcProxy(chain.anvil.url, () => undefined);
    stops.push(() => proxy.stop());
    const { keeper } = await watch({ url: proxy.url });
    await stepAt(HIGH, 2, keeper);
    const estimates = () => proxy.asked.filter((method) => method === "eth_estimateGas").length;
    const before = estimates();
    await stepAt(HIGH, 4, keeper);
    expect(estimates() - before, "nothing has changed").to.equal(0);
    const breakEven = WORTH / (await gasOf([id!]));
    await stepAt(breakEven + breakEven / 50n, 3, keeper);
    expect(settled).to.deep.equal([]);
    await stepAt(breakEven - breakEven / 50n, 3, keeper);
    expect(settled.map((event) => event.id)).to.deep.equal([id]);
    const { gasUsed } = (await chain.provider.getTransactionReceipt(settled[0]!.hash))!;
    expect(gasUsed * (breakEven - breakEven / 50n) < WORTH, "it paid").to.equal(true);
  });

  it("settles together what pays together, and not what pays alone no more", async () => {
    const ids = await missed(6);
    const [alone, together] = [WORTH / (await gasOf(ids.slice(0, 1))), (6n * WORTH) / (await gasOf(ids))];
    expect(together > (alone * 110n) / 100n, "a batch is cheaper").to.equal(true);
    const fee = (alone + together) / 2n;
    const only = await watch({ policy: ({ deal }: Candidate) => deal.id === ids[0] });
    await stepAt(fee, 3, only.keeper);
    expect(settled).to.deep.equal([]);
    await only.stop();
    stops.pop();
    const { keeper } = await watch();
    await stepAt(fee, 4, keeper);
    expect(new Set(settled.map(({ id }) => id))).to.deep.equal(new Set(ids));
    expect(new Set(settled.map(({ hash }) => hash)).size).to.equal(1);
  });

  it("sends several batches that pay into one block", async () => {
    const ids = await missed(6);
    await chain.provider.send("anvil_setNextBlockBaseFeePerGas", [toQuantity(GWEI)]);
    await chain.mine(1);
    await watch({ batchSize: 2 });
    await until(async () => (await pendingOn(chain)) === 3);
    await chain.mine(1);
    await until(async () => settled.length === 6);
    expect(settled.map(({ id }) => id)).to.have.members(ids);
    expect(new Set(settled.map(({ hash }) => hash)).size).to.equal(3);
    expect(new Set(settled.map(({ block }) => block)).size).to.equal(1);
  });

  it("wants as much more as the operator says, or takes less", async () => {
    const [id] = await missed(1);
    const breakEven = WORTH / (await gasOf([id!]));
    const careful = await watch({ marginPercent: 50 });
    await stepAt((breakEven * 3n) / 4n, 3, careful.keeper);
    expect(settled).to.deep.equal([]);
    await careful.stop();
    stops.pop();
    const { keeper } = await watch({ marginPercent: -50 });
    await stepAt((breakEven * 7n) / 4n, 3, keeper);
    expect(settled.map((event) => event.id)).to.deep.equal([id]);
  });

  it("does not pay for what somebody else has settled meanwhile", async () => {
    const ids = await missed(3);
    const { keeper, account } = await watch();
    await stepAt(HIGH, 2, keeper);
    await chain.automine(true);
    await (await chain.contracts.market.connect(parties.client).settle(ids, parties.client.address)).wait();
    await chain.automine(false);
    await stepAt(2n * GWEI, 3, keeper);
    expect(settled).to.deep.equal([]);
    expect(await chain.provider.getTransactionCount(account.address)).to.equal(0);
  });

  it("leaves alone what the operator has no price for", async () => {
    await missed(1);
    const { keeper } = await watch({ economics: { prices: new Map() } });
    await stepAt(2n * GWEI, 3, keeper);
    expect(settled).to.deep.equal([]);
  });

  it("counts in the operator's prices, rounded down", () => {
    const prices = new Map([["0xUsd", { wei: 10n ** 18n, units: 2_500n * 10n ** 6n }]]);
    const candidate = (token: string, bounty: bigint) => ({ deal: { token }, due: { bounty } }) as Candidate;
    expect(worthOf(candidate("0xUsd", 5_000_000n), { prices })).to.equal(2n * 10n ** 15n);
    expect(worthOf(candidate("0xUsd", 1n), { prices: new Map([["0xUsd", { wei: 1n, units: 2n }]]) })).to.equal(0n);
    expect(worthOf(candidate("0xOther", 5_000_000n), { prices })).to.equal(0n);
  });
});
