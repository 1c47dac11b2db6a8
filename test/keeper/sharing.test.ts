import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import type { Log } from "ethers";
import { formatDeployment } from "../../src/chain/deployment.js";
import { describeDatabases } from "../support/databases.js";
import { type DevChain, startDevChain } from "../support/dev-chain.js";
import { bytesOf, Parties } from "../support/keeping.js";
import type { KeepingLine, KeepingTask } from "../support/keeping-task.js";

const CHILD = [
  "--import",
  fileURLToPath(import.meta.resolve("tsx/esm")),
  fileURLToPath(new URL("../support/keeping-child.ts", import.meta.url)),
];
const PERIODS = 2;
/** One window is open long enough for a process to die in it, and for another to start. */
const TIER = { period: 160, window: 120, challenges: 2, maxMisses: 2 };

class Child {
  readonly process: ChildProcess;
  readonly told: KeepingLine[] = [];
  readonly ended: Promise<unknown>;

  constructor(task: KeepingTask) {
    this.process = spawn(process.execPath, [...CHILD, JSON.stringify(task)], { stdio: ["ignore", "pipe", "inherit"] });
    createInterface(this.process.stdout!).on("line", (line) => this.told.push(JSON.parse(line)));
    this.ended = once(this.process, "close");
  }

  all<E extends KeepingLine["event"]>(event: E): Extract<KeepingLine, { event: E }>[] {
    return this.told.filter((line): line is Extract<KeepingLine, { event: E }> => line.event === event);
  }

  async stop(): Promise<void> {
    this.process.kill("SIGTERM");
    await this.ended;
  }
}

