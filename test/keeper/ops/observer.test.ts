import { EventEmitter } from "node:events";
import { createConnection } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { type TransactionReceipt, toBeHex, type Wallet } from "ethers";
import { openChain } from "../../../src/chain/chain.js";
import { TransactionSender } from "../../../src/chain/sender.js";
import {
  type HealthReport,
  KeeperObserver,
  type OpsServer,
  ProvingKeeper,
  type ProvingKeeperOptions,
  type RestoringKeeper,
  startOpsServer,
  WatchingKeeper,
} from "../../../src/keeper/index.js";
import { Status } from "../../../src/protocol/index.js";
import { MemoryDuties } from "../../../src/store/duties.js";
import { expectError } from "../../piece/helpers.js";
import { type DevChain, startDevChain, testLogger } from "../../support/dev-chain.js";
import { bytesOf, COIN, Parties, startRestoring, stepUntil } from "../../support/keeping.js";
import { startRpcProxy } from "../../support/rpc-proxy.js";

const NOBODY = "http://127.0.0.1:1";

describe("KeeperObserver", () => {
  let chain: DevChain;
  let parties: Parties;
  let account: Wallet;
  let server: OpsServer;
  let observer: KeeperObserver;
  let keeper: ProvingKeeper;
  const stops: (() => unknown)[] = [];

  beforeEach(async () => {
    chain = await startDevChain();
    stops.push(() => chain.stop());
    parties = await Parties.on(chain);
  });
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  /** A keeper that proves, one that settles, and what watches them, over a real endpoint and one that is not there. */
  async function observed(leastBalance = 1n, options: Partial<ProvingKeeperOptions> = {}): Promise<void> {
    const logger = testLogger();
    const proxy = await startRpcProxy(chain.anvil.url, () => undefined);
    stops.push(() => proxy.stop());
    const service = await openChain([proxy.url, NOBODY], chain.deployment, { logger, pollMs: 5 });
    account = (await chain.account()).connect(service.provider);
    observer = new KeeperObserver({ chain: service, accounts: [account.address], leastBalance, logger });
    const { onMined } = observer;
    const sender = new TransactionSender({ provider: service.provider, signer: account, logger, pollMs: 5, onMined });
    const { pieces, provider } = parties;
    keeper = new ProvingKeeper({ chain: service, sender, pieces, provider: provider.address, logger, ...options });
    const watching = new WatchingKeeper({ chain: service, sender, logger });
    observer.proving(keeper);
    observer.settling(watching);
    server = await startOpsServer({ observer, logger });
    const stopping = new AbortController();
    const running = [keeper, watching, observer].map((service) => service.run(stopping.signal));
    stops.push(async () => {
      stopping.abort();
      await Promise.all(running);
      await server.close();
      service.provider.destroy();
    });
  }

  async function health(): Promise<{ status: number; report: HealthReport; red: string[] }> {
    const response = await fetch(`${server.url}/health`);
    const report = (await response.json()) as HealthReport;
    return { status: response.status, report, red: report.checks.filter(({ ok }) => !ok).map(({ name }) => name) };
  }

  /** Samples by name and labels, as Prometheus would read them. */
  async function samples(): Promise<Map<string, number>> {
    const response = await fetch(`${server.url}/metrics`);
    expect(response.headers.get("content-type")).to.match(/^text\/plain; version=0\.0\.4/);
    const lines = (await response.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    return new Map(
      lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]),
    );
  }

  it("counts what was due, done and paid, as the chain has it", async function () {
    this.timeout(60_000);
    await observed();
    const terms = [1, 2].map(async (i) => parties.terms(await parties.pieces.add(bytesOf(i))));
    const ids = await parties.open(await Promise.all(terms));
    let [proven, ended] = [0, 0];
    const blocks: number[] = [];
    keeper
      .on("ended", () => ended++)
      .on("proven", ({ block }) => {
        proven++;
        if (block !== undefined) blocks.push(block);
      });
    await stepUntil(chain, () => ended === ids.length, 200, keeper);
    await sleep(200);
    const at = await samples();
    expect(proven).to.equal(12);
    expect(at.get("holdfast_duties_due_total")).to.equal(12);
    expect(at.get('holdfast_duties_done_total{own="true"}')).to.equal(12);
    expect(at.get("holdfast_duties_missed_total")).to.equal(0);
    expect(at.get("holdfast_duties_open")).to.equal(0);
    expect(at.get("holdfast_settled_deals_total")).to.be.greaterThan(0);
    const views = await chain.contracts.lens.dealsOf(ids);
    // Window k's challenge is drawn at firstEpoch + (k - 1) periods; the first is firstEpoch itself.
    const { period } = chain.deployment.tiers[0]!;
    const epochs = views.flatMap(({ firstEpoch }) => [0, 1, 2, 3, 4, 5].map((k) => Number(firstEpoch) + k * period));
    const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);
    expect(at.get("holdfast_duty_delay_blocks_count")).to.equal(12);
    expect(at.get("holdfast_duty_delay_blocks_sum")).to.equal(sum(blocks) - sum(epochs));
    expect(at.get("holdfast_duty_delay_seconds_count")).to.equal(12);
    const times = async (numbers: readonly number[]) =>
      sum(await Promise.all(numbers.map(async (number) => (await chain.provider.getBlock(number))!.timestamp)));
    expect(at.get("holdfast_duty_delay_seconds_sum")).to.equal((await times(blocks)) - (await times(epochs)));
    const labels = `{account="${account.address}"}`;
    const balance = Number(await chain.provider.getBalance(account.address)) / 1e18;
    const spent = at.get(`holdfast_fees_spent_coin_total${labels}`) ?? 0;
    expect(Math.abs(spent - (1_000 - balance))).to.be.lessThan(1e-9);
    const sent = await chain.provider.getTransactionCount(account.address);
    expect(at.get(`holdfast_transactions_total{account="${account.address}",result="done"}`)).to.equal(sent);
    expect(at.get("holdfast_head_number")).to.equal(await chain.provider.getBlockNumber());
  });

  it("is red where a duty was missed, and green again once the next one is done", async function () {
    this.timeout(60_000);
    await observed();
    const piece = await parties.pieces.add(bytesOf(1));
    const [id] = await parties.open([parties.terms(piece)]);
    await stepUntil(chain, () => observer.health().healthy, 20, keeper);
    expect(await health()).to.deep.include({ status: 200, red: [] });
    const restore = parties.pieces.lose(piece);
    let missed = 0;
    keeper.on("missed", () => missed++);
    await stepUntil(chain, () => missed === 1, 120, keeper);
    const red = await health();
    expect(red).to.deep.include({ status: 503, red: ["duties"] });
    expect(red.report.checks[0]!.detail).to.include(`window 1 of deal 0x${id!.toString(16).padStart(64, "0")}`);
    const at = await samples();
    expect(at.get("holdfast_duties_missed_total")).to.equal(1);
    expect(at.get('holdfast_duty_trouble_total{code="MISSING_PIECE"}')).to.equal(1);
    expect(at.get('holdfast_healthy{check="duties"}')).to.equal(0);
    restore();
    await stepUntil(chain, () => observer.health().healthy, 60, keeper);
    expect((await health()).status).to.equal(200);
  });

  it("is red after a restart for what was missed before, though nobody is told of it again", async function () {
    this.timeout(60_000);
    const piece = await parties.pieces.add(bytesOf(1));
    const [id] = await parties.open([parties.terms(piece)]);
    const { firstEpoch } = await chain.contracts.lens.dealOf(id!);
    const { window } = chain.deployment.tiers[0]!;
    await chain.mine(Number(firstEpoch) + window - (await chain.provider.getBlockNumber()));
    await observed();
    await stepUntil(chain, () => observer.health().checks.every(({ name, ok }) => ok || name === "duties"), 6, keeper);
    expect(await health()).to.deep.include({ status: 503, red: ["duties"] });
    expect((await samples()).get("holdfast_duties_missed_total")).to.equal(0);
    await stepUntil(chain, () => observer.health().healthy, 40, keeper);
  });

  it("is red where the last window that a deal had was missed, and forgets that deal after a period", async function () {
    this.timeout(60_000);
    await observed();
    const piece = await parties.pieces.add(bytesOf(1));
    const [id] = await parties.open([parties.terms(piece)]);
    parties.pieces.lose(piece);
    let status = 0;
    keeper.on("ended", (event) => {
      status = event.status;
    });
    await stepUntil(chain, () => status !== 0, 200, keeper);
    expect(status).to.equal(Status.Defaulted);
    const { red, report } = await health();
    expect(red).to.deep.equal(["duties"]);
    const { maxMisses } = chain.deployment.tiers[0]!;
    expect(report.checks[0]!.detail).to.equal(`missed: window ${maxMisses} of deal ${toBeHex(id!, 32)}`);
    await stepUntil(chain, () => observer.health().healthy, 60, keeper);
    expect((await health()).status).to.equal(200);
  });

  it("is red where a keeper comes to the end of no head, and for what it misses meanwhile", async function () {
    this.timeout(60_000);
    const piece = await parties.pieces.add(bytesOf(1));
    await parties.open([parties.terms(piece)]);
    parties.pieces.lose(piece);
    let broken = false;
    const get = (target: MemoryDuties, name: string) => {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return async (...args: unknown[]) => {
        if (broken) throw new Error("the database is down");
        return value.apply(target, args);
      };
    };
    await observed(1n, { duties: new Proxy(new MemoryDuties(), { get }) as MemoryDuties });
    await stepUntil(chain, () => observer.health().healthy, 6, keeper);
    broken = true;
    for (let i = 0; i < 40; i++) {
      await chain.mine();
      await sleep(40);
    }
    const { red, report } = await health();
    expect(red).to.deep.equal(["duties", "looks"]);
    expect(report.checks.find(({ name }) => name === "looks")!.detail).to.match(/^proving has not got past block \d+$/);
    expect((await samples()).get("holdfast_duties_missed_total")).to.equal(0);
  });

  it("tells of misses that are not made good, and is red but at the operator's own limit", async function () {
    this.timeout(60_000);
    await observed();
    const limits = { missesPerDeal: 2, stake: new Map([[COIN, 10n ** 17n]]) };
    const { keeper: restoring, stop } = await startRestoring(parties, limits, (one) => observer.restoring(one));
    stops.push(stop);
    const piece = await parties.pieces.add(bytesOf(1));
    await parties.open([parties.terms(piece, { periods: 12 })]);
    parties.pieces.lose(piece);
    await stepUntil(chain, () => restoring.held.size > 0, 90, restoring);
    const missing = await health();
    expect(missing.red).to.include("restoring");
    expect(missing.report.checks.at(-1)!.detail).to.match(/deal 0x\w{64} \(MISSING_PIECE\)/);
    expect((await samples()).get('holdfast_misses_held_deals{code="MISSING_PIECE"}')).to.equal(1);
    await stop();
    stops.pop();
    const held = new Map([[1n, "RESTORE_LIMIT"]]);
    const limited = Object.assign(new EventEmitter(), { held });
    observer.restoring(limited as unknown as RestoringKeeper);
    expect(observer.health().checks.at(-1)).to.deep.include({ ok: false });
    restoring.emit("restored", { id: 1n, misses: 2, bonded: 1n, hash: "0x", block: 1 });
    const at = await samples();
    expect(at.get('holdfast_misses_held_deals{code="RESTORE_LIMIT"}')).to.equal(1);
    expect(at.get("holdfast_restored_misses_total")).to.equal(2);
    (restoring.held as Map<bigint, string>).clear();
    expect(observer.health().checks.at(-1)).to.deep.include({
      ok: true,
      detail: "deals at the limit of what is restored: 1",
    });
    held.clear();
    expect([...(await samples()).keys()].filter((key) => key.startsWith("holdfast_misses_held"))).to.deep.equal([]);
  });

  it("watches accounts that are named later", async () => {
    await observed(10n ** 18n);
    const stake = (await chain.account()).address;
    await chain.provider.send("anvil_setBalance", [stake, "0x1"]);
    observer.paying(stake);
    await chain.mine();
    for (let i = 0; i < 100 && !(await samples()).has(`holdfast_balance_coin{account="${stake}"}`); i++)
      await sleep(20);
    const { red, report } = await health();
    expect(red).to.deep.equal(["balance"]);
    expect(report.checks.find(({ name }) => name === "balance")!.detail).to.include(`${stake} has 1 wei`);
    expect((await samples()).get(`holdfast_transactions_total{account="${stake}",result="reverted"}`)).to.equal(0);
  });

  it("is red where gas can't be paid much longer", async () => {
    await observed(10n ** 22n);
    for (let i = 0; i < 100 && (await health()).red.join() !== "balance"; i++) await sleep(20);
    const { status, red, report } = await health();
    expect([status, red.join()]).to.deep.equal([503, "balance"]);
    expect(report.checks.find(({ name }) => name === "balance")?.detail).to.include(
      "less than 10000000000000000000000",
    );
  });

  it("is red where the head is stale, or was never seen", async () => {
    const logger = testLogger();
    const service = await openChain(chain.anvil.url, chain.deployment, { logger, pollMs: 5, maxHeadBlocks: 1 });
    stops.push(() => service.provider.destroy());
    const unused = new KeeperObserver({ chain: service, accounts: [], logger });
    expect(
      unused
        .health()
        .checks.filter(({ ok }) => !ok)
        .map(({ name }) => name),
    ).to.deep.equal(["head"]);
    const stopping = new AbortController();
    const running = unused.run(stopping.signal);
    // One block time after the last block, by the machine's clock.
    const limit = service.follower.watch!.maxSeconds;
    expect(limit).to.be.at.least(1);
    for (let i = 0; i < 200 && unused.health().checks[1]!.detail.startsWith("no block"); i++) await sleep(10);
    await sleep(limit * 1_000 + 200);
    expect(unused.health().checks[1]!.ok).to.equal(false);
    expect(unused.health().checks[1]!.detail).to.match(/^block \d+ is \d+ s old/);
    expect((await unused.metrics()).text).to.match(/^holdfast_head_stale 1$/m);
    stopping.abort();
    await running;
  });

  it("tells of reorganisations and endpoints", async function () {
    this.timeout(30_000);
    await observed();
    await chain.mine(5);
    await sleep(200);
    await chain.provider.send("anvil_reorg", [3, []]);
    for (let i = 0; i < 100 && (await samples()).get("holdfast_reorgs_total") !== 1; i++) {
      await chain.mine();
      await sleep(30);
    }
    const at = await samples();
    expect(at.get("holdfast_reorgs_total")).to.equal(1);
    expect(at.get("holdfast_reorg_depth_blocks_sum")).to.be.at.least(1);
    const good = [...at.keys()].find((key) => key.startsWith("holdfast_endpoint_up") && !key.includes(NOBODY))!;
    expect(at.get(good)).to.equal(1);
    expect(at.get(`holdfast_endpoint_up{endpoint="${NOBODY}"}`)).to.equal(0);
    expect(at.get(`holdfast_endpoint_score{endpoint="${NOBODY}"}`)).to.equal(0);
    expect(at.get(good.replace("_up", "_score"))).to.be.greaterThan(0);
    expect(at.get(good.replace("_up", "_latency_seconds"))).to.be.greaterThan(0);
  });

  it("gives codes of strangers no label of their own", async () => {
    await observed();
    const code = "x".repeat(100);
    keeper.emit("trouble", { id: 1n, window: 1, code, message: "", retryAt: 0 });
    for (let i = 0; i < 200; i++)
      keeper.emit("trouble", { id: 1n, window: 1, code: `CODE_${i}`, message: "", retryAt: 0 });
    const codes = [...(await samples()).keys()].filter((key) => key.startsWith("holdfast_duty_trouble_total"));
    expect(codes.length).to.equal(65);
    expect(codes.join()).not.to.include(code);
  });

  it("counts what a transaction cost that reverted", async () => {
    await observed();
    observer.onMined({ from: account.address, fee: 5n * 10n ** 17n, status: 0 } as TransactionReceipt);
    const at = await samples();
    expect(at.get(`holdfast_fees_spent_coin_total{account="${account.address}"}`)).to.equal(0.5);
    expect(at.get(`holdfast_transactions_total{account="${account.address}",result="reverted"}`)).to.equal(1);
  });

  describe("over HTTP", () => {
    beforeEach(() => observed());

    it("answers only what it has", async () => {
      expect((await fetch(`${server.url}/`)).status).to.equal(404);
      expect((await fetch(`${server.url}/metrics/../../etc/passwd`)).status).to.equal(404);
      expect((await fetch(`${server.url}/health`, { method: "POST", body: "x" })).status).to.equal(405);
      const head = await fetch(`${server.url}/metrics?x=1`, { method: "HEAD" });
      expect([head.status, await head.text()]).to.deep.equal([200, ""]);
      expect(new URL(server.url).hostname).to.equal("127.0.0.1");
      const port = Number(new URL(server.url).port);
      await expectError("LISTEN_FAILED", () => startOpsServer({ observer, logger: testLogger(), port }));
    });

    it("is not held up by those who connect and say nothing", async function () {
      this.timeout(20_000);
      const { hostname, port } = new URL(server.url);
      const idle = Array.from({ length: 40 }, () =>
        createConnection(Number(port), hostname).on("error", () => undefined),
      );
      stops.push(() => idle.forEach((socket) => void socket.destroy()));
      await sleep(100);
      for (let i = 0; ; i++) {
        const answered = await fetch(`${server.url}/health`).then(
          ({ status }) => status,
          () => undefined,
        );
        if (answered !== undefined) break;
        expect(i, "still no connection is free").to.be.lessThan(30);
        await sleep(500);
      }
    });
  });
});
