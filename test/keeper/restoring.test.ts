import { expect } from "chai";
import type { TransactionRequest } from "ethers";
import type { Chain } from "../../src/chain/chain.js";
import { MemoryJournal } from "../../src/chain/journal.js";
import type { RestoringEvents, RestoringKeeper } from "../../src/keeper/index.js";
import { Status, windowOf } from "../../src/protocol/index.js";
import type { PieceSource } from "../../src/store/types.js";
import { type DevChain, startDevChain } from "../support/dev-chain.js";
import {
  bytesOf,
  COIN,
  COLLATERAL,
  Parties,
  startProving,
  startRestoring,
  stepTo,
  stepUntil,
} from "../support/keeping.js";

/** Of tier 0: six misses. */
const SHARE = COLLATERAL / 6n;

describe("RestoringKeeper", () => {
  let chain: DevChain;
  let parties: Parties;
  let alarms: RestoringEvents["alarm"][0][];
  let restored: RestoringEvents["restored"][0][];
  let trouble: string[];
  const stops: (() => Promise<void>)[] = [];

  beforeEach(async () => {
    chain = await startDevChain();
    stops.push(() => chain.stop());
    parties = await Parties.on(chain);
    [alarms, restored, trouble] = [[], [], []];
  });
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  async function keep(
    missesPerDeal: number,
    stake = 100n * SHARE,
    options: Parameters<typeof startRestoring>[3] = {},
  ): Promise<RestoringKeeper> {
    const { keeper, stop } = await startRestoring(
      parties,
      { missesPerDeal, stake: new Map([[COIN, stake]]) },
      (one) => {
        one.on("alarm", (event) => alarms.push(event));
        one.on("restored", (event) => restored.push(event));
        one.on("trouble", ({ code }) => trouble.push(code));
      },
      options,
    );
    stops.push(stop);
    return keeper;
  }
  const open = async (number = 1) => {
    const piece = await parties.pieces.add(bytesOf(number));
    const [id] = await parties.open([parties.terms(piece, { periods: 12 })]);
    return { id: id!, piece };
  };
  /** In one block: their windows are the same, whatever the provider's phase is. */
  const openAll = async (...numbers: number[]) => {
    const terms = [];
    for (const number of numbers) {
      terms.push(parties.terms(await parties.pieces.add(bytesOf(number)), { periods: 12 }));
    }
    return parties.open(terms);
  };
  const endOf = async (id: bigint, window: number) => {
    const { firstEpoch } = await chain.contracts.lens.dealOf(id);
    return windowOf(Number(firstEpoch), chain.deployment.tiers[0]!, window).lastBlock + 1;
  };

  it("bonds a share anew for each miss, up to the limit of the deal, and raises the alarm each time", async () => {
    const { id } = await open();
    const keeper = await keep(2);
    await stepUntil(chain, () => trouble.length > 0, 90, keeper);
    expect(restored.map(({ misses, bonded }) => [misses, bonded])).to.deep.equal([
      [1, SHARE],
      [1, SHARE],
    ]);
    expect(alarms.map(({ missed, left }) => [missed, left])).to.deep.equal([
      [1, 5],
      [2, 5],
      [3, 5],
    ]);
    expect(trouble).to.deep.equal(["RESTORE_LIMIT"]);
    expect((await chain.contracts.lens.dealOf(id)).standing.allowance).to.equal(8n);
    // It tells no second time, nor of a deal that is over.
    await stepUntil(chain, () => alarms.length === 8, 120, keeper).catch(() => undefined);
    expect(trouble).to.deep.equal(["RESTORE_LIMIT"]);
    expect((await chain.contracts.lens.dealOf(id)).standing.status).to.equal(BigInt(Status.Defaulted));
  });

  it("bonds no more in all than the operator has set", async () => {
    await open(1);
    await open(2);
    const keeper = await keep(9, 3n * SHARE);
    await stepUntil(chain, () => trouble.length === 2, 90, keeper);
    expect(restored.reduce((sum, { bonded }) => sum + bonded, 0n)).to.equal(3n * SHARE);
    expect(trouble).to.deep.equal(["RESTORE_LIMIT", "RESTORE_LIMIT"]);
  });

  it("bonds nothing for bytes that are not here, nor without stake", async () => {
    const { piece } = await open();
    parties.pieces.lose(piece);
    const keeper = await keep(9);
    await stepUntil(chain, () => trouble.length > 0, 60, keeper);
    expect([restored, trouble]).to.deep.equal([[], ["MISSING_PIECE"]]);
    await open(2);
    const registry = chain.contracts.registry.connect(parties.provider);
    await chain.automine(true);
    const { free } = await registry.provisionOf(parties.provider, chain.deployment.market, COIN);
    await (await registry.unprovision(chain.deployment.market, COIN, free)).wait();
    await stepUntil(chain, () => trouble.length > 1, 60, keeper);
    expect([restored, trouble]).to.deep.equal([[], ["MISSING_PIECE", "NO_STAKE"]]);
  });

  it("does nothing where nothing is missed", async () => {
    const { id } = await open();
    const proving = await startProving(parties);
    stops.push(proving.stop);
    const keeper = await keep(9);
    await stepTo(chain, (await endOf(id, 3)) + 1, proving.keeper, keeper);
    expect([alarms, restored, trouble]).to.deep.equal([[], [], []]);
  });

  it("goes on within the same limits after a restart", async () => {
    const { id } = await open();
    const first = await keep(2);
    await stepTo(chain, (await endOf(id, 1)) + 3, first);
    await stops.pop()!();
    expect(restored).to.have.length(1);
    const second = await keep(2);
    await stepUntil(chain, () => trouble.length > 0, 90, second);
    expect(restored).to.have.length(2);
    expect((await chain.contracts.lens.dealOf(id)).standing.allowance).to.equal(8n);
  });

  it("keeps to its limits with others on one journal, and calls none of their restores a trouble", async function () {
    this.timeout(60_000);
    const ids = await openAll(1, 2, 3, 4);
    const journal = new MemoryJournal();
    const keepers = [
      await keep(1, 4n * SHARE, { journal }),
      // This one learns late what has become of what it sent.
      await keep(1, 4n * SHARE, { journal, pollMs: 300 }),
    ];
    await stepTo(chain, (await endOf(ids[0]!, 2)) - 1, ...keepers);
    const views = await chain.contracts.lens.dealsOf(ids);
    expect(views.map(({ standing }) => standing.allowance)).to.deep.equal([7n, 7n, 7n, 7n]);
    expect(restored.reduce((sum, { bonded }) => sum + bonded, 0n)).to.equal(4n * SHARE);
    expect(trouble).to.deep.equal([]);
  });

  it("restores a miss once where what it reads is from before that", async () => {
    const { id } = await open();
    let behind = 0;
    const lagging = (one: Chain): Chain => {
      const { lens } = one.contracts;
      const call = async (request: TransactionRequest) => {
        if (restored.length === 0 || ++behind > 8) return lens.runner!.call!(request);
        return lens.runner!.call!({ ...request, blockTag: restored[0]!.block - 1 });
      };
      const get = (target: typeof lens, name: string) => (name === "runner" ? { call } : Reflect.get(target, name));
      return { ...one, contracts: { ...one.contracts, lens: new Proxy(lens, { get }) } as Chain["contracts"] };
    };
    const keeper = await keep(3, 9n * SHARE, { chain: lagging });
    await stepTo(chain, (await endOf(id, 2)) - 1, keeper);
    expect(behind).to.be.greaterThan(8);
    expect(restored.map(({ misses }) => misses)).to.deep.equal([1]);
  });

  it("is kept from no other deal by one that fails, and tries that one again", async () => {
    const ids = await openAll(1, 2, 3, 4, 5);
    let failures = 0;
    const pieces: PieceSource = {
      open: async (root, leafCount) => {
        if (failures++ === 0) throw new Error("the disk is away");
        return parties.pieces.open(root, leafCount);
      },
    };
    const keeper = await keep(2, 10n * SHARE, { pieces });
    await stepTo(chain, (await endOf(ids[0]!, 2)) - 1, keeper);
    expect(restored.map(({ id }) => id).sort()).to.deep.equal([...ids].sort());
    expect(alarms).to.have.length(5);
    expect(trouble).to.deep.equal(["PIECE_UNREADABLE"]);
    expect(keeper.held.size).to.equal(0);
  });
});
