import { expect } from "chai";
import { type DutyRef, nextDuty, type ProvingKeeper } from "../../src/keeper/index.js";
import { Status } from "../../src/protocol/index.js";
import { DatabaseDuties } from "../../src/store/database/index.js";
import type { Database } from "../../src/store/database/open-node.js";
import { describeDatabases } from "../support/databases.js";
import { type DevChain, startDevChain } from "../support/dev-chain.js";
import { bytesOf, Parties, startProving, step, stepTo } from "../support/keeping.js";

const TIER = { period: 24, window: 12, challenges: 2, maxMisses: 4 };

describe("nextDuty", () => {
  const deal = { firstEpoch: 100, periods: 3, lastProven: 0, standing: { status: Status.Open } };
  type Known = Parameters<typeof nextDuty>[0];
  const next = (head: number, changes = {}) => {
    const duty = nextDuty({ ...deal, ...changes } as Known, TIER, head);
    return duty && [duty.window, duty.epoch, duty.lastBlock];
  };

  it("is known long before its block, until its last proof could be sent", () => {
    for (const head of [1, 99, 100, 111]) expect(next(head)).to.deep.equal([1, 100, 112]);
    for (const head of [112, 113, 124, 135]) expect(next(head)).to.deep.equal([2, 124, 136]);
  });

  it("is the one after what is proven, and none after the last, or the end", () => {
    expect(next(105, { lastProven: 1 })).to.deep.equal([2, 124, 136]);
    expect(next(150, { lastProven: 3 })).to.equal(undefined);
    expect(next(160)).to.equal(undefined);
    expect(next(1, { standing: { status: Status.Defaulted } })).to.equal(undefined);
  });
});

describeDatabases("Misses that nobody saw", (databases) => {
  let chain: DevChain;
  let parties: Parties;
  let database: Database;
  let told: DutyRef[];
  const stops: (() => Promise<void>)[] = [];

  beforeEach(async () => {
    chain = await startDevChain({ tiers: [TIER] });
    stops.push(() => chain.stop());
    parties = await Parties.on(chain);
    database = await databases.empty();
    told = [];
  });
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  /** Runs a keeper for as long as something is done with it; by default one that remembers in the database. */
  async function during(act: (keeper: ProvingKeeper) => Promise<void>, remembers = true): Promise<void> {
    const { chainId, market } = chain.deployment;
    const scope = { chainId, market, provider: parties.provider.address };
    const duties = remembers ? { duties: new DatabaseDuties(database, scope) } : {};
    const listen = (keeper: ProvingKeeper) => keeper.on("missed", (miss) => told.push(miss));
    const { keeper, stop } = await startProving(parties, { ...duties, listen });
    await act(keeper);
    await stop();
  }

  async function opened(count: number): Promise<{ ids: bigint[]; end: (window: number) => number }> {
    const terms = [];
    for (let i = 0; i < count; i++) terms.push(parties.terms(await parties.pieces.add(bytesOf(i)), { periods: 8 }));
    const ids = await parties.open(terms);
    const { firstEpoch } = await chain.contracts.lens.dealOf(ids[0]!);
    return { ids, end: (window) => Number(firstEpoch) + (window - 1) * TIER.period + TIER.window };
  }

  const mineTo = async (block: number) => chain.mine(block - (await chain.provider.getBlockNumber()));
  const windowsOf = (id: bigint) => told.filter((miss) => miss.id === id).map(({ window }) => window);

  it("are told of at the next start, each once, whatever is started again", async function () {
    this.timeout(60_000);
    const { ids, end } = await opened(2);
    const [kept, lost] = ids as [bigint, bigint];
    parties.pieces.lose(await parties.pieces.add(bytesOf(1)));
    await during((keeper) => stepTo(chain, end(1) + 2, keeper));
    expect(told).to.deep.equal([{ id: lost, window: 1 }]);
    // Nobody runs in the second window. In the third somebody proves that keeps no books.
    await mineTo(end(2) + 2);
    await during((keeper) => stepTo(chain, end(3) - 1, keeper), false);
    expect(told, "what was before it is not its to tell").to.have.length(1);
    await mineTo(end(3) + 2);
    for (let start = 0; start < 3; start++) await during((keeper) => step(chain, 2, keeper));
    await during((keeper) => stepTo(chain, end(3) + 4, keeper));
    expect(windowsOf(kept)).to.deep.equal([2]);
    expect(windowsOf(lost)).to.deep.equal([1, 2, 3]);
  });

  it("are told of by windows, where others in between were proven and nothing was noted", async function () {
    this.timeout(60_000);
    const { ids, end } = await opened(1);
    for (const window of [1, 3]) {
      await during((keeper) => stepTo(chain, end(window) - 1, keeper), false);
      await mineTo(end(window + 1) + 1);
    }
    await during((keeper) => stepTo(chain, end(4) + 3, keeper));
    expect(windowsOf(ids[0]!)).to.deep.equal([2, 4]);
  });

  it("are told of where the head jumps over whole windows", async function () {
    this.timeout(60_000);
    const { ids, end } = await opened(1);
    await during(async (keeper) => {
      await step(chain, 2, keeper);
      await mineTo(end(2) + 2);
      await stepTo(chain, end(2) + 4, keeper);
    });
    expect(windowsOf(ids[0]!)).to.deep.equal([1, 2]);
  });

  it("are told of once where a reorganisation takes them back and brings them again", async function () {
    this.timeout(60_000);
    const { ids, end } = await opened(1);
    parties.pieces.lose(await parties.pieces.add(bytesOf(0)));
    await during(async (keeper) => {
      await stepTo(chain, end(1) + 1, keeper);
      for (const depth of [3, 5]) {
        await chain.provider.send("anvil_reorg", [depth, []]);
        await stepTo(chain, end(1) + depth, keeper);
      }
      await stepTo(chain, end(2) + 1, keeper);
    });
    expect(windowsOf(ids[0]!)).to.deep.equal([1, 2]);
  });
});
