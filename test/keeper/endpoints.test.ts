import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { openChain } from "../../src/chain/chain.js";
import { TransactionSender } from "../../src/chain/sender.js";
import { ProvingKeeper, type Trouble } from "../../src/keeper/index.js";
import { type DevChain, startDevChain, testLogger } from "../support/dev-chain.js";
import { bytesOf, Parties, stepUntil } from "../support/keeping.js";
import { type Fault, oldHead, startRpcProxy } from "../support/rpc-proxy.js";

describe("a keeper over several endpoints", () => {
  let chain: DevChain;
  let parties: Parties;
  const stops: (() => unknown)[] = [];

  beforeEach(async () => {
    chain = await startDevChain();
    stops.push(() => chain.stop());
    parties = await Parties.on(chain);
  });
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  async function keep(faults: readonly ((methods: readonly string[]) => Fault | undefined)[]) {
    const logger = testLogger();
    const urls: string[] = [];
    for (const fault of faults) {
      const proxy = await startRpcProxy(chain.anvil.url, fault);
      stops.push(() => proxy.stop());
      urls.push(proxy.url);
    }
    const service = await openChain(urls, chain.deployment, { logger, pollMs: 5, timeoutMs: 200 });
    while (service.endpoints!().some(({ out }) => out !== undefined)) await sleep(5);
    const account = (await chain.account()).connect(service.provider);
    const sender = new TransactionSender({ provider: service.provider, signer: account, logger, pollMs: 5 });
    const { pieces, provider } = parties;
    const keeper = new ProvingKeeper({ chain: service, sender, pieces, provider: provider.address, logger });
    const told = { trouble: [] as Trouble[], missed: 0, ended: 0, proven: [] as { window: number; block?: number }[] };
    keeper.on("trouble", (event) => told.trouble.push(event)).on("missed", () => told.missed++);
    keeper.on("ended", () => told.ended++);
    keeper.on("proven", ({ window, block }) => told.proven.push({ window, ...(block === undefined ? {} : { block }) }));
    const stopping = new AbortController();
    const running = keeper.run(stopping.signal);
    stops.push(async () => {
      stopping.abort();
      await running;
      service.provider.destroy();
    });
    return { keeper, told };
  }

  it("asks another at once: a fault that always strikes the same call holds no proof up", async function () {
    this.timeout(60_000);
    // Each by itself would never let a proof through.
    let wrong = false;
    const { keeper, told } = await keep([
      (methods) => (wrong && methods.includes("eth_estimateGas") ? 500 : undefined),
      (methods) => (wrong && methods.includes("eth_call") ? "cut" : undefined),
    ]);
    wrong = true;
    const [id] = await parties.open([parties.terms(await parties.pieces.add(bytesOf(1)))]);
    await stepUntil(chain, () => told.ended === 1, 200, keeper);
    const { firstEpoch, proven } = await chain.contracts.lens.dealOf(id!);
    expect(proven).to.equal(6n);
    expect(told.trouble).to.deep.equal([]);
    expect(told.missed).to.equal(0);
    const { period } = chain.deployment.tiers[0]!;
    for (const { window, block } of told.proven) {
      expect(block! - (Number(firstEpoch) + (window - 1) * period)).to.be.at.most(4);
    }
  });

  it("proves everything where they fail, hang and lag in turns, and one of them is well", async function () {
    this.timeout(120_000);
    const old = oldHead(chain.anvil.url, 4);
    const turns: readonly (Fault | undefined)[] = [429, "hang", old, "lost", 503, undefined];
    let [asked, calm] = [0, true];
    const faulty = (shift: number) => () =>
      calm || (Math.floor(asked++ / 7) + shift) % 2 === 0 ? undefined : turns[Math.floor(asked / 7) % turns.length];
    const { keeper, told } = await keep([faulty(0), faulty(1)]);
    calm = false;
    const terms = [1, 2, 3].map(async (i) => parties.terms(await parties.pieces.add(bytesOf(i)), { tier: 1 }));
    const ids = await parties.open(await Promise.all(terms));
    // Blocks come at their own pace, and windows are sixteen of them.
    for (let block = 0; told.ended < ids.length && block < 400; block++) {
      await chain.mine();
      await sleep(30);
      const due = async () =>
        (await chain.contracts.lens.dealsOf(ids)).some(({ standing, lastProven }) => standing.open > lastProven);
      for (let waited = 0; waited < 15 && (await due()); waited++) await sleep(100);
    }
    expect(keeper.inFlight).to.equal(0);
    expect(told.missed).to.equal(0);
    for (const { proven } of await chain.contracts.lens.dealsOf(ids)) expect(proven).to.equal(6n);
  });
});
