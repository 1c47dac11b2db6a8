import { expect } from "chai";
import { hexlify } from "ethers";
import { MemoryJournal } from "../../src/chain/journal.js";
import { TransactionSender } from "../../src/chain/sender.js";
import { bountyAtLeast, type SettledEvent, type WatchingKeeper } from "../../src/keeper/index.js";
import { dealDomain, Stage, Status, signAmendment, windowOf } from "../../src/protocol/index.js";
import { CHAIN_ID, type DevChain, startDevChain, testLogger } from "../support/dev-chain.js";
import {
  bytesOf,
  COIN,
  COLLATERAL,
  Parties,
  PRICE,
  pendingOn,
  serviceChain,
  startProving,
  startWatching,
  stepTo,
  stepUntil,
} from "../support/keeping.js";
import { startRpcProxy } from "../support/rpc-proxy.js";
import { until } from "../support/running.js";

/** 5 % of a sixth of the collateral. */
const BOUNTY = COLLATERAL / 6n / 20n;
const FEE = PRICE / 100n;

describe("WatchingKeeper", () => {
  let chain: DevChain;
  let parties: Parties;
  let settled: SettledEvent[];
  let trouble: { ids: readonly bigint[]; code: string }[];
  const stops: (() => Promise<void>)[] = [];

  beforeEach(async () => {
    chain = await startDevChain();
    stops.push(() => chain.stop());
    parties = await Parties.on(chain);
    settled = [];
    trouble = [];
  });
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  async function watch(options: Parameters<typeof startWatching>[1] = {}, into = settled) {
    const listen = (keeper: WatchingKeeper) => {
      keeper.on("settled", (event) => into.push(event));
      keeper.on("trouble", (event) => trouble.push(event));
    };
    const watching = await startWatching(chain, { listen, ...options });
    stops.push(watching.stop);
    return watching;
  }

  const open = async (count: number, first = 1) => {
    const terms = [];
    for (let i = 0; i < count; i++) terms.push(parties.terms(await parties.pieces.add(bytesOf(first + i))));
    return parties.open(terms);
  };

  const held = (account: string) => chain.contracts.vault.balanceOf(account, COIN);

  function sum(pick: (moved: SettledEvent["moved"]) => bigint, of = settled): bigint {
    return of.reduce((total, { moved }) => total + pick(moved), 0n);
  }

  it("slashes a silent provider, window by window, down to default, and gets the bounties", async () => {
    const [id] = await open(1);
    const before = await held(parties.client.address);
    const { keeper, account } = await watch();
    await stepUntil(chain, () => settled.at(-1)?.moved.closes === true, 150, keeper);
    expect(settled.map(({ moved }) => moved.misses)).to.deep.equal([1, 1, 1, 1, 1, 1]);
    expect(settled.at(-1)).to.include({ id, status: Status.Defaulted, bountyTo: account.address });
    expect(await held(account.address)).to.equal(6n * BOUNTY);
    expect(sum(({ bounty }) => bounty)).to.equal(6n * BOUNTY);
    expect(sum(({ bounty, compensation }) => bounty + compensation)).to.equal(COLLATERAL);
    expect(sum(({ refund }) => refund)).to.equal(6n * PRICE);
    expect((await held(parties.client.address)) - before).to.equal(COLLATERAL - 6n * BOUNTY + 6n * PRICE);
    expect((await chain.contracts.lens.dealOf(id!)).stage).to.equal(BigInt(Stage.Closed));
    expect(trouble).to.deep.equal([]);
  });

  for (const depth of [0, 9, "finalized"] as const) {
    it(`slashes for no window before its end is as deep as it should be: ${depth}`, async () => {
      const [id] = await open(1);
      const { keeper } = await watch({ depth });
      const { firstEpoch } = await chain.contracts.lens.dealOf(id!);
      // The chain waits for longer than a period here, so that the deal is settled when it is over.
      const window = depth === "finalized" ? 6 : 1;
      const last = windowOf(Number(firstEpoch), chain.deployment.tiers[0]!, window).lastBlock;
      await stepUntil(chain, () => settled.length > 0, 250, keeper);
      const [first] = settled;
      const [latest, final] = await Promise.all(["latest", "finalized"].map((tag) => chain.provider.getBlock(tag)));
      const behind = depth === "finalized" ? latest!.number - final!.number : depth;
      // It is sent at the head before its block; two blocks are mined at once.
      expect(first!.block).to.be.within(last + 2 + behind, last + 5 + behind);
      expect(trouble).to.deep.equal([]);
    });
  }

  it("pays what a replaced piece has earned as soon as its last window has closed", async () => {
    const before = await parties.pieces.add(bytesOf(1));
    const [id] = await parties.open([parties.terms(before)]);
    const { keeper, stop } = await startProving(parties);
    stops.push(stop);
    const { firstEpoch, tier } = await chain.contracts.lens.dealOf(id!);
    const blocks = chain.deployment.tiers[Number(tier)]!;
    await stepTo(chain, windowOf(Number(firstEpoch), blocks, 1).firstBlock + 2, keeper);
    const { root, leafCount } = await parties.pieces.add(bytesOf(2, 2_000));
    const amendment = { dealId: id!, root: hexlify(root), leafCount, pricePerPeriod: PRICE, nonce: 0 };
    const signed = { ...amendment, validUntil: 2n ** 63n };
    const signature = await signAmendment(parties.provider, dealDomain(CHAIN_ID, chain.deployment.market), signed);
    await chain.automine(true);
    await (await chain.contracts.market.connect(parties.client).amend(signed, "0x", signature)).wait();
    const { from } = (await chain.contracts.lens.dealOf(id!)).revision;
    const watching = await watch();
    const last = windowOf(Number(firstEpoch), blocks, Number(from) - 1).lastBlock;
    await stepTo(chain, last + 2 + chain.deployment.challengeFinality, keeper, watching.keeper);
    const { paid, fee } = await chain.contracts.lens.totalsOf(id!);
    expect(paid + fee).to.equal((from - 1n) * PRICE);
    expect(trouble).to.deep.equal([]);
  });

  it("pays who proves and slashes who does not, in one transaction a window", async () => {
    const ids = await open(4);
    const lost = await parties.pieces.add(bytesOf(99));
    const [silent] = await parties.open([parties.terms(lost)]);
    parties.pieces.lose(lost);
    const proving = await startProving(parties);
    stops.push(proving.stop);
    const { keeper, account } = await watch();
    const closed = () => settled.filter(({ moved }) => moved.closes).length;
    await stepUntil(chain, () => closed() === 5, 150, keeper, proving.keeper);
    expect(await held(parties.provider.address)).to.equal(4n * 6n * (PRICE - FEE));
    expect(await held(account.address)).to.equal(6n * BOUNTY);
    expect(await held(chain.deployment.treasury)).to.equal(4n * 6n * FEE);
    for (const id of ids) expect(await chain.contracts.market.statusOf(id)).to.equal(BigInt(Status.Completed));
    expect(await chain.contracts.market.statusOf(silent!)).to.equal(BigInt(Status.Defaulted));
    const [free, locked] = await chain.contracts.registry.provisionOf(
      parties.provider.address,
      chain.deployment.market,
      COIN,
    );
    expect([free, locked]).to.deep.equal([10n ** 18n - COLLATERAL, 0n]);
    const transactions = new Set(settled.map(({ hash }) => hash)).size;
    expect(transactions).to.be.at.most(8);
  });

  it("leaves a deal alone until its bounty is worth it", async () => {
    const [id] = await open(1);
    const { keeper } = await watch({ policy: bountyAtLeast(new Map([[COIN, 3n * BOUNTY]])) });
    await stepUntil(chain, () => settled.length === 2, 150, keeper);
    expect(settled.map(({ moved }) => moved.misses)).to.deep.equal([3, 3]);
    expect(settled.at(-1)).to.include({ id, status: Status.Defaulted });
  });

  it("leaves tokens alone that nobody gave it a price for", async () => {
    await open(1);
    const { keeper } = await watch({ policy: bountyAtLeast(new Map()) });
    let heads = 0;
    keeper.on("head", () => heads++);
    await stepUntil(chain, () => heads >= 35, 80, keeper);
    expect(settled).to.deep.equal([]);
  });

  it("settles its own provider's earnings now and then, and at the end", async () => {
    const other = await Parties.on(chain);
    const [id] = await open(1);
    await other.open([other.terms(await other.pieces.add(bytesOf(7)))]);
    const proving = await startProving(parties);
    stops.push(proving.stop);
    const own = { provider: parties.provider.address.toLowerCase(), everyBlocks: 40 };
    const { keeper } = await watch({ own, policy: () => false });
    await stepUntil(chain, () => settled.at(-1)?.moved.closes === true, 160, keeper, proving.keeper);
    expect(new Set(settled.map((event) => event.id))).to.deep.equal(new Set([id]));
    expect(sum(({ payment }) => payment)).to.equal(6n * (PRICE - FEE));
    // Windows close every 16 blocks; two or three of them are paid at once, more where the machine is late.
    expect(settled.length).to.be.within(2, 4);
    for (const { moved } of settled.slice(0, -1)) expect(moved.windows).to.be.within(1, 4);
  });

  it("gives the bounty to the account it is told", async () => {
    await open(1);
    const bountyTo = "0x52908400098527886E0F7030069857D2E4169EE7";
    const { keeper } = await watch({ bountyTo });
    await stepUntil(chain, () => settled.length === 1, 60, keeper);
    expect(await held(bountyTo)).to.equal(BOUNTY);
  });

  it("settles each deal once with another keeper of its journal", async () => {
    const service = await serviceChain(chain);
    stops.push(async () => service.provider.destroy());
    const signer = (await chain.account()).connect(service.provider);
    const journal = new MemoryJournal();
    const sender = () =>
      new TransactionSender({ provider: service.provider, signer, logger: testLogger(), journal, pollMs: 5 });
    await open(3);
    const keepers = [await watch({ sender: sender() }), await watch({ sender: sender() })].map(({ keeper }) => keeper);
    await stepUntil(chain, () => settled.filter(({ moved }) => moved.closes).length === 3, 150, ...keepers);
    expect(settled.map(({ moved }) => moved.misses)).to.deep.equal(Array(18).fill(1));
    expect(trouble).to.deep.equal([]);
    expect(await chain.provider.getTransactionCount(signer.address)).to.equal(
      new Set(settled.map(({ hash }) => hash)).size,
    );
  });

  it("does no harm where another keeper settles as well", async () => {
    await open(3);
    const theirs: SettledEvent[] = [];
    const keepers = [(await watch()).keeper, (await watch({}, theirs)).keeper];
    const closed = () => [...settled, ...theirs].filter(({ moved }) => moved.closes).length;
    await stepUntil(chain, () => closed() === 3, 160, ...keepers);
    expect(sum(({ misses }) => BigInt(misses)) + sum(({ misses }) => BigInt(misses), theirs)).to.equal(18n);
    expect(trouble).to.deep.equal([]);
  });

  it("settles more deals than fit into one batch", async () => {
    await open(5);
    const { keeper } = await watch({ batchSize: 2 });
    await stepUntil(chain, () => settled.length === 5, 60, keeper);
    expect(new Set(settled.map(({ hash }) => hash)).size).to.equal(3);
  });

  describe("with several batches at one head", () => {
    /** At the head at which the first window of all can be settled. */
    const due = async (count: number) => {
      const ids = await open(count);
      const { firstEpoch } = await chain.contracts.lens.dealOf(ids.at(-1)!);
      const { lastBlock } = windowOf(Number(firstEpoch), chain.deployment.tiers[0]!, 1);
      const head = lastBlock + chain.deployment.challengeFinality + 1;
      await chain.mine(head - (await chain.provider.getBlockNumber()));
      return ids;
    };

    it("has them in one block, eight at a time", async () => {
      await due(10);
      await watch({ batchSize: 1 });
      await until(async () => (await pendingOn(chain)) === 8);
      await chain.mine(1);
      await until(async () => settled.length === 8);
      expect(new Set(settled.map(({ hash }) => hash)).size).to.equal(8);
      expect(new Set(settled.map(({ block }) => block)).size).to.equal(1);
      await until(async () => (await pendingOn(chain)) === 2);
      await chain.mine(1);
      await until(async () => settled.length === 10);
      expect(trouble).to.deep.equal([]);
    });

    it("sends the others where one fails", async () => {
      const ids = await due(5);
      const service = await serviceChain(chain);
      stops.push(async () => service.provider.destroy());
      const signer = (await chain.account()).connect(service.provider);
      const sender = new TransactionSender({ provider: service.provider, signer, logger: testLogger(), pollMs: 5 });
      const { send } = sender;
      sender.send = async (call, doing, ...rest) => {
        if (call.data?.includes(ids[0]!.toString(16))) throw new Error("the signer is away");
        return send.call(sender, call, doing, ...rest);
      };
      await watch({ batchSize: 2, sender });
      await until(async () => (await pendingOn(chain)) === 2);
      await chain.mine(1);
      await until(async () => settled.length === 3 && trouble.length > 0);
      expect(trouble[0]!.ids).to.include(ids[0]).and.to.have.length(2);
      expect(settled.map(({ id }) => id)).to.have.members(ids.filter((id) => !trouble[0]!.ids.includes(id)));
    });
  });

  it("says that it could not send, and settles when it can", async () => {
    await open(2);
    let broken = true;
    const proxy = await startRpcProxy(chain.anvil.url, (methods) =>
      broken && methods.includes("eth_estimateGas") ? 500 : undefined,
    );
    stops.push(() => proxy.stop());
    const { keeper } = await watch({ url: proxy.url });
    await stepUntil(chain, () => trouble.length > 0, 60, keeper);
    expect(trouble[0]!.ids.length).to.equal(2);
    expect(trouble[0]!.code).to.equal("SERVER_ERROR");
    broken = false;
    await stepUntil(chain, () => settled.length === 2, 5, keeper);
  });
});
