import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { isError, toQuantity, Wallet } from "ethers";
import { systemClock } from "../../src/chain/clock.js";
import { connect } from "../../src/chain/contracts.js";
import { chainError } from "../../src/chain/errors.js";
import { openPool, type PoolOptions, type PoolProvider } from "../../src/chain/pool-provider.js";
import { TransactionSender } from "../../src/chain/sender.js";
import { expectError } from "../piece/helpers.js";
import { type DevChain, startDevChain, testLogger } from "../support/dev-chain.js";
import { failure } from "../support/failure.js";
import {
  type Fault,
  failsAfter,
  nonceOff,
  oldHead,
  type RpcProxy,
  startRpcProxy,
  wrongChain,
} from "../support/rpc-proxy.js";

const SINK = "0x52908400098527886E0F7030069857D2E4169EE7";
const NOBODY = "http://127.0.0.1:1";

describe("PoolProvider", () => {
  let chain: DevChain;
  const stops: (() => unknown)[] = [];

  before(async () => {
    chain = await startDevChain();
  });
  after(() => chain.stop());
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  /** An endpoint that can be told to fail; `wrong` is asked anew for each request. */
  async function endpoint(wrong: Parameters<typeof startRpcProxy>[1] = () => undefined) {
    const proxy = await startRpcProxy(chain.anvil.url, wrong);
    stops.push(() => proxy.stop());
    return proxy;
  }

  async function open(proxies: readonly (RpcProxy | string)[], options: Partial<PoolOptions> = {}) {
    const urls = proxies.map((one) => (typeof one === "string" ? one : one.url));
    const provider = await openPool(urls, chain.deployment, { logger: testLogger(), ...options });
    stops.push(() => provider.destroy());
    return provider;
  }

  /** Opens, and waits until every endpoint has been looked at. */
  async function openAll(proxies: readonly RpcProxy[], options: Partial<PoolOptions> = {}): Promise<PoolProvider> {
    const provider = await open(proxies, options);
    while (provider.endpoints().some(({ out }) => out === "CHAIN_UNREACHABLE")) await sleep(5);
    return provider;
  }

  it("asks the next endpoint at once, whatever is wrong with the first", async () => {
    const faults: Fault[] = [500, 503, 429, "cut", "lost", "hang", "flood", { status: 403, retryAfter: "0" }];
    for (const fault of faults) {
      const wrong = [false, false];
      const proxies = [
        await endpoint(() => (wrong[0] ? fault : undefined)),
        await endpoint(() => (wrong[1] ? fault : undefined)),
      ];
      const provider = await openAll(proxies, { timeoutMs: 300, maxBytes: 2 ** 20 });
      const before = proxies.map(({ asked }) => asked.length);
      const head = await provider.getBlockNumber();
      // The one in use is the one that fails.
      const used = proxies.findIndex(({ asked }, i) => asked.length > before[i]!);
      wrong[used] = true;
      const began = Date.now();
      for (let i = 0; i < 3; i++) expect(await provider.getBlockNumber(), String(fault)).to.equal(head);
      expect(Date.now() - began, String(fault)).to.be.lessThan(2_000);
      expect(proxies[used]!.failed, String(fault)).to.be.greaterThan(0);
      const [bad, good] = [provider.endpoints()[used]!, provider.endpoints()[1 - used]!];
      expect(bad.errorRate, String(fault)).to.be.greaterThan(0.2);
      expect(bad.score, String(fault)).to.be.lessThan(good.score);
      provider.destroy();
    }
  });

  it("does not ask twice what the chain itself refused", async () => {
    const proxies = [await endpoint(), await endpoint()];
    const provider = await openAll(proxies);
    const { market } = connect(provider, chain.deployment);
    const asked = () => proxies.flatMap((proxy) => proxy.asked.filter((method) => method === "eth_call")).length;
    const before = asked();
    const refused = chainError(await failure(market.terminate.staticCall(7n)), "end a deal");
    expect(refused.revert?.name).to.equal("UnknownDeal");
    expect(asked() - before).to.equal(1);
  });

  it("tries again where there is one endpoint only, and says what was wrong in ethers' words", async () => {
    let faults: Fault[] = [];
    const only = await endpoint(() => faults.shift());
    const provider = await open([`${only.url}/secret?secret=1`], { timeoutMs: 200 });
    await provider.getBlockNumber();
    faults = ["cut", 500];
    expect(await provider.getBlockNumber()).to.be.greaterThan(0);
    const said = async (fault: Fault) => {
      faults = Array<Fault>(20).fill(fault);
      const error = await failure(provider.getBlockNumber());
      faults = [];
      expect(error.message).not.to.include("secret");
      return error;
    };
    expect(isError(await said("cut"), "NETWORK_ERROR")).to.equal(true);
    expect(isError(await said("hang"), "TIMEOUT")).to.equal(true);
    expect(isError(await said(500), "SERVER_ERROR")).to.equal(true);
  });

  it("leaves an endpoint alone for as long as it asks", async () => {
    let wrong: Fault | undefined;
    const [first, second] = [await endpoint(() => wrong), await endpoint()];
    let now = 1_000_000;
    const provider = await openAll([first, second], { clock: { ...systemClock, now: () => now } });
    await provider.getBlockNumber();
    wrong = { status: 429, retryAfter: "3600" };
    // Until the good one is out of the question, both are asked; then the limit is known.
    for (let i = 0; i < 5; i++) await provider.getBlockNumber();
    now += 6_000;
    await provider.getBlockNumber();
    const asked = first.asked.length;
    expect(first.failed).to.be.at.most(1);
    for (let i = 0; i < 10; i++) await provider.getBlockNumber();
    now += 590_000;
    await provider.getBlockNumber();
    expect(first.asked.length).to.equal(asked);
    wrong = undefined;
    now += 20_000;
    await provider.getBlockNumber();
    await sleep(100);
    expect(first.asked.length).to.be.greaterThan(asked);
  });

  it("waits a moment where all endpoints ask for one, and gives up where they ask for long", async () => {
    let faults: Fault[] = [];
    const provider = await open([await endpoint(() => faults.shift())]);
    faults = [{ status: 429, retryAfter: "1" }];
    const began = Date.now();
    await provider.getBlockNumber();
    expect(Date.now() - began).to.be.at.least(900);
    faults = [{ status: 429, retryAfter: "100" }];
    const error = await failure(provider.getBlockNumber());
    expect(isError(error, "SERVER_ERROR")).to.equal(true);
    await expectError("RATE_LIMITED", () => provider.getBlockNumber());
  });

  it("leaves an endpoint alone for no longer where somebody sets the machine's clock back", async () => {
    let faults: Fault[] = [];
    const provider = await open([await endpoint(() => faults.shift())]);
    await provider.getBlockNumber();
    faults = [{ status: 429, retryAfter: "1" }];
    const now = Date.now.bind(Date);
    stops.push(() => {
      Date.now = now;
    });
    const asking = provider.getBlockNumber();
    while (faults.length > 0) await sleep(5);
    await sleep(100);
    Date.now = () => now() - 3_600_000;
    await asking;
    await provider.getBlockNumber();
  });

  it("never goes back behind a head that it has shown", async () => {
    let [oldFirst, cutSecond] = [false, false];
    const old = oldHead(chain.anvil.url, 3);
    const first = await endpoint(() => (oldFirst ? old : undefined));
    const second = await endpoint(() => (cutSecond ? "cut" : undefined));
    const provider = await openAll([first, second]);
    const head = await provider.getBlockNumber();
    oldFirst = true;
    for (let i = 0; i < 6; i++) {
      await chain.mine();
      expect(await provider.getBlockNumber()).to.equal(head + 1 + i);
      expect((await provider.getBlock("latest"))?.number).to.equal(head + 1 + i);
    }
    cutSecond = true;
    const error = await failure(provider.getBlockNumber());
    expect(["STALE_HEAD", "NETWORK_ERROR"]).to.include((error as { code?: string }).code);
    await failure(provider.getBalance(SINK));
    await chain.mine(3);
    // As far as what was shown, and no further.
    expect(await provider.getBlockNumber()).to.equal(head + 6);
  });

  it("believes no head that one of three makes up, at its start or later, and tells of it", async () => {
    const madeUp = (question: { method: string }, result: unknown) => {
      if (question.method === "eth_blockNumber") return toQuantity(50_000_000);
      if (question.method !== "eth_getBlockByNumber") return result;
      return { ...(result as object), number: toQuantity(50_000_000) };
    };
    let [lies, others] = [true, true];
    const liar = await endpoint(() => (lies ? { says: madeUp } : undefined));
    const honest = [
      await endpoint(() => (others ? undefined : "cut")),
      await endpoint(() => (others ? undefined : "cut")),
    ];
    let now = Date.now();
    const options = { clock: { ...systemClock, now: () => now }, timeoutMs: 500 };
    // The others come late: at first there is nobody who knows better.
    others = false;
    const late = await open([liar, ...honest], options);
    expect(await late.getBlockNumber()).to.equal(50_000_000);
    others = true;
    const real = await chain.provider.getBlockNumber();
    for (let i = 0; i < 400 && (await late.getBlockNumber()) !== real; i++) {
      now += 1_000;
      await sleep(5);
    }
    expect(await late.getBlockNumber()).to.equal(real);
    expect(late.endpoints().map(({ out }) => out)).to.deep.equal(["HEAD_UNLIKELY", undefined, undefined]);
    expect(late.endpoints().map(({ lag }) => lag)).to.deep.equal([0, 0, 0]);
    // One that is honest again is in use again, and does not become a liar unnoticed.
    lies = false;
    for (let i = 0; i < 400 && late.endpoints()[0]!.out !== undefined; i++) {
      now += 6_000;
      await late.getBlockNumber();
      await sleep(5);
    }
    expect(late.endpoints()[0]!.out).to.equal(undefined);
    await chain.mine();
    await late.getBlockNumber();
    lies = true;
    for (let i = 0; i < 20; i++) {
      now += 1_000;
      await chain.mine();
      expect((await late.getBlock("latest"))?.number).to.equal(real + 2 + i);
    }
  });

  it("finds out what one of three has made up while a question is under way", async () => {
    let [others, held] = [false, async () => {}];
    const says = async ({ method }: { method: string }, result: unknown) => {
      if (method !== "eth_blockNumber") return result;
      await held();
      return toQuantity(50_000_000);
    };
    const proxies = [await endpoint(() => ({ says }))];
    for (let i = 0; i < 2; i++) proxies.push(await endpoint(() => (others ? undefined : "cut")));
    let now = Date.now();
    const provider = await open(proxies, { clock: { ...systemClock, now: () => now } });
    expect(await provider.getBlockNumber()).to.equal(50_000_000);
    // The liar is asked while it is the only one, and answers when the others are there.
    others = true;
    held = async () => {
      while (provider.endpoints().some(({ out }) => out === "CHAIN_UNREACHABLE")) await sleep(5);
    };
    now += 6_000;
    expect(await provider.getBlockNumber()).to.equal(await chain.provider.getBlockNumber());
  });

  it("believes that the chain is shorter once no endpoint has had its head for a minute", async () => {
    const snapshot = await chain.provider.send("evm_snapshot", []);
    let now = Date.now();
    const provider = await open([await endpoint()], { clock: { ...systemClock, now: () => now } });
    await chain.mine(5);
    const head = await provider.getBlockNumber();
    await chain.provider.send("evm_revert", [snapshot]);
    await expectError("STALE_HEAD", () => provider.getBlockNumber());
    await expectError("STALE_HEAD", () => provider.getBlock("latest"));
    now += 59_000;
    await expectError("STALE_HEAD", () => provider.getBlockNumber());
    now += 2_000;
    expect((await provider.getBlock("latest"))?.number).to.equal(head - 5);
  });

  it("keeps an endpoint of another chain out until it serves the right one again", async () => {
    let wrong: Fault | undefined = wrongChain;
    const [first, second] = [await endpoint(() => wrong), await endpoint()];
    let now = Date.now();
    const provider = await openAll([first, second], { clock: { ...systemClock, now: () => now } });
    expect(provider.endpoints()[0]).to.include({ out: "WRONG_CHAIN", score: 0 });
    const reads = () => first.asked.filter((method) => method !== "eth_chainId").length;
    for (let i = 0; i < 5; i++) await provider.getBlockNumber();
    expect(reads()).to.equal(0);
    const look = async (out: string | undefined) => {
      now += 6_000;
      await provider.getBlockNumber();
      for (let i = 0; i < 200 && provider.endpoints()[0]!.out !== out; i++) await sleep(10);
      expect(provider.endpoints()[0]!.out).to.equal(out);
    };
    await look("WRONG_CHAIN");
    wrong = undefined;
    await look(undefined);
    // And out again, also while it is in use.
    wrong = wrongChain;
    await look("WRONG_CHAIN");
  });

  it("compares each endpoint with the deployment before it uses it, again when it comes back", async () => {
    let lies = true;
    const liar = await endpoint((methods) =>
      lies && methods.includes("eth_getCode") ? { says: () => "0x" } : undefined,
    );
    const provider = await openAll([liar, await endpoint()]);
    expect(provider.endpoints().map(({ out }) => out)).to.deep.equal(["DEPLOYMENT_MISMATCH", undefined]);
    await expectError("DEPLOYMENT_MISMATCH", () => open([liar]));
    lies = false;
    let now = Date.now();
    const later = await openAll([liar, await endpoint()], { clock: { ...systemClock, now: () => now } });
    expect(later.endpoints().map(({ out }) => out)).to.deep.equal([undefined, undefined]);
    // What is behind an address can change: it is looked at again every hour.
    lies = true;
    now += 3_600_001;
    await later.getBlockNumber();
    for (let i = 0; i < 200 && later.endpoints()[0]!.out === undefined; i++) await sleep(10);
    expect(later.endpoints()[0]!.out).to.equal("DEPLOYMENT_MISMATCH");
    lies = false;
    const deployment = { ...chain.deployment, feeBps: 99 };
    await expectError("DEPLOYMENT_MISMATCH", () => openPool([liar.url], deployment, { logger: testLogger() }));
  });

  it("opens an endpoint that drops a question now and then, and not one that drops three in a row", async () => {
    const times = new Map<string, number>();
    let dropped = 1;
    const drops = await endpoint((_, body) => {
      const before = times.get(body) ?? 0;
      times.set(body, before + 1);
      return before < dropped ? 500 : undefined;
    });
    const provider = await open([drops]);
    expect(provider.endpoints()[0]!.out).to.equal(undefined);
    expect(times.size).to.be.greaterThan(10);
    times.clear();
    dropped = 3;
    await expectError("CHAIN_UNREACHABLE", () => open([drops]));
  });

  it("opens with one endpoint that works, and says why where there is none", async () => {
    const provider = await open([NOBODY, await endpoint()]);
    expect(await provider.getBlockNumber()).to.be.greaterThan(0);
    await expectError("CHAIN_UNREACHABLE", () => open([NOBODY]));
    await expectError("WRONG_CHAIN", async () => open([NOBODY, await endpoint(() => wrongChain)]));
    for (const url of ["ws://secret", "secret", "file:///secret"]) {
      expect((await expectError("INVALID_ENDPOINT", () => open([url]))).message).not.to.include("secret");
    }
    await expectError("INVALID_ENDPOINT", () => open([]));
  });

  describe("transactions", () => {
    let wallet: Wallet;
    beforeEach(async () => {
      wallet = await chain.account();
    });

    const pay = (provider: PoolProvider) =>
      new TransactionSender({ provider, signer: wallet, logger: testLogger(), pollMs: 10 }).send(
        { to: SINK, data: "0x", value: 1n },
        "pay",
      );

    it("go to every endpoint, and one that takes them is enough", async () => {
      let wrong: Fault | undefined;
      const bad = await endpoint((methods) => (methods.includes("eth_sendRawTransaction") ? wrong : undefined));
      const proxies = [bad, await endpoint(), await endpoint()];
      const provider = await openAll(proxies, { timeoutMs: 500 });
      for (const fault of ["hang", 500, "lost", nonceOff(0)] as const) {
        wrong = fault;
        expect((await pay(provider)).status).to.equal("mined");
      }
      await sleep(50);
      for (const { asked } of proxies) {
        expect(asked.filter((method) => method === "eth_sendRawTransaction").length).to.be.at.least(3);
      }
    });

    for (const [what, taking] of [
      ["an error of its own", failsAfter],
      ["nothing", "lost"],
    ] as const) {
      it(`are on their way, once, where one takes them and says ${what}, and the other refuses them`, async () => {
        await chain.automine(false);
        let sent = 0;
        const first = (fault: Fault) => (methods: readonly string[]) =>
          methods.includes("eth_sendRawTransaction") && sent++ < 2 ? fault : undefined;
        const refusing = first({ refuses: { code: -32_000, message: "transaction underpriced" } });
        const provider = await openAll([await endpoint(first(taking)), await endpoint(refusing)]);
        const paid = Wallet.createRandom().address;
        const sender = new TransactionSender({ provider, signer: wallet, logger: testLogger(), pollMs: 10 });
        const paying = sender.send({ to: paid, data: "0x", value: 1n }, "pay");
        paying.catch(() => undefined);
        while (sent < 2) await sleep(5);
        await sleep(50);
        await chain.mine();
        expect((await paying).status).to.equal("mined");
        expect(await chain.provider.getBalance(paid)).to.equal(1n);
        expect(await chain.provider.getTransactionCount(wallet.address)).to.equal(1);
        await chain.automine(true);
      });
    }

    it("are refused at once where one endpoint refuses them and the other can't be reached", async () => {
      const dead = await endpoint();
      const refuses = { refuses: { code: -32_000, message: "transaction underpriced" } };
      const refusing = await endpoint((methods) => (methods.includes("eth_sendRawTransaction") ? refuses : undefined));
      const provider = await openAll([dead, refusing]);
      await dead.stop();
      stops.splice(0, 1);
      expect((await failure(pay(provider))).message).to.include("transaction underpriced");
    });

    it("are not refused where an endpoint has them already", async () => {
      await chain.automine(false);
      const provider = await openAll([await endpoint(), await endpoint()]);
      const raw = await wallet.signTransaction({
        ...{ type: 2, chainId: 31_337, nonce: 0, to: SINK, gasLimit: 21_000n },
        ...{ maxFeePerGas: 10n ** 12n, maxPriorityFeePerGas: 1n },
      });
      const hash = await provider.send("eth_sendRawTransaction", [raw]);
      expect(await provider.send("eth_sendRawTransaction", [raw])).to.equal(hash);
      await chain.mine();
      expect((await provider.getTransactionReceipt(hash as string))?.status).to.equal(1);
      await chain.automine(true);
      const again = await failure(provider.send("eth_sendRawTransaction", [raw]));
      expect(again.message).to.match(/nonce/);
    });

    it("have right nonces, whatever one endpoint of three says, or one of two that says more", async () => {
      const liar = await endpoint(() => nonceOff(7));
      const honest = [await endpoint(), await endpoint()];
      for (const proxies of [
        [liar, ...honest],
        [liar, honest[0]!],
      ]) {
        const provider = await openAll(proxies);
        const nonce = await chain.provider.getTransactionCount(wallet.address);
        for (let i = 0; i < 5; i++) expect(await provider.getTransactionCount(wallet.address)).to.equal(nonce);
        expect((await pay(provider)).status).to.equal("mined");
      }
      const low = await openAll([await endpoint(() => nonceOff(-1)), ...honest]);
      expect((await pay(low)).status).to.equal("mined");
    });

    it("are sent though one endpoint of two counts ten too few", async () => {
      for (let i = 0; i < 12; i++) await (await wallet.sendTransaction({ to: SINK })).wait();
      const provider = await openAll([await endpoint(), await endpoint(() => nonceOff(-10))]);
      expect((await pay(provider)).status).to.equal("mined");
      expect(await chain.provider.getTransactionCount(wallet.address)).to.equal(13);
    });

    it("cost what the chain shows to be usual, whatever an endpoint advises", async () => {
      const advises = (tip: bigint) => (methods: readonly string[]) =>
        methods.includes("eth_maxPriorityFeePerGas") ? { says: () => toQuantity(tip) } : undefined;
      const greedy = await endpoint(advises(10n ** 15n));
      for (const proxies of [[greedy], [greedy, await endpoint(advises(2n * 10n ** 9n))]]) {
        const provider = await openAll(proxies);
        for (let i = 0; i < 3; i++) {
          const sent = await pay(provider);
          if (sent.status !== "mined") throw new Error(sent.status);
          const tip = (await sent.receipt.getTransaction()).maxPriorityFeePerGas!;
          expect(tip <= BigInt(proxies.length === 1 ? 3n : 2n) * 10n ** 9n, String(tip)).to.equal(true);
        }
      }
    });

    it("do not wait for an endpoint that is late with a nonce", async () => {
      let late = false;
      const slow = await endpoint(() => (late ? { lateMs: 3_000 } : undefined));
      const provider = await openAll([slow, await endpoint()]);
      late = true;
      const began = Date.now();
      await provider.getTransactionCount(wallet.address);
      expect(Date.now() - began).to.be.lessThan(2_000);
    });
  });

  it("asks one endpoint no more than sixteen things at a time", async () => {
    const only = await endpoint(() => ({ lateMs: 20 }));
    const provider = await open([only]);
    await Promise.all(Array.from({ length: 100 }, () => provider.getBalance(SINK)));
    expect(only.most).to.equal(16);
  });

  it("keeps nobody waiting in line for an endpoint that has gone silent", async () => {
    let hangs = false;
    const silent = await endpoint(() => (hangs ? "hang" : undefined));
    const provider = await openAll([silent, await endpoint()], { timeoutMs: 500 });
    hangs = true;
    const began = Date.now();
    await Promise.all(Array.from({ length: 200 }, () => provider.getBalance(SINK)));
    // 200 in lines of sixteen would take thirteen times the limit.
    expect(Date.now() - began).to.be.lessThan(4_000);
  });

  it("ends what is under way when it is destroyed", async () => {
    let hangs = false;
    const provider = await open([await endpoint(() => (hangs ? "hang" : undefined))]);
    hangs = true;
    const asking = failure(provider.getBlockNumber());
    await sleep(50);
    const began = Date.now();
    provider.destroy();
    expect(await asking).to.include({ code: "CLOSED" });
    expect(Date.now() - began).to.be.lessThan(500);
  });

  it("sends a user and password apart from the URL, and follows no redirect", async () => {
    const { createServer } = await import("node:http");
    const seen: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      seen.push(request.headers.authorization);
      response.writeHead(307, { location: chain.anvil.url }).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    stops.push(() => server.close());
    const { port } = server.address() as { port: number };
    const error = await expectError("CHAIN_UNREACHABLE", () => open([`http://us%C3%A9r:s3cret@127.0.0.1:${port}/key`]));
    expect(error.message).not.to.match(/s3cret|key/);
    expect(seen[0]).to.equal(`Basic ${Buffer.from("usér:s3cret").toString("base64")}`);
  });
});
