import { once } from "node:events";
import { expect } from "chai";
import { hexlify, type JsonRpcProvider, toBeHex, type Wallet } from "ethers";
import fc from "fast-check";
import {
  compareRanked,
  DealHistory,
  holders,
  NO_RECORD,
  type ProviderRecord,
  type Ranked,
  recordFactor,
} from "../../src/client/index.js";
import { readRecords } from "../../src/client/records.js";
import type { ProvingKeeper } from "../../src/keeper/index.js";
import { type DealTerms, dealDomain, signTerms } from "../../src/protocol/index.js";
import { removeFolders, type TestPiece, testPiece } from "../support/pieces.js";
import { type StorageNet, startStorageNet, type TestProvider } from "../support/storage-net.js";

const address = (n: number) => toBeHex(n, 20);
const record = (proven: number, missed: number): ProviderRecord => ({ deals: 1, proven, missed });
const ranked = (price: bigint, of: ProviderRecord, provider = address(1)): Ranked => ({ provider, price, record: of });

describe("client: what a record is worth", () => {
  const factor = (of: ProviderRecord) => {
    const [over, under] = recordFactor(of);
    return Number(over) / Number(under);
  };

  it("is the formula of docs/quote.md", () => {
    expect(factor(NO_RECORD)).to.equal(1.1);
    expect(recordFactor(record(80, 0))).to.deep.equal([102n, 100n]);
    expect(recordFactor(record(40, 40))).to.deep.equal([182n, 100n]);
    expect(factor(record(1_000_000, 0))).to.be.within(1, 1.00001);
    expect(factor(record(0, 1_000_000))).to.be.within(2.9999, 3);
  });

  it("gains with every proof and loses with every miss", () => {
    const count = fc.integer({ min: 0, max: 1_000_000 });
    fc.assert(
      fc.property(count, count, (proven, missed) => {
        expect(factor(record(proven + 1, missed))).to.be.lessThan(factor(record(proven, missed)));
        expect(factor(record(proven, missed + 1))).to.be.greaterThan(factor(record(proven, missed)));
      }),
    );
  });

  it("puts a newcomer below whoever has proven and above whoever has failed, at the same price", () => {
    const best = ranked(100n, record(50, 0), address(9));
    const newcomer = ranked(100n, NO_RECORD, address(1));
    const worst = ranked(100n, record(50, 10), address(2));
    expect([worst, newcomer, best].sort(compareRanked)).to.deep.equal([best, newcomer, worst]);
  });

  it("lets a newcomer in who asks for a tenth less", () => {
    const known = ranked(100n, record(1_000_000, 0));
    expect(compareRanked(ranked(90n, NO_RECORD), known)).to.be.lessThan(0);
    expect(compareRanked(ranked(92n, NO_RECORD), known)).to.be.greaterThan(0);
  });

  it("is compared without rounding, whatever the price", () => {
    for (const price of [1n, 10n ** 30n]) {
      expect(compareRanked(ranked(price, record(20, 0)), ranked(price, record(19, 0)))).to.be.lessThan(0);
    }
  });

  it("orders what is equal by price, proofs and address, the same for everybody", () => {
    // 1 + 2 · 2 / 40 = 1 + 2 · 1 / 20: as good as nothing known.
    const even = ranked(100n, record(19, 1), address(5));
    expect(compareRanked(even, ranked(100n, NO_RECORD, address(1)))).to.be.lessThan(0);
    expect(compareRanked(ranked(0n, NO_RECORD, address(2)), ranked(0n, NO_RECORD, address(1)))).to.equal(1);
    expect(compareRanked(ranked(7n, NO_RECORD), ranked(7n, NO_RECORD))).to.equal(0);
    const any = fc.record({
      provider: fc.integer({ min: 1, max: 9 }).map(address),
      price: fc.bigInt({ min: 0n, max: 1n << 128n }),
      record: fc.record({ deals: fc.constant(1), proven: fc.nat(50), missed: fc.nat(50) }),
    });
    fc.assert(
      fc.property(any, any, any, (a, b, c) => {
        expect(Math.sign(compareRanked(a, b))).to.equal(-Math.sign(compareRanked(b, a)) + 0);
        if (compareRanked(a, b) <= 0 && compareRanked(b, c) <= 0) expect(compareRanked(a, c)).to.be.at.most(0);
      }),
    );
  });
});

