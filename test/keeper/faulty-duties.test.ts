import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import type { DutyRef } from "../../src/keeper/index.js";
import { DatabaseDuties } from "../../src/store/database/index.js";
import type { Database } from "../../src/store/database/open-node.js";
import type { Duties } from "../../src/store/duties.js";
import { describeDatabases } from "../support/databases.js";
import { type DevChain, startDevChain } from "../support/dev-chain.js";
import { bytesOf, Parties, startProving, stepTo } from "../support/keeping.js";

const TIER = { period: 40, window: 24, challenges: 2, maxMisses: 4 };
const DEALS = 5;
const WINDOWS = 2;

/** What goes wrong with one question to the duties: before anything is done, or the answer is lost. */
type Fault = "before" | "after";

describeDatabases("A keeper whose duties fail it", (databases) => {
  let chain: DevChain;
  let parties: Parties;
  let database: Database;
  let scope: ConstructorParameters<typeof DatabaseDuties>[1];
  const stops: (() => Promise<void>)[] = [];

  beforeEach(async () => {
    chain = await startDevChain({ tiers: [TIER] });
    stops.push(() => chain.stop());
    parties = await Parties.on(chain);
    database = await databases.empty();
    const { chainId, market } = chain.deployment;
    scope = { chainId, market, provider: parties.provider.address };
  });
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  /** Real duties, with something that happens around each question to them. */
  function around(act: (method: string, args: unknown[], ask: () => Promise<unknown>) => Promise<unknown>): Duties {
    return new Proxy(new DatabaseDuties(database, scope), {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => act(String(name), args, () => value.apply(target, args) as Promise<unknown>);
      },
    });
  }

  /** Duties of which questions of one kind fail, as often as it says. */
  function faulty(method: keyof Duties, fault: Fault, times: number): { duties: Duties; struck: () => number } {
    let left = times;
    const duties = around(async (name, _, ask) => {
      const strikes = name === method && left > 0;
      if (strikes) left--;
      if (strikes && fault === "before") throw new Error(`${method} failed`);
      const answer = await ask();
      if (strikes) throw new Error(`the answer to ${method} was lost`);
      return answer;
    });
    return { duties, struck: () => times - left };
  }

  /** Has a keeper prove some deals for two windows; gives what it missed, and how often each window was proven. */
  async function proveAll(duties: Duties): Promise<{ missed: DutyRef[]; proven: Map<string, number> }> {
    const terms = [];
    for (let i = 0; i < DEALS; i++) terms.push(parties.terms(await parties.pieces.add(bytesOf(i)), { periods: 8 }));
    const ids = await parties.open(terms);
    const { firstEpoch } = await chain.contracts.lens.dealOf(ids[0]!);
    const missed: DutyRef[] = [];
    const listen: NonNullable<Parameters<typeof startProving>[1]>["listen"] = (keeper) =>
      keeper.on("missed", (miss) => missed.push(miss));
    const { keeper, stop } = await startProving(parties, { duties, portion: 2, listen });
    await stepTo(chain, Number(firstEpoch) + (WINDOWS - 1) * TIER.period + TIER.window + 2, keeper);
    await stop();
    const events = await chain.contracts.market.queryFilter(chain.contracts.market.filters.Proven());
    const proven = new Map<string, number>();
    for (const { args } of events) proven.set(`${args[0]} ${args[1]}`, (proven.get(`${args[0]} ${args[1]}`) ?? 0) + 1);
    return { missed, proven };
  }

  for (const [method, fault, times] of [
    ["claim", "after", 1],
    ["claim", "before", 1_000],
    ["claim", "after", 1_000],
    ["held", "before", 3],
    ["done", "before", 2],
    ["done", "after", 2],
    ["draw", "after", 2],
    ["plan", "before", 1],
    ["plan", "after", 1],
    ["draw", "before", 1_000],
    ["resume", "before", 1_000],
    ["finished", "before", 3],
    ["finished", "before", 1_000],
    ["beat", "before", 3],
    ["missesTold", "before", 2],
  ] as const) {
    it(`proves every window, once, where ${method} fails ${fault} it is done, ${times} times at most`, async function () {
      this.timeout(90_000);
      const { duties, struck } = faulty(method, fault, times);
      const { missed, proven } = await proveAll(duties);
      expect(struck()).to.be.greaterThan(0);
      expect(missed).to.deep.equal([]);
      expect(proven.size).to.equal(DEALS * WINDOWS);
      expect([...proven.values()].every((count) => count === 1)).to.equal(true);
    });
  }

  it("proves every window, once, where none of its questions is answered, and says that it is not well", async function () {
    this.timeout(90_000);
    let looks = 0;
    const duties = around(async (method) => {
      if (method === "plan") looks++;
      throw new Error(`${method} failed`);
    });
    const [id] = await parties.open([parties.terms(await parties.pieces.add(bytesOf(1)), { periods: 8 })]);
    const { firstEpoch } = await chain.contracts.lens.dealOf(id!);
    const [missed, heads]: [DutyRef[], number[]] = [[], []];
    const { keeper, stop } = await startProving(parties, {
      duties,
      listen: (one) => one.on("missed", (miss) => missed.push(miss)).on("head", ({ number }) => heads.push(number)),
    });
    const last = Number(firstEpoch) + (WINDOWS - 1) * TIER.period + TIER.window + 2;
    while ((await chain.provider.getBlockNumber()) < last) {
      const before = looks;
      await chain.mine();
      // It tries thrice at each head, and begins what is due each time.
      while (looks < before + 3) await sleep(5);
      await sleep(30);
      while (keeper.inFlight > 0 && (await chain.provider.send("txpool_status", [])).pending === "0x0") await sleep(5);
    }
    await stop();
    expect(missed).to.deep.equal([]);
    expect(heads, "it has come to the end of none").to.deep.equal([]);
    const events = await chain.contracts.market.queryFilter(chain.contracts.market.filters.Proven(id!));
    expect(events.map(({ args }) => Number(args[1]))).to.deep.equal([1, 2]);
  });

  it("proves every window where another worker takes an epoch for another block's, and is gone", async function () {
    this.timeout(90_000);
    const misled = new Set<number>();
    const duties = around(async (method, [epoch], ask) => {
      const answer = await ask();
      if (method !== "draw" || misled.has(epoch as number)) return answer;
      misled.add(epoch as number);
      await new DatabaseDuties(database, scope).draw(epoch as number, `0x${"00".repeat(32)}`);
      return answer;
    });
    const { missed, proven } = await proveAll(duties);
    expect(misled.size).to.be.greaterThan(1);
    expect(missed).to.deep.equal([]);
    expect(proven.size).to.equal(DEALS * WINDOWS);
  });
});