describeDatabases("Keepers that share their duties", (databases) => {
  let chain: DevChain;
  let parties: Parties;
  let ids: bigint[];
  let task: KeepingTask;
  let mining: { stop(): Promise<void> } | undefined;
  const children: Child[] = [];

  beforeEach(async function () {
    this.timeout(120_000);
    chain = await startDevChain({ tiers: [TIER] });
    parties = await Parties.on(chain);
    const sizes = Array.from({ length: 40 }, (_, i) => 500 + 100 * i);
    const terms = [];
    for (const [i, size] of sizes.entries()) {
      terms.push(parties.terms(await parties.pieces.add(bytesOf(i, size)), { periods: PERIODS }));
    }
    ids = await parties.open(terms);
    task = {
      ...{
        url: chain.anvil.url,
        deployment: formatDeployment(chain.deployment),
        provider: parties.provider.address,
        sizes,
      },
      ...{ privateKey: (await chain.account()).privateKey, database: await databases.create(), portion: 4 },
    };
  });
  afterEach(async () => {
    await mining?.stop();
    for (const { process } of children.splice(0)) process.kill("SIGKILL");
    await chain.stop();
  });

  function start(changes: Partial<KeepingTask> = {}): Child {
    const child = new Child({ ...task, ...changes });
    children.push(child);
    return child;
  }

  /** Blocks as they come, until the test is over. */
  function mine(everyMs: number): void {
    let over = false;
    const done = (async () => {
      while (!over) {
        await chain.mine();
        await sleep(everyMs);
      }
    })();
    mining = {
      stop: () => {
        over = true;
        return done;
      },
    };
  }

  async function until(isSo: () => boolean | Promise<boolean>, ms: number): Promise<void> {
    for (const end = Date.now() + ms; !(await isSo()); await sleep(50)) {
      if (Date.now() > end) throw new Error("not so in time");
    }
  }

  /** Mines what lies between windows at once. */
  async function toWindow(window: number): Promise<void> {
    const { firstEpoch } = await chain.contracts.lens.dealOf(ids.at(-1)!);
    const epoch = Number(firstEpoch) + (window - 1) * TIER.period;
    await chain.mine(epoch - (await chain.provider.getBlockNumber()) - 1);
  }

  /** Lets all windows be proven. */
  async function throughAll(): Promise<void> {
    for (let window = 1; window <= PERIODS; window++) {
      await toWindow(window);
      await until(async () => (await proven()) === ids.length * window, 90_000);
    }
  }

  async function proven(): Promise<number> {
    const views = await chain.contracts.lens.dealsOf(ids);
    return views.reduce((sum, view) => sum + Number(view.proven), 0);
  }

  /** Every window proven, by one event and in one transaction. */
  async function expectProvenOnce(): Promise<void> {
    const { market } = chain.contracts;
    const { topicHash } = market.interface.getEvent("Proven");
    const logs = await chain.provider.getLogs({ address: chain.deployment.market, topics: [topicHash], fromBlock: 0 });
    const windows = logs.map(({ topics, data }) => `${BigInt(topics[1]!)}/${BigInt(data)}`);
    expect(windows.length, "Proven events").to.equal(ids.length * PERIODS);
    expect(new Set(windows).size).to.equal(ids.length * PERIODS);
    const carried = await Promise.all([...new Map(logs.map((log) => [log.blockNumber, log])).values()].map(itemsOf));
    expect(carried.flat().length, "proofs in transactions").to.equal(ids.length * PERIODS);
    for (const { standing } of await chain.contracts.lens.dealsOf(ids)) expect(standing.missed).to.equal(0n);
  }

  /** Deals of all proofs that transactions of a block carry, accepted or not. */
  async function itemsOf({ blockNumber }: Log): Promise<bigint[]> {
    const block = await chain.provider.getBlock(blockNumber, true);
    return block!.prefetchedTransactions.flatMap(({ to, data }) => {
      const call = to === chain.deployment.market ? chain.contracts.market.interface.parseTransaction({ data }) : null;
      return call?.name === "proveMany" ? [...(call.args[0] as bigint[])] : [];
    });
  }

  it("proves every window once, though one is killed in the middle", async function () {
    if (!databases.isShared) this.skip();
    this.timeout(180_000);
    const dies = { atClaim: 1, onceProven: true };
    // One duty at a time, so that something is left of each window for the one that is to die of it.
    const [dying, other] = [start({ leaseMs: 2_000, dies }), start({ leaseMs: 2_000, portion: 1 })];
    await until(() => [dying, other].every((child) => child.all("workers").some(({ alive }) => alive === 2)), 60_000);
    mine(150);
    await throughAll();
    await until(() => dying.process.signalCode === "SIGKILL", 5_000);
    const takenOver = other.all("claimed").reduce((sum, { takenOver }) => sum + takenOver, 0);
    expect(takenOver, "what it had when it died").to.be.at.least(4);
    expect(other.all("proven").filter(({ own }) => own).length).to.be.lessThan(ids.length * PERIODS);
    await until(() => other.all("workers").at(-1)?.alive === 1, 5_000);
    expect(other.all("missed")).to.deep.equal([]);
    expect(other.all("trouble")).to.deep.equal([]);
    await expectProvenOnce();
  });

  it("shares the work about evenly", async function () {
    if (!databases.isShared) this.skip();
    this.timeout(180_000);
    const both = [start(), start()];
    await until(() => both.every((child) => child.all("workers").some(({ alive }) => alive === 2)), 60_000);
    mine(150);
    await throughAll();
    await until(() => both.every((child) => child.all("proven").length === ids.length * PERIODS), 30_000);
    const own = both.map((child) => child.all("proven").filter((line) => line.own).length);
    expect(own[0]! + own[1]!).to.equal(ids.length * PERIODS);
    expect(Math.min(...own), `${own} of ${ids.length * PERIODS}`).to.be.at.least((ids.length * PERIODS) / 5);
    await expectProvenOnce();
  });

  it("takes over from a dead one well within a minute, as it is set", async function () {
    this.timeout(240_000);
    const dying = start({ dies: { atClaim: 1, onceProven: false } });
    const early = databases.isShared ? start() : undefined;
    if (early) await until(() => early.all("workers").some(({ alive }) => alive === 2), 60_000);
    await until(() => dying.all("workers").length > 0, 60_000);
    await toWindow(1);
    mine(400);
    await dying.ended;
    const died = Date.now();
    const heir = early ?? start();
    await until(async () => (await proven()) >= ids.length, 90_000);
    const took = Date.now() - died;
    console.log(`      what it had was proven ${took} ms after it was killed`);
    expect(took).to.be.lessThan(60_000);
    expect(heir.all("claimed").reduce((sum, { takenOver }) => sum + takenOver, 0)).to.equal(4);
    expect(heir.all("missed")).to.deep.equal([]);
  });

  it("proves every window over reorganisations of depth 1 to 5 while duties are on their way", async function () {
    this.timeout(240_000);
    const some = databases.isShared ? [start({ leaseMs: 3_000 }), start({ leaseMs: 3_000 })] : [start()];
    await until(() => some.every((child) => child.all("workers").length > 0), 60_000);
    mine(250);
    for (const [at, depths] of [
      [3, 1, 5],
      [2, 4],
    ].entries()) {
      await toWindow(at + 1);
      for (const depth of depths) {
        // In the middle of the work: what was proven before is taken back with its block, or its challenge.
        await until(async () => (await proven()) > at * ids.length, 60_000);
        await chain.provider.send("anvil_reorg", [depth, []]);
      }
      await until(async () => (await proven()) === ids.length * (at + 1), 90_000);
    }
    const { market } = chain.contracts;
    const events = await market.queryFilter(market.filters.Proven());
    expect(events.length).to.equal(ids.length * PERIODS);
    for (const { standing } of await chain.contracts.lens.dealsOf(ids)) expect(standing.missed).to.equal(0n);
    for (const child of some) expect(child.all("missed")).to.deep.equal([]);
  });
});
