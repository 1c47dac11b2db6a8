import { readdir } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { type Wallet, ZeroAddress } from "ethers";
import { TransactionSender } from "../../src/chain/sender.js";
import {
  type ChainSender,
  dealIdText,
  FileKey,
  fetchUnique,
  HoldfastClient,
  type Manifest,
  ManifestBook,
  memorySink,
  type StoreUniqueOptions,
  storeUnique,
} from "../../src/client/index.js";
import { type ReplicaEvents, ReplicasKeeper, type ReplicasKeeperOptions } from "../../src/keeper/index.js";
import { Status } from "../../src/protocol/index.js";
import { expectError, pseudoRandom } from "../piece/helpers.js";
import { testLogger } from "../support/dev-chain.js";
import { serviceChain } from "../support/keeping.js";
import { lensSaying } from "../support/lens.js";
import { removeFolders, tempFolder } from "../support/pieces.js";
import { priced, type StorageNet, startStorageNet, type TestProvider } from "../support/storage-net.js";

const PAYLOAD = pseudoRandom(150_001, 4);
/** What a replica of it costs for six periods at a provider that takes 1 for a byte. */
const COST = 6n * BigInt(PAYLOAD.length + 48 + 3 * 16);
const PLENTY = 1_000n * COST;

describe("ReplicasKeeper", () => {
  let net: StorageNet;
  let nodes: TestProvider[];
  let owner: Wallet;
  let key: FileKey;
  /** What the disk has. */
  let disk: Manifest;
  let temp: string;
  const stops: (() => Promise<void>)[] = [];

  beforeEach(async () => {
    net = await startStorageNet();
    stops.push(() => net.stop());
    nodes = [];
    for (const price of [1n, 2n, 3n]) nodes.push(await net.addProvider(priced(net.token, price)));
    owner = await net.rich();
    ({ key } = await FileKey.generate());
    temp = await tempFolder();
  });
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
    await removeFolders();
  });

  const sessionOf = (sender: ChainSender) => {
    const { deployment, contracts } = net;
    const access = { address: owner.address, sender, deployment, contracts };
    return { access, client: new HoldfastClient(access) };
  };
  const store = (changes: Partial<StoreUniqueOptions> = {}) =>
    storeUnique(sessionOf(net.senderOf(owner)), new Blob([PAYLOAD]), key, {
      tier: 0,
      periods: 6,
      maxPeriods: 20,
      token: net.token,
      copies: 2,
      maxPricePerPeriod: 10n * BigInt(PAYLOAD.length),
      save: (manifest) => {
        disk = structuredClone(manifest);
      },
      ...changes,
    });

  interface Started {
    readonly keeper: ReplicasKeeper;
    readonly events: { [name in keyof ReplicaEvents]: ReplicaEvents[name][0][] };
    stop(): Promise<void>;
  }
  /** A keeper of what the disk has. `kill` may throw, as a process that ends does. */
  const keep = async (
    options: Partial<ReplicasKeeperOptions> = {},
    kill: (step: string) => void = () => undefined,
  ): Promise<Started> => {
    const chain = await serviceChain(net);
    const stopping = new AbortController();
    const dying = (step: string) => {
      try {
        kill(step);
      } catch (error) {
        stopping.abort();
        throw error;
      }
    };
    const signer = owner.connect(chain.provider);
    const real = new TransactionSender({ provider: chain.provider, signer, logger: testLogger(), pollMs: 10 });
    const sender: ChainSender = {
      address: () => real.address(),
      async send(call, doing) {
        dying(`before: ${doing}`);
        const sent = await real.send(call, doing);
        dying(`after: ${doing}`);
        return sent;
      },
    };
    const save = (manifest: Manifest) => {
      const step = `save: ${manifest.replicas.map(({ state }) => state).join(" ")}`;
      dying(`before ${step}`);
      disk = structuredClone(manifest);
      dying(`after ${step}`);
    };
    const files = [{ book: new ManifestBook(structuredClone(disk), save), key }];
    const keeper = new ReplicasKeeper({
      chain,
      session: sessionOf(sender),
      files,
      budget: PLENTY,
      tempDir: temp,
      logger: testLogger(),
      ...options,
    });
    const events: Started["events"] = { head: [], lost: [], over: [], moved: [], repaired: [], trouble: [] };
    keeper.on("head", (event) => events.head.push(event));
    keeper.on("lost", (event) => events.lost.push(event));
    keeper.on("over", (event) => events.over.push(event));
    keeper.on("moved", (event) => events.moved.push(event));
    keeper.on("repaired", (event) => events.repaired.push(event));
    keeper.on("trouble", (event) => events.trouble.push(event));
    const running = keeper.run(stopping.signal);
    let stopped = false;
    const stop = async () => {
      stopping.abort();
      await running;
      if (!stopped) chain.provider.destroy();
      stopped = true;
    };
    stops.push(stop);
    return { keeper, events, stop };
  };
  /** Mines until something is so, a block in a while, and none while a proof of one of `proven` is due. */
  const mineUntil = async (isSo: () => boolean | Promise<boolean>, blocks = 250, proven: readonly string[] = []) => {
    for (let mined = 0; !(await isSo()); mined++) {
      if (mined >= blocks) throw new Error(`not so after ${blocks} blocks`);
      await net.mine();
      await sleep(40);
      for (const view of await net.contracts.lens.dealsOf([...proven])) {
        const due = view.standing.open > 0n && view.lastProven < view.standing.open;
        if (due) await sleep(500);
      }
    }
  };
  const nodeOf = (provider: string) => nodes.find(({ wallet }) => wallet.address === provider)!;
  const opened = async () => {
    const { market } = net.contracts;
    return (await market.queryFilter(market.filters.Opened(undefined, owner.address))).length;
  };
  const terminate = async (deal: string) => {
    // It may settle more by the time that it is in a block than when it was estimated.
    await (await net.contracts.market.connect(owner).terminate(deal, { gasLimit: 1_000_000 })).wait();
  };
  const states = () => disk.replicas.map(({ state }) => state).sort();
  const bytesFrom = async (manifest: Manifest) => (await fetchUnique(manifest, key, memorySink)).value;

  it("replaces a replica whose provider is gone for good, with no human step", async () => {
    // Long enough for the other deal to outlive the six misses that are a default.
    await store({ periods: 10 });
    const [first, second] = disk.replicas;
    await nodeOf(first!.provider).close();
    const third = nodes.find(({ wallet }) => disk.replicas.every(({ provider }) => provider !== wallet.address));
    const { events, keeper } = await keep();
    await mineUntil(() => events.repaired.length > 0, 250, [second!.deal]);
    expect(events.lost).to.have.length(1);
    expect(events.lost[0]).to.deep.include({ status: Status.Defaulted, replica: { ...first, state: "lost" } });
    const [{ replica, spent }] = events.repaired as [ReplicaEvents["repaired"][0]];
    expect(replica).to.include({ provider: third!.wallet.address, state: "open", repair: true });
    expect(spent).to.equal(BigInt(replica.cost));
    expect(keeper.spent).to.equal(spent);
    expect(disk.replicas).to.deep.equal([second, { ...first, state: "lost" }, replica]);
    // The new one is new: other bytes, its own deal, and the file in it.
    expect(new Set(disk.replicas.map(({ pieceCid }) => pieceCid)).size).to.equal(3);
    expect(await bytesFrom({ ...disk, replicas: [replica] })).to.deep.equal(PAYLOAD);
    // ... and it is proven.
    const proven = async () => (await net.contracts.lens.dealOf(replica.deal)).proven > 0n;
    await mineUntil(proven, 60, [second!.deal, replica.deal]);
    expect(events.trouble).to.deep.equal([]);
    expect(await readdir(temp)).to.deep.equal([]);
  });

  it("replaces a replica whose deal the owner ended, for as long as the others live", async () => {
    await store();
    const [first, second] = disk.replicas;
    const { vault, market } = net.contracts;
    const cost = (await net.contracts.lens.dealOf(second!.deal)).price * 7n;
    const payer = owner;
    const erc20 = new (await import("ethers")).Contract(net.token, ["function approve(address,uint256)"], payer);
    await (await erc20.getFunction("approve")(net.deployment.vault, cost)).wait();
    await (await vault.connect(payer).depositAndApprove(net.token, cost, net.deployment.market)).wait();
    await (await market.connect(payer).extend(second!.deal, 7, cost)).wait();
    await terminate(first!.deal);
    const { events } = await keep();
    await mineUntil(() => events.repaired.length > 0, 20);
    expect(events.lost[0]).to.include({ status: Status.Ending });
    const { periods, maxPeriods } = await net.contracts.lens.dealOf(events.repaired[0]!.replica.deal);
    expect(periods).to.be.within(12n, 13n);
    expect(maxPeriods).to.equal(20n);
  });

  it("finds the ended deal when it is completed already, and leaves alone one that has run its time", async () => {
    await store();
    const [first, second] = disk.replicas;
    await terminate(first!.deal);
    const isOver = async (deal: string) =>
      Number((await net.contracts.lens.dealOf(deal)).standing.status) === Status.Completed;
    const deals = [first!.deal, second!.deal];
    await mineUntil(async () => (await Promise.all(deals.map(isOver))).every(Boolean), 250, deals);
    const { events } = await keep();
    await mineUntil(() => events.repaired.length > 0, 20);
    expect(events.lost.map(({ replica, status }) => [replica.id, status])).to.deep.equal([
      [first!.id, Status.Completed],
    ]);
    expect(events.over.map(({ replica }) => replica.id)).to.deep.equal([second!.id]);
    expect(states()).to.deep.equal(["lost", "open", "over"]);
    const count = await opened();
    await mineUntil(() => events.head.length > 12, 60);
    expect(await opened()).to.equal(count);
  });

  it("follows a deal that its owner moved, instead of making the replica anew", async () => {
    await store();
    const [first, second] = disk.replicas;
    // A deal with the third provider that stands for what a migration would open.
    const other = await sessionOf(net.senderOf(owner)).client.store(new Blob([PAYLOAD.slice(1)]), {
      ...{ tier: 0, periods: 6, token: net.token, maxPricePerPeriod: 10n * BigInt(PAYLOAD.length) },
      exclude: disk.replicas.map(({ provider }) => provider),
    });
    const successor = other.deals[0]!.id;
    const chain = await serviceChain(net);
    stops.push(async () => chain.provider.destroy());
    const lens = lensSaying(chain.contracts.lens, (_, id) => (id === BigInt(first!.deal) ? { successor } : {}));
    await terminate(first!.deal);
    const count = await opened();
    const { events } = await keep({ chain: { ...chain, contracts: { ...chain.contracts, lens } } });
    await mineUntil(() => events.moved.length > 0, 20);
    await mineUntil(() => events.head.length > 5, 30);
    const { provider } = other.deals[0]!.terms;
    const moved = { deal: dealIdText(successor), provider, url: nodeOf(provider).url };
    expect(disk.replicas).to.deep.equal([second, { ...first, ...moved }]);
    expect([events.lost, events.repaired, await opened()]).to.deep.equal([[], [], count]);
  });

  it("completes a file that was not stored at all its places", async () => {
    let saves = 0;
    await store({
      save: (manifest) => {
        // Killed when the first replica is open.
        if (++saves > 3) throw new Error("killed");
        disk = structuredClone(manifest);
      },
    }).catch(() => undefined);
    expect(states()).to.deep.equal(["open"]);
    const { events } = await keep();
    await mineUntil(() => events.repaired.length > 0, 20);
    expect(states()).to.deep.equal(["open", "open"]);
    expect(await opened()).to.equal(2);
  });

  const deaths = [
    "before save: open lost opening",
    "after save: open lost opening",
    "before: open a deal",
    "after: open a deal",
    "before save: open lost open",
    "after save: open lost open",
    "before: deposit",
    "after: deposit",
  ];
  for (const death of deaths) {
    it(`pays once, though it is killed ${death}`, async () => {
      await store();
      await terminate(disk.replicas[0]!.deal);
      let killed = false;
      const first = await keep({}, (step) => {
        if (killed || !step.startsWith(death)) return;
        killed = true;
        throw new Error("killed");
      });
      await mineUntil(() => killed, 30);
      await first.stop();
      const { events, keeper } = await keep();
      await mineUntil(() => states().join(" ") === "lost open open", 30);
      await mineUntil(() => events.head.length > 4, 30);
      expect(await opened()).to.equal(3);
      expect(keeper.spent).to.equal(BigInt(disk.replicas.at(-1)!.cost));
      expect(await bytesFrom({ ...disk, replicas: disk.replicas.slice(-1) })).to.deep.equal(PAYLOAD);
    });
  }

  it("keeps to its budget, also after a restart", async () => {
    await store();
    await terminate(disk.replicas[0]!.deal);
    // Six periods at the third provider cost three times as much.
    const short = await keep({ budget: 2n * COST });
    await mineUntil(() => short.events.trouble.length > 0, 30);
    expect(short.events.trouble[0]).to.include({ code: "TOO_FEW_PROVIDERS" });
    await short.stop();
    const none = await keep({ budget: 5n });
    await mineUntil(() => none.events.trouble.length > 0, 30);
    expect(none.events.trouble[0]).to.include({ code: "BUDGET_EXHAUSTED" });
    await none.stop();
    const enough = await keep({ budget: 3n * COST });
    await mineUntil(() => enough.events.repaired.length > 0, 30);
    await enough.stop();
    await net.addProvider(priced(net.token, 1n));
    await terminate(disk.replicas.find(({ state }) => state === "open")!.deal);
    const again = await keep({ budget: 3n * COST });
    await mineUntil(() => again.events.trouble.length > 0, 30);
    expect(again.events.trouble[0]).to.include({ code: "BUDGET_EXHAUSTED" });
    expect(await opened()).to.equal(3);
  });

  it("tries again, less and less often, until there is a provider, and a replica to read", async () => {
    await store({ copies: 3 });
    await terminate(disk.replicas[0]!.deal);
    const { events } = await keep();
    await mineUntil(() => events.head.length > 10, 40);
    expect(events.trouble.map(({ code }) => code)).to.deep.equal(["TOO_FEW_PROVIDERS"]);
    expect(events.repaired).to.deep.equal([]);
    await net.addProvider(priced(net.token, 4n));
    await mineUntil(() => events.repaired.length > 0);
    expect(await opened()).to.equal(4);
  });

  it("does not pay for a file that can't be read any more", async () => {
    await store();
    await terminate(disk.replicas[0]!.deal);
    await Promise.all(disk.replicas.map(({ provider }) => nodeOf(provider).close()));
    const { events, stop } = await keep();
    await mineUntil(() => events.trouble.length > 0, 30);
    await stop();
    expect(events.trouble[0]).to.include({ code: "FILE_UNAVAILABLE" });
    expect(await opened()).to.equal(2);
    expect(await readdir(temp)).to.deep.equal([]);
  });

  it("refuses manifests of another market, under another key, in several tokens, and no budget", async () => {
    await store();
    const chain = await serviceChain(net);
    stops.push(async () => chain.provider.destroy());
    const other = (await FileKey.generate()).key;
    const kept = (changes: Partial<Manifest>, under = key) => ({
      book: new ManifestBook({ ...disk, ...changes }, () => undefined),
      key: under,
    });
    const make = (files: ReplicasKeeperOptions["files"], budget = PLENTY) => {
      const session = sessionOf(net.senderOf(owner));
      return () => new ReplicasKeeper({ chain, session, files, budget, logger: testLogger() });
    };
    await expectError("WRONG_MARKET", make([kept({ chainId: 1 })]));
    await expectError("WRONG_MARKET", make([kept({ market: ZeroAddress })]));
    await expectError("WRONG_KEY", make([kept({}, other)]));
    const coin = kept({ wishes: { ...disk.wishes, token: ZeroAddress } });
    await expectError("MIXED_TOKENS", make([kept({}), coin]));
    await expectError("INVALID_BUDGET", make([kept({})], -1n));
  });
});
