import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { type Wallet, ZeroAddress } from "ethers";
import type { Chain } from "../../src/chain/chain.js";
import { turnOf } from "../../src/keeper/funding.js";
import type { ExtendedEvent, FundingEvents, FundingKeeper } from "../../src/keeper/index.js";
import { Status } from "../../src/protocol/index.js";
import { expectError } from "../piece/helpers.js";
import { type DevChain, startDevChain } from "../support/dev-chain.js";
import { bytesOf, Parties, PRICE, startFunding, startProving, step, stepUntil } from "../support/keeping.js";
import { lensSaying } from "../support/lens.js";

type Trouble = FundingEvents["trouble"][0];

describe("FundingKeeper", () => {
  let chain: DevChain;
  let parties: Parties;
  let extended: ExtendedEvent[];
  let trouble: Trouble[];
  let ended: FundingEvents["ended"][0][];
  const stops: (() => Promise<void>)[] = [];

  beforeEach(async () => {
    chain = await startDevChain();
    stops.push(() => chain.stop());
    parties = await Parties.on(chain);
    extended = [];
    trouble = [];
    ended = [];
  });
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  const open = async (...changes: Parameters<Parties["terms"]>[1][]) => {
    const terms = [];
    for (const [i, change] of changes.entries()) {
      terms.push(parties.terms(await parties.pieces.add(bytesOf(i + 1)), change));
    }
    return parties.open(terms);
  };
  const keep = async (options: Omit<Parameters<typeof startFunding>[1], "listen">) => {
    const listen = (keeper: FundingKeeper) => {
      keeper.on("extended", (event) => extended.push(event));
      keeper.on("trouble", (event) => trouble.push(event));
      keeper.on("ended", (event) => ended.push(event));
    };
    const running = await startFunding(chain, { ...options, listen });
    stops.push(running.stop);
    return running;
  };
  const prove = async () => {
    const running = await startProving(parties);
    stops.push(running.stop);
    return running.keeper;
  };
  const view = (id: bigint) => chain.contracts.lens.dealOf(id);
  const codes = () => trouble.map(({ code }) => code);
  const total = (of = extended) => of.reduce((sum, { cost }) => sum + cost, 0n);

  it("keeps a deal alive up to its last possible period, and never further ahead than it should", async () => {
    const [id] = await open({ periods: 6, maxPeriods: 12 });
    const proving = await prove();
    const { keeper, account } = await keep({ deals: [id!], target: 3, budget: 100n * PRICE });
    let most = 0n;
    for (let blocks = 0; ended.length === 0; blocks += 2) {
      if (blocks > 400) throw new Error("the deal never ended");
      await step(chain, 2, proving, keeper);
      const { periods, standing } = await view(id!);
      if (periods > 6n && periods - standing.closed > most) most = periods - standing.closed;
    }
    const deal = await view(id!);
    expect([deal.periods, deal.proven, Number(deal.standing.status)]).to.deep.equal([12n, 12n, Status.Completed]);
    expect(ended).to.deep.equal([{ id, status: Status.Completed }]);
    // A window that is open counts as over.
    expect([3n, 4n]).to.include(most);
    expect(total()).to.equal(6n * PRICE);
    expect(extended.at(-1)).to.include({ id, spent: 6n * PRICE });
    expect(codes()).to.deep.equal(["AT_MAX_PERIODS"]);
    const funded = await chain.contracts.market.queryFilter(
      chain.contracts.market.filters.Extended(id, account.address),
    );
    expect(funded.map(({ args }) => args.periods).reduce((a, b) => a + b)).to.equal(6n);
    expect(keeper.spent).to.equal(6n * PRICE);
  });

  it("stops where the budget ends, also after a restart", async () => {
    const [first, second] = await open({ periods: 6, maxPeriods: 40 }, { periods: 7, maxPeriods: 40 });
    const payer = await chain.account();
    const options = { deals: [first!, second!], target: 9, budget: 4n * PRICE + PRICE / 2n, payer };
    const running = await keep(options);
    await stepUntil(chain, () => codes().includes("BUDGET_EXHAUSTED"), 60, running.keeper);
    expect(total()).to.equal(4n * PRICE);
    await running.stop();
    const again = await keep(options);
    await step(chain, 20, again.keeper);
    expect(total()).to.equal(4n * PRICE);
    expect(again.keeper.spent).to.equal(4n * PRICE);
    expect((await view(first!)).periods + (await view(second!)).periods).to.equal(17n);
  });

  it("uses what lies in the vault before it deposits", async () => {
    const [id] = await open({ periods: 6, maxPeriods: 12 });
    const payer = await chain.account();
    await chain.automine(true);
    const { vault } = chain.contracts;
    await (await vault.connect(payer).deposit(ZeroAddress, payer, 3n * PRICE, { value: 3n * PRICE })).wait();
    await chain.automine(false);
    const { keeper } = await keep({ deals: [id!], target: 8, budget: 100n * PRICE, payer });
    const before = await chain.provider.getBalance(chain.deployment.vault);
    await stepUntil(chain, () => extended.length === 1, 60, keeper);
    expect(extended[0]!.cost).to.be.within(2n * PRICE, 3n * PRICE);
    expect(await vault.balanceOf(payer, 0n)).to.equal(3n * PRICE - extended[0]!.cost);
    expect(await chain.provider.getBalance(chain.deployment.vault)).to.equal(before);
  });

  /** Two accounts whose turns for a deal differ. */
  const rivals = async (id: bigint): Promise<[Wallet, Wallet]> => {
    const one = await chain.account();
    for (;;) {
      const other = await chain.account();
      if (turnOf(one.address, id) !== turnOf(other.address, id)) return [one, other];
    }
  };

  it("takes turns with another one, so that the two don't pay for more than the target", async () => {
    const [id] = await open({ periods: 6, maxPeriods: 20 });
    const proving = await prove();
    const payers = await rivals(id!);
    const keepers: FundingKeeper[] = [];
    for (const payer of payers) {
      keepers.push((await keep({ deals: [id!], target: 8, budget: 100n * PRICE, payer })).keeper);
    }
    for (let blocks = 0; blocks < 100; blocks++) {
      await step(chain, 1, proving, ...keepers);
      const { periods, standing } = await view(id!);
      expect(periods - standing.closed).to.be.lessThanOrEqual(9n);
    }
    expect((await view(id!)).periods).to.be.greaterThan(12n);
    expect(trouble).to.deep.equal([]);
  });

  it("waits for an extension that is on its way, its own from before a restart or another's", async () => {
    const [id] = await open({ periods: 6, maxPeriods: 20 });
    const other = await chain.account();
    await chain.automine(true);
    await (
      await chain.contracts.vault
        .connect(other)
        .depositAndApprove(ZeroAddress, PRICE, chain.deployment.market, { value: PRICE })
    ).wait();
    await chain.automine(false);
    const payer = await chain.account();
    const { firstEpoch } = await view(id!);
    let head = await chain.mine(Number(firstEpoch) - (await chain.provider.getBlockNumber()));
    // In turns of two blocks, four in a row: now it is the keeper's.
    while (Math.floor(head / 2) % 4 !== turnOf(payer.address, id!)) head = await chain.mine();
    await chain.contracts.market.connect(other).extend(id!, 1, PRICE, { gasLimit: 300_000 });
    const { keeper } = await keep({ deals: [id!], target: 6, budget: 100n * PRICE, payer });
    const looked: number[] = [];
    keeper.on("head", ({ number }) => looked.push(number));
    while (looked.length === 0) await sleep(5);
    expect(looked).to.deep.equal([head]);
    expect(BigInt((await chain.provider.send("txpool_status", [])).pending), "the other's alone").to.equal(1n);
    await step(chain, 4, keeper);
    expect((await view(id!)).periods).to.equal(7n);
    expect([extended, trouble]).to.deep.equal([[], []]);
  });

  /** A chain whose lens says something else of deals. */
  const saying = (real: Chain, change: Parameters<typeof lensSaying>[1]): Chain => {
    return { ...real, contracts: { ...real.contracts, lens: lensSaying(real.contracts.lens, change) } };
  };

  it("pays no other price than the one it has read, and tells where that rose meanwhile", async () => {
    const [id] = await open({ periods: 6, maxPeriods: 12 });
    let outdated = true;
    const behind = (real: Chain) => saying(real, () => (outdated ? { price: PRICE - 1n } : {}));
    const { keeper } = await keep({ deals: [id!], target: 8, budget: 2n * PRICE, chain: behind });
    await stepUntil(chain, () => trouble.length > 0, 60, keeper);
    expect(codes()).to.deep.equal(["PRICE_CHANGED"]);
    expect(extended).to.deep.equal([]);
    outdated = false;
    await stepUntil(chain, () => extended.length > 0, 60, keeper);
    expect(total()).to.equal(2n * PRICE);
  });

  it("counts the price of an amendment that waits, which is what more periods cost", async () => {
    const [id] = await open({ periods: 6, maxPeriods: 12 });
    const amended = (real: Chain) =>
      saying(real, ({ revision }) => ({ revision: { ...revision, from: 5n, price: 3n * PRICE } }));
    const { keeper } = await keep({ deals: [id!], target: 8, budget: 4n * PRICE, chain: amended });
    await stepUntil(chain, () => extended.length > 0, 60, keeper);
    // One at three times the price is all that the budget allows; the market takes what it costs.
    expect(extended[0]).to.include({ periods: 1, cost: PRICE });
  });

  it("leaves alone what can't or need not be extended, and says so once", async () => {
    const [ending, over, dear, fine] = await open(
      { periods: 6, maxPeriods: 12, tier: 2 },
      { periods: 6, maxPeriods: 12 },
      { periods: 6, maxPeriods: 12, pricePerPeriod: 50n * PRICE },
      { periods: 6, maxPeriods: 12 },
    );
    await chain.automine(true);
    await (await chain.contracts.market.connect(parties.client).terminate(ending!)).wait();
    await chain.automine(false);
    const { keeper } = await keep({ deals: [ending!, 5n, dear!], target: 8, budget: 10n * PRICE });
    await step(chain, 10, keeper);
    expect(codes().sort()).to.deep.equal(["BUDGET_EXHAUSTED", "UNKNOWN_DEAL"]);
    expect(ended).to.deep.equal([{ id: ending, status: Status.Ending }]);
    trouble.splice(0);
    const token = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
    const wrong = await keep({ deals: [fine!], target: 8, budget: 10n * PRICE, token });
    await step(chain, 4, wrong.keeper);
    expect(codes()).to.deep.equal(["WRONG_TOKEN"]);
    trouble.splice(0);
    ended.splice(0);
    // Nobody proves: a keeper that comes after the default finds nothing to keep.
    await chain.mine(140);
    const late = await keep({ deals: [over!], target: 8, budget: 10n * PRICE });
    await step(chain, 4, late.keeper);
    expect(ended).to.deep.include({ id: over, status: Status.Defaulted });
    expect(extended).to.deep.equal([]);
  });

  it("says where it came too late", async () => {
    const [id] = await open({ periods: 6, maxPeriods: 12 });
    const proving = await prove();
    const { firstEpoch } = await view(id!);
    const last = Number(firstEpoch) + 5 * 16;
    while ((await chain.provider.getBlockNumber()) < last) await step(chain, 2, proving);
    const { keeper } = await keep({ deals: [id!], target: 2, budget: 10n * PRICE });
    await step(chain, 1, proving, keeper);
    expect(codes()).to.deep.equal(["TOO_LATE"]);
    await stepUntil(chain, () => ended.length > 0, 40, proving, keeper);
    expect(ended[0]?.status).to.equal(Status.Completed);
  });

  it("goes on where money is missing, once it is there", async () => {
    const [id] = await open({ periods: 6, maxPeriods: 12 });
    const payer = await chain.account();
    await chain.provider.send("anvil_setBalance", [payer.address, "0x1"]);
    const { keeper } = await keep({ deals: [id!], target: 8, budget: 100n * PRICE, payer });
    await stepUntil(chain, () => trouble.length > 0, 60, keeper);
    expect(extended).to.deep.equal([]);
    await chain.provider.send("anvil_setBalance", [payer.address, "0x56bc75e2d63100000"]);
    await stepUntil(chain, () => extended.length > 0, 60, keeper);
  });

  it("stops at once, though its deposit is in no block", async () => {
    const [id] = await open({ periods: 6, maxPeriods: 12 });
    const { keeper, account, stop } = await keep({ deals: [id!], target: 8, budget: 100n * PRICE });
    const sent = () => chain.provider.getTransactionCount(account.address, "pending");
    while ((await sent()) === 0) await step(chain, 1, keeper);
    const before = performance.now();
    await stop();
    expect(performance.now() - before).to.be.lessThan(5_000);
    expect(trouble).to.deep.equal([]);
  });

  it("refuses targets and budgets that can't be meant", async () => {
    for (const target of [1, 2.5, Number.NaN]) {
      await expectError("INVALID_TARGET", () => keep({ deals: [1n], target, budget: 1n }));
    }
    await expectError("INVALID_BUDGET", () => keep({ deals: [1n], target: 2, budget: 0n }));
  });
});