describe("client: records from the chain", () => {
  let net: StorageNet;
  let provider: TestProvider;
  let client: Wallet;
  let giver: Wallet;
  let piece: TestPiece;
  let history: DealHistory;

  const read = (requests: string) => readRecords(history, new Set([provider.wallet.address]), requests);
  const mineTo = async (block: number) => net.mine(block - (await net.provider.getBlockNumber()));
  const firstEpoch = async (id: bigint) => Number((await net.contracts.lens.dealOf(id)).firstEpoch);

  before(async () => {
    net = await startStorageNet();
    provider = await net.addProvider();
    client = await net.rich();
    giver = await net.rich();
    piece = await testPiece(3_000);
    history = new DealHistory(net);
  });
  after(async () => {
    await net.stop();
    await removeFolders();
  });

  it("are empty for who has done nothing", async () => {
    expect([...(await read(giver.address))]).to.deep.equal([[provider.wallet.address, NO_RECORD]]);
    expect(await holders(net, piece.commitment)).to.deep.equal([]);
  });

  it("count windows proven and missed, up to the present block", async () => {
    const wishes = { tier: 0, periods: 6, token: net.token, maxPricePerPeriod: 3_000n, urls: [provider.url] };
    const { deals } = await net.clientOf(client).store(new Blob([piece.payload]), wishes);
    const first = await firstEpoch(deals[0]?.id as bigint);
    const proven = once(provider.keeper as ProvingKeeper, "proven");
    await mineTo(first + 3);
    await proven;
    // The window is still open.
    expect((await read(giver.address)).get(provider.wallet.address)).to.deep.equal(record(0, 0));
    await provider.close();
    const { period, window } = net.deployment.tiers[0]!;
    await mineTo(first + 2 * period + window + 1);
    expect((await read(giver.address)).get(provider.wallet.address)).to.deep.equal(record(1, 2));
    expect(await holders(net, piece.commitment)).to.deep.equal([provider.url]);
    const other = await testPiece(3_000, 2);
    expect(await holders(net, other.commitment)).to.deep.equal([]);
  });

  it("leave gifts out, but for those that requests paid for", async () => {
    const terms: DealTerms = {
      client: client.address,
      provider: provider.wallet.address,
      root: hexlify(piece.commitment.root),
      leafCount: piece.commitment.leafCount,
      tier: 0,
      periods: 6,
      maxPeriods: 6,
      token: net.token,
      pricePerPeriod: 0n,
      collateral: 0n,
      egressPricePerGiB: 0n,
      validUntil: 2n ** 63n,
      salt: toBeHex(1, 32),
    };
    const signature = await signTerms(
      provider.wallet,
      dealDomain(net.deployment.chainId, net.deployment.market),
      terms,
    );
    await (await net.contracts.market.connect(giver).open(terms, "0x", signature)).wait();
    const before = await read(net.deployment.requests);
    expect(before.get(provider.wallet.address)).to.deep.equal(record(1, 2));
    // Seen by whoever takes the giver for the contract of requests.
    expect((await read(giver.address)).get(provider.wallet.address)?.deals).to.equal(2);
  });

  it("are read again only where they are new", async () => {
    const asked: number[] = [];
    const spy: JsonRpcProvider = new Proxy(net.provider, {
      get(target, name, receiver) {
        if (name === "provider") return receiver;
        const value = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        return (...args: [{ fromBlock: number }]) => {
          if (name === "getLogs") asked.push(args[0].fromBlock);
          return value.apply(target, args);
        };
      },
    });
    const market = net.contracts.market.connect(spy) as typeof net.contracts.market;
    const own = new DealHistory({ deployment: net.deployment, contracts: { ...net.contracts, market } });
    expect(await own.deals(() => true)).to.have.length(2);
    await net.mine(200);
    const head = await net.provider.getBlockNumber();
    expect(await own.deals(() => true)).to.have.length(2);
    await own.deals(() => true);
    expect(asked[0]).to.equal(net.deployment.block);
    expect(asked.at(-1)).to.equal(head - 63);
  });
});
