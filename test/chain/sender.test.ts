import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { FeeData, id, keccak256, makeError, Transaction, toQuantity, type Wallet, ZeroAddress } from "ethers";
import { systemClock } from "../../src/chain/clock.js";
import { type ChainError, chainError, decodeRevert, errorName } from "../../src/chain/errors.js";
import { marketFees } from "../../src/chain/fees.js";
import { type Journal, type JournalEntry, MemoryJournal } from "../../src/chain/journal.js";
import { type SenderOptions, TransactionSender } from "../../src/chain/sender.js";
import { type DevChain, startDevChain, testLogger } from "../support/dev-chain.js";
import { failure } from "../support/failure.js";

const SINK = "0x52908400098527886E0F7030069857D2E4169EE7";

describe("TransactionSender", () => {
  let chain: DevChain;
  let wallet: Wallet;
  let sender: TransactionSender;

  before(async () => {
    chain = await startDevChain();
  });
  after(() => chain.stop());
  beforeEach(async () => {
    await chain.automine(true);
    wallet = await chain.account();
    sender = senderOf({});
  });

  const senderOf = (options: Partial<SenderOptions>) =>
    new TransactionSender({ provider: chain.provider, signer: wallet, logger: testLogger(), pollMs: 10, ...options });

  const settle = (ids: bigint[]) => ({
    to: chain.deployment.market,
    data: chain.contracts.market.interface.encodeFunctionData("settle", [ids, ZeroAddress]),
  });

  it("sends, and hands back the receipt", async () => {
    const sent = await sender.send({ to: SINK, data: "0x", value: 5n }, "pay");
    if (sent.status !== "mined") throw new Error(sent.status);
    expect(sent.replacements).to.equal(0);
    expect(sent.receipt.from).to.equal(wallet.address);
    expect(await chain.provider.getBalance(SINK)).to.equal(5n);
  });

  it("gives twenty transactions at once twenty nonces in a row", async () => {
    await chain.automine(false);
    const sending = Array.from({ length: 20 }, (_, i) => sender.send(settle([BigInt(i)]), `settle ${i}`));
    await untilPending(20);
    await chain.mine();
    const sent = await Promise.all(sending);
    const nonces = await Promise.all(
      sent.map(async (one) => {
        if (one.status !== "mined") throw new Error(one.status);
        return (await one.receipt.getTransaction()).nonce;
      }),
    );
    expect(nonces.sort((a, b) => a - b)).to.deep.equal(Array.from({ length: 20 }, (_, i) => i));
  });

  it("steps over a nonce that another process has used meanwhile", async () => {
    await sender.send(settle([1n]), "settle");
    const count = chain.provider.getTransactionCount.bind(chain.provider);
    const stale = await count(wallet.address, "pending");
    await wallet.sendTransaction({ to: SINK, value: 1n });
    const provider = behind(chain, { getTransactionCount: async () => stale });
    const sent = await senderOf({ provider }).send(settle([1n]), "settle");
    expect(sent.status).to.equal("mined");
  });

  it("says why it was refused, and sends nothing", async () => {
    const data = chain.contracts.market.interface.encodeFunctionData("terminate", [7n]);
    const error = await failure<ChainError>(sender.send({ to: chain.deployment.market, data }, "end a deal"));
    expect(error).to.include({ code: "REVERTED", failure: "hopeless", name: "ChainError" });
    expect(error.message).to.equal("Failed to end a deal: UnknownDeal(7)");
    expect(error.revert?.args).to.deep.equal([7n]);
    expect(await chain.provider.getTransactionCount(wallet.address)).to.equal(0);
  });

  it("takes it for done where somebody else has done it", async () => {
    const profile = { name: "n", url: "", peerId: "", region: "0x000000000000", tiers: 1, offerUri: "" };
    const data = chain.contracts.registry.interface.encodeFunctionData("register", [profile]);
    const call = { to: chain.deployment.registry, data };
    expect((await sender.send(call, "register")).status).to.equal("mined");
    const again = await sender.send(call, "register");
    if (again.status !== "done") throw new Error(again.status);
    expect(again.revert.text).to.equal(`AlreadyRegistered(${wallet.address})`);
  });

  it("decodes the reason of a transaction that was good when sent and reverted in its block", async () => {
    await chain.automine(false);
    const profile = { name: "n", url: "", peerId: "", region: "0x000000000000", tiers: 1, offerUri: "" };
    const data = chain.contracts.registry.interface.encodeFunctionData("register", [profile]);
    const call = { to: chain.deployment.registry, data };
    const sending = [sender.send(call, "register"), sender.send(call, "register")];
    await untilPending(2);
    await chain.mine();
    expect((await Promise.all(sending)).map(({ status }) => status).sort()).to.deep.equal(["done", "mined"]);
  });

  it("replaces a stuck transaction with one that pays more", async () => {
    await chain.automine(false);
    const hasty = senderOf({ replaceAfterMs: 150 });
    const sending = hasty.send(settle([1n]), "settle");
    const first = (await untilPending(1))[0]!;
    let second = first;
    while (second.hash === first.hash) second = (await untilPending(1))[0]!;
    expect(second.nonce).to.equal(first.nonce);
    expect(BigInt(second.maxFeePerGas)).to.be.greaterThan((BigInt(first.maxFeePerGas) * 112n) / 100n);
    await chain.mine();
    const sent = await sending;
    if (sent.status !== "mined") throw new Error(sent.status);
    expect(sent.replacements).to.be.greaterThan(0);
  });

  it("replaces it in time where somebody sets the machine's clock back", async () => {
    await chain.automine(false);
    const sending = senderOf({ replaceAfterMs: 300 }).send(settle([1n]), "settle");
    const [first] = await untilPending(1);
    const now = Date.now;
    Date.now = () => now() - 3_600_000;
    try {
      await until(async () => (await untilPending(1))[0]?.hash !== first?.hash);
    } finally {
      Date.now = now;
    }
    await chain.mine();
    expect((await sending).status).to.equal("mined");
  });

  it("sends again what the node has dropped, though it may cost no more", async () => {
    await chain.automine(false);
    const { maxFeePerGas } = await marketFees(chain.provider, undefined);
    const capped = senderOf({ replaceAfterMs: 100, maxReplacements: 50, maxFeePerGas });
    const sending = capped.send(settle([1n]), "settle");
    const [first] = await untilPending(1);
    await chain.provider.send("anvil_dropAllTransactions", []);
    await until(async () => (await untilPending(1))[0]?.hash === first?.hash);
    await chain.mine();
    expect(await sending).to.include({ status: "mined" });
  });

  it("never pays more for gas than one transaction may cost", async () => {
    await chain.automine(false);
    const maxCost = 10n ** 14n;
    const sending = failure<ChainError>(
      senderOf({ replaceAfterMs: 60, maxReplacements: 3, maxCost }).send(settle([1n]), "settle"),
    );
    await untilPending(1);
    expect(await sending).to.include({ code: "TX_STUCK" });
    for (const { gas, maxFeePerGas } of await untilPending(1)) {
      expect(BigInt(gas) * BigInt(maxFeePerGas) <= maxCost).to.equal(true);
    }
    await chain.mine();
  });

  it("pays no more than a coin for gas by default, whatever a node asks", async () => {
    await chain.automine(false);
    const provider = behind(chain, {
      getFeeData: async () => new FeeData(1n, 10n ** 17n, 10n ** 17n),
      send: async (method: string, params: unknown[]) =>
        method === "eth_feeHistory" ? { reward: [[toQuantity(10n ** 17n)]] } : chain.provider.send(method, params),
    });
    const stop = new AbortController();
    const sending = failure(senderOf({ provider }).send(settle([1n]), "settle", stop.signal));
    const [{ gas, maxFeePerGas }] = (await untilPending(1)) as [Pending];
    expect(BigInt(gas) * BigInt(maxFeePerGas) <= 10n ** 18n).to.equal(true);
    stop.abort(new Error("enough"));
    await sending;
    // Paid, it would make others pay more.
    await chain.provider.send("anvil_dropAllTransactions", []);
  });

  it("pays more at once for what has to hurry, and for what is sent later under the same guard", async () => {
    await chain.automine(false);
    const sending = sender.send(settle([1n]), "settle", undefined, ["deal 1"]);
    const [first] = await untilPending(1);
    sender.hurry(["deal 2", "deal 1"]);
    let second = first!;
    while (second.hash === first!.hash) second = (await untilPending(1))[0]!;
    expect(second.nonce).to.equal(first!.nonce);
    expect(BigInt(second.maxFeePerGas) * 4n).to.be.at.least(BigInt(first!.maxFeePerGas) * 5n);
    await new Promise((go) => setTimeout(go, 100));
    expect((await untilPending(1))[0]?.hash, "raised once").to.equal(second.hash);
    await chain.mine();
    expect((await sending).status).to.equal("mined");
    const later = sender.send(settle([2n]), "settle", undefined, ["deal 2"]);
    const [third] = await untilPending(1);
    const usual = (await marketFees(chain.provider, undefined)).maxPriorityFeePerGas;
    expect(BigInt(third!.maxPriorityFeePerGas) * 4n >= usual * 5n).to.equal(true);
    await chain.mine();
    await later;
  });

  it("sends again what the node has dropped", async () => {
    await chain.automine(false);
    const sending = senderOf({ replaceAfterMs: 150 }).send(settle([1n]), "settle");
    const [first] = await untilPending(1);
    await chain.provider.send("anvil_dropTransaction", [first!.hash]);
    await untilPending(1);
    await chain.mine();
    expect((await sending).status).to.equal("mined");
  });

  it("hands the same bytes over again to a node that has forgotten them, long before it pays more", async () => {
    await chain.automine(false);
    // A thousand seconds in each: what is waited for ten seconds comes at once.
    const clock = { ...systemClock, now: () => performance.now() * 1_000 };
    const sending = senderOf({ clock, replaceAfterMs: Number.POSITIVE_INFINITY }).send(settle([1n]), "settle");
    await untilPending(1);
    await chain.provider.send("anvil_dropAllTransactions", []);
    await untilPending(1);
    await chain.mine();
    expect(await sending).to.include({ status: "mined", replacements: 0 });
  });

  it("gives up on a transaction that no fee moves, never pays above the cap, and goes on after", async () => {
    await chain.automine(false);
    const cap = 3_000_000_000n;
    const capped = senderOf({ replaceAfterMs: 60, maxReplacements: 2, maxFeePerGas: cap });
    const sending = failure<ChainError>(capped.send(settle([1n]), "settle"));
    const [pending] = await untilPending(1);
    expect(BigInt(pending!.maxFeePerGas) <= cap).to.equal(true);
    expect(await sending).to.include({ code: "TX_STUCK", failure: "retry" });
    await chain.provider.send("anvil_dropTransaction", [pending!.hash]);
    await chain.automine(true);
    expect((await capped.send(settle([1n]), "settle")).status).to.equal("mined");
  });

  it("uses the nonce of what is not worth more for nothing, and holds up nothing behind it", async () => {
    await chain.automine(false);
    const hasty = senderOf({ replaceAfterMs: 60, maxReplacements: 50 });
    const before = await chain.provider.getBalance(SINK);
    const worth = (await chain.provider.getFeeData()).maxFeePerGas!;
    const settled = failure<ChainError>(hasty.send({ to: SINK, data: "0x", value: 5n, maxFeePerGas: worth }, "settle"));
    const [pending] = await untilPending(1);
    expect(BigInt(pending!.maxFeePerGas)).to.equal(worth);
    const second = hasty.send({ to: SINK, data: "0x", value: 1n }, "prove");
    await until(async () => (await untilPending(2)).some(({ to }) => to === wallet.address.toLowerCase()));
    await chain.mine();
    expect((await second).status).to.equal("mined");
    expect(await settled).to.include({ code: "NOT_DONE", failure: "retry" });
    expect((await chain.provider.getBalance(SINK)) - before).to.equal(1n);
  });

  it("uses the nonce of what no node takes for nothing, whatever it says of it, and holds up nothing behind it", async () => {
    const before = await chain.provider.getBalance(SINK);
    let offered = 0;
    const provider = behind(chain, {
      send: async (method: string, params: unknown[]) => {
        const isWanted = method !== "eth_sendRawTransaction" || Transaction.from(String(params[0])).value !== 5n;
        if (isWanted) return chain.provider.send(method, params);
        offered++;
        throw makeError("no", "UNKNOWN_ERROR", { error: { message: "against the policy of this node" } });
      },
    });
    const hasty = senderOf({ provider, replaceAfterMs: 60 });
    const refused = failure<ChainError>(hasty.send({ to: SINK, data: "0x", value: 5n }, "pay", undefined, ["five"]));
    await until(async () => offered > 0);
    const second = await hasty.send({ to: SINK, data: "0x", value: 1n }, "prove");
    expect(second.status).to.equal("mined");
    expect(await refused).to.include({ code: "NOT_DONE", failure: "retry" });
    // Its guard is free again, and a node that takes it does it once.
    const again = await senderOf({}).send({ to: SINK, data: "0x", value: 5n }, "pay", undefined, ["five"]);
    expect(again.status).to.equal("mined");
    expect((await chain.provider.getBalance(SINK)) - before).to.equal(6n);
  });

  it("notices that another transaction took its nonce", async () => {
    await chain.automine(false);
    const sending = failure<ChainError>(sender.send(settle([1n]), "settle"));
    const [pending] = await untilPending(1);
    const fees = { maxFeePerGas: 10n ** 12n, maxPriorityFeePerGas: 10n ** 11n };
    await wallet.sendTransaction({ to: SINK, nonce: Number(pending!.nonce), ...fees });
    await chain.mine();
    expect(await sending).to.include({ code: "NONCE_TAKEN", failure: "retry" });
  });

  for (const [what, lost] of [
    ["the node's answer was lost", "answer"],
    ["the node never got them", "request"],
    ["the node took them and answered an error", "error"],
  ] as const) {
    it(`gets the same bytes into a block, once, where ${what}`, async () => {
      const broadcasts: unknown[] = [];
      const provider = behind(chain, {
        send: async (method: string, params: unknown[]) => {
          if (method !== "eth_sendRawTransaction") return chain.provider.send(method, params);
          broadcasts.push(params[0]);
          if (broadcasts.length > 1) return chain.provider.send(method, params);
          if (lost !== "request") await chain.provider.send(method, params);
          if (lost === "error") throw makeError("no", "UNKNOWN_ERROR", { error: { message: "Internal error" } });
          throw Object.assign(new Error("socket hang up"), { code: "ECONNRESET" });
        },
      });
      const sent = await senderOf({ provider }).send({ to: SINK, data: "0x" }, "pay");
      expect(sent.status).to.equal("mined");
      expect(new Set(broadcasts).size).to.equal(1);
      expect(broadcasts).to.have.length(lost === "request" ? 2 : 1);
      expect(await chain.provider.getTransactionCount(wallet.address)).to.equal(1);
    });
  }

  describe("with a journal", () => {
    const pay = { to: SINK, data: "0x", value: 1n };
    const HASTY = { replaceAfterMs: 100, maxReplacements: 50 };
    let journal: Journal;
    beforeEach(() => {
      journal = new MemoryJournal();
    });

    /** Leaves a signed payment in the journal, as a process does that dies before it has sent it. */
    async function leave(nonce: number, value = 1n, guards: readonly string[] = []): Promise<JournalEntry> {
      const recorded = await journal.record(
        { from: wallet.address, call: { ...pay, value }, doing: "pay", gasLimit: 30_000n, guards },
        () => nonce,
        async () => {
          const fees = { maxFeePerGas: 10n ** 11n, maxPriorityFeePerGas: 10n ** 9n };
          const call = { ...pay, value, nonce, gasLimit: 30_000n, type: 2, chainId: chain.deployment.chainId, ...fees };
          const raw = await wallet.signTransaction(call);
          return { hash: keccak256(raw), raw, fees };
        },
      );
      if (!("entry" in recorded)) throw new Error("guarded");
      return recorded.entry;
    }

    it("sends the very bytes that a process before it has signed", async () => {
      const { attempts } = await leave(0);
      await senderOf({ journal }).goOn();
      expect((await chain.provider.getTransactionReceipt(attempts[0]!.hash))?.status).to.equal(1);
      expect(await journal.live(wallet.address)).to.deep.equal([]);
      expect(await chain.provider.getTransactionCount(wallet.address)).to.equal(1);
    });

    it("finds what another process with its journal has paid more for", async () => {
      await chain.automine(false);
      const sending = senderOf({ journal, replaceAfterMs: 600_000 }).send(pay, "pay");
      await untilPending(1);
      const [first] = await journal.live(wallet.address);
      const other = senderOf({ journal, ...HASTY }).goOn();
      while ((await journal.find(first!.id))!.attempts.length === 1) await sleep(5);
      await sleep(50);
      await chain.mine();
      const [sent] = await Promise.all([sending, other]);
      if (sent.status !== "mined") throw new Error(sent.status);
      expect(sent.receipt.hash).not.to.equal(first!.attempts[0]!.hash);
      expect((await journal.find(first!.id))?.block).to.equal(sent.receipt.blockNumber);
      expect(await chain.provider.getTransactionCount(wallet.address)).to.equal(1);
    });

    it("leaves to others what they may be waiting for", async () => {
      await leave(0);
      const asked: string[] = [];
      await senderOf({ journal }).goOn(undefined, ({ doing }) => asked.push(doing) < 0);
      expect(asked).to.deep.equal(["pay"]);
      expect(await journal.live(wallet.address)).to.have.length(1);
      expect(await chain.provider.getTransactionCount(wallet.address)).to.equal(0);
    });

    it("takes it for over where another transaction has the nonce", async () => {
      await leave(0);
      await wallet.sendTransaction({ to: SINK, value: 2n });
      await senderOf({ journal }).goOn();
      expect(await journal.live(wallet.address)).to.deep.equal([]);
      expect(await chain.provider.getTransactionCount(wallet.address)).to.equal(1);
    });

    it("uses a nonce that was skipped for nothing, so that what waits behind it gets into a block", async () => {
      await leave(2, 5n);
      const before = await chain.provider.getBalance(SINK);
      await senderOf({ journal, ...HASTY }).goOn();
      expect((await chain.provider.getBalance(SINK)) - before).to.equal(5n);
      expect(await chain.provider.getTransactionCount(wallet.address)).to.equal(3);
      await until(async () => (await journal.live(wallet.address)).length === 0);
    });

    it("is not led astray by a node that counts wrong", async () => {
      const wrong = [40, 0, 0, 7, 2];
      const provider = behind(chain, {
        getTransactionCount: async (account: string, tag: string) =>
          tag === "pending" ? (wrong.shift() ?? 0) : chain.provider.getTransactionCount(account, tag),
      });
      const lied = senderOf({ provider, journal, ...HASTY });
      const before = await chain.provider.getBalance(SINK);
      const sent = await Promise.all([1, 2, 3].map(() => lied.send(pay, "pay")));
      expect(sent.map(({ status }) => status)).to.deep.equal(["mined", "mined", "mined"]);
      expect((await chain.provider.getBalance(SINK)) - before).to.equal(3n);
    });

    it("refuses a count that is far too high, and keeps nothing of it", async () => {
      let counted = 150_000_000;
      const provider = behind(chain, {
        getTransactionCount: async (account: string, tag: string) =>
          tag === "pending" ? counted : chain.provider.getTransactionCount(account, tag),
      });
      const lied = senderOf({ provider, journal });
      expect(await failure<ChainError>(lied.send(pay, "pay"))).to.include({ code: "NONCE_UNLIKELY", failure: "retry" });
      expect(await journal.live(wallet.address)).to.deep.equal([]);
      counted = 0;
      expect((await lied.send(pay, "pay")).status).to.equal("mined");
    });

    it("goes on sending though an entry is at a nonce that nothing comes to", async () => {
      await leave(150_000_000);
      const stop = new AbortController();
      const stuck = senderOf({ journal, ...HASTY });
      const going = failure(stuck.goOn(stop.signal));
      expect((await stuck.send(pay, "pay")).status).to.equal("mined");
      await sleep(300);
      expect((await stuck.send(pay, "pay")).status).to.equal("mined");
      expect(await chain.provider.getTransactionCount(wallet.address)).to.equal(2);
      stop.abort(new Error("enough"));
      expect((await going).message).to.equal("enough");
    });

    it("uses what is missing below one that it has used, where the chain was counted wrong when it looked", async () => {
      await leave(2);
      const provider = behind(chain, {
        getTransactionCount: async (account: string, tag: string) => {
          const count = await chain.provider.getTransactionCount(account, tag);
          const isFilled = (await journal.nonces(account, 0)).includes(1);
          return tag === "latest" && count === 0 && !isFilled ? 1 : count;
        },
      });
      await senderOf({ journal, provider, replaceAfterMs: 100, maxReplacements: 10_000 }).goOn();
      expect(await chain.provider.getTransactionCount(wallet.address)).to.equal(3);
    });

    it("fills a long gap a few at a time, the next as soon as those are in blocks", async function () {
      this.timeout(60_000);
      const { id: left } = await leave(50);
      await senderOf({ journal, replaceAfterMs: 3_000, maxReplacements: 50 }).goOn();
      expect(await chain.provider.getTransactionCount(wallet.address)).to.equal(51);
      expect((await journal.find(left))?.attempts.length).to.be.at.most(3);
    });

    it("IN_FLIGHT at once where some of it is on its way from another account, which can only end it itself", async () => {
      await chain.automine(false);
      const other = (await chain.account()).connect(chain.provider);
      const first = senderOf({ journal, signer: other }).send(pay, "prove 2 deals", undefined, ["deal 1", "deal 2"]);
      await untilPending(1, other.address);
      const here = senderOf({ journal });
      const second = await failure<ChainError>(here.send(pay, "prove 2 deals", undefined, ["deal 2", "deal 3"]));
      expect(second).to.include({ code: "IN_FLIGHT", failure: "hopeless" });
      expect(second.message).to.include(`of ${other.address} at nonce 0`);
      expect(second.hint).to.include(`holdfast keeper abandon ${other.address}`);
      const alone = here.send(pay, "prove a deal", undefined, ["deal 3"]);
      await untilPending(1);
      await chain.mine();
      expect((await Promise.all([first, alone])).map(({ status }) => status)).to.deep.equal(["mined", "mined"]);
    });

    it("IN_FLIGHT where some of it is on its way, which it brings to its end", async () => {
      await chain.automine(false);
      const guarded = senderOf({ journal });
      const first = guarded.send(pay, "prove 2 deals", undefined, ["deal 1", "deal 2"]);
      await untilPending(1);
      const second = await failure<ChainError>(guarded.send(pay, "prove a deal", undefined, ["deal 2"]));
      expect(second).to.include({ code: "IN_FLIGHT", failure: "retry" });
      expect(second.message).to.include("prove 2 deals").and.include("nonce 0");
      await chain.mine();
      expect((await first).status).to.equal("mined");
      await chain.automine(true);
      expect((await guarded.send(pay, "prove a deal", undefined, ["deal 2"])).status).to.equal("mined");
    });

    for (const [who, recovering] of [
      ["it is told of", false],
      ["nobody saw", true],
    ] as const) {
      it(`sends again what a reorganisation dropped that ${who}`, async () => {
        const first = senderOf({ journal });
        const sent = await first.send(pay, "pay");
        if (sent.status !== "mined") throw new Error(sent.status);
        const { hash, blockNumber } = sent.receipt;
        await chain.mine(2);
        await chain.provider.send("anvil_reorg", [3, []]);
        expect(await chain.provider.getTransactionReceipt(hash)).to.equal(null);
        if (recovering) {
          const second = senderOf({ journal });
          await second.recover();
          await second.goOn();
        } else await first.reorganised(blockNumber - 1);
        expect((await chain.provider.getTransactionReceipt(hash))?.status).to.equal(1);
        expect(await chain.provider.getTransactionCount(wallet.address)).to.equal(1);
      });
    }

    it("does once, as it was, what a reorganisation took back and somebody asks for anew before anybody noticed", async () => {
      const before = await chain.provider.getBalance(SINK);
      const own = senderOf({ journal });
      const sent = await own.send(pay, "pay once", undefined, ["once"]);
      if (sent.status !== "mined") throw new Error(sent.status);
      await chain.provider.send("anvil_reorg", [1, []]);
      await chain.provider.send("anvil_dropAllTransactions", []);
      expect((await chain.provider.getBalance(SINK)) - before).to.equal(0n);
      const again = await failure<ChainError>(own.send(pay, "pay again", undefined, ["once"]));
      expect(again).to.include({ code: "IN_FLIGHT", failure: "retry" });
      expect(again.message).to.include("pay once");
      expect((await chain.provider.getTransactionReceipt(sent.receipt.hash))?.status).to.equal(1);
      expect((await chain.provider.getBalance(SINK)) - before).to.equal(1n);
      expect(await journal.live(wallet.address)).to.deep.equal([]);
      expect((await own.send(pay, "pay again", undefined, ["once"])).status, "it is in its block").to.equal("mined");
    });

    it("does nothing that got into a block while it was being decided: that was decided without", async () => {
      const before = await chain.provider.getBalance(SINK);
      await leave(0, 1n, ["once"]);
      let go: () => void = () => undefined;
      let asked = 0;
      const mayGo = new Promise<void>((resolve) => {
        go = resolve;
      });
      const provider = behind(chain, {
        estimateGas: async (call: object) => {
          if (asked++ === 0) await mayGo;
          return chain.provider.estimateGas(call);
        },
      });
      const own = senderOf({ journal, provider });
      // Whoever asks has seen a balance without it.
      const again = failure<ChainError>(own.send(pay, "pay again", undefined, ["once"]));
      await own.goOn();
      expect((await chain.provider.getBalance(SINK)) - before).to.equal(1n);
      go();
      expect(await again).to.include({ code: "IN_FLIGHT", failure: "retry" });
      expect((await again).message).to.include("nonce 0");
      expect(await journal.live(wallet.address)).to.deep.equal([]);
      expect(await chain.provider.getTransactionCount(wallet.address)).to.equal(1);
      expect((await own.send(pay, "pay again", undefined, ["once"])).status, "it has been told").to.equal("mined");
    });

    it("recovers what a reorganisation took back long before, though it was the last that was sent", async () => {
      const sent = await senderOf({ journal }).send(pay, "pay");
      if (sent.status !== "mined") throw new Error(sent.status);
      await chain.provider.send("anvil_reorg", [1, []]);
      await chain.provider.send("anvil_dropAllTransactions", []);
      await chain.mine(300);
      const second = senderOf({ journal });
      await second.recover();
      await second.goOn();
      expect((await chain.provider.getTransactionReceipt(sent.receipt.hash))?.status).to.equal(1);
    });

    it("sends again what was taken back before a nonce that waits for it, though nobody recovered it", async () => {
      const first = senderOf({ journal });
      const lost = await first.send(pay, "pay");
      if (lost.status !== "mined") throw new Error(lost.status);
      await chain.provider.send("anvil_reorg", [1, []]);
      await chain.provider.send("anvil_dropAllTransactions", []);
      expect(await chain.provider.getTransactionCount(wallet.address)).to.equal(0);
      await leave(1, 2n);
      await senderOf({ journal, ...HASTY }).goOn();
      expect((await chain.provider.getTransactionReceipt(lost.receipt.hash))?.status).to.equal(1);
      expect(await chain.provider.getTransactionCount(wallet.address)).to.equal(2);
    });

    it("recovers nothing that is in its block", async () => {
      await senderOf({ journal }).send(pay, "pay");
      await senderOf({ journal }).recover();
      expect(await journal.live(wallet.address)).to.deep.equal([]);
    });
  });

  it("does not take a nonce for used because a node says so a few times", async () => {
    await chain.automine(false);
    let lies = 4;
    const provider = behind(chain, {
      getTransactionCount: async (account: string, tag: string) =>
        tag === "latest" && lies-- > 0 ? 99 : chain.provider.getTransactionCount(account, tag),
    });
    const sending = senderOf({ provider }).send(settle([1n]), "settle");
    await untilPending(1);
    while (lies > 0) await new Promise((go) => setTimeout(go, 5));
    await chain.mine();
    expect((await sending).status).to.equal("mined");
    expect(await chain.provider.getTransactionCount(wallet.address)).to.equal(1);
  });

  it("does not take a nonce for used, however often a node says so, that still has the transaction", async () => {
    await chain.automine(false);
    let looks = 0;
    const provider = behind(chain, {
      getTransactionCount: async (account: string, tag: string) => {
        const count = await chain.provider.getTransactionCount(account, tag);
        // Not before it is sent: it would be sent at that nonce.
        if (tag !== "latest" || count === (await chain.provider.getTransactionCount(account, "pending"))) return count;
        looks++;
        return count + 3;
      },
    });
    const sending = senderOf({ provider }).send(settle([1n]), "settle");
    await untilPending(1);
    while (looks < 20) await new Promise((go) => setTimeout(go, 5));
    await chain.mine();
    expect((await sending).status).to.equal("mined");
    expect(await chain.provider.getTransactionCount(wallet.address)).to.equal(1);
  });

  it("says that the account is empty", async () => {
    await chain.provider.send("anvil_setBalance", [wallet.address, toQuantity(0)]);
    const error = await failure<ChainError>(sender.send({ to: SINK, data: "0x", value: 1n }, "pay"));
    expect(error).to.include({ code: "INSUFFICIENT_FUNDS", failure: "retry" });
  });

  it("stops waiting when told to", async () => {
    await chain.automine(false);
    const stop = new AbortController();
    const sending = failure(sender.send(settle([1n]), "settle", stop.signal));
    await untilPending(1);
    stop.abort(new Error("enough"));
    expect((await sending).message).to.equal("enough");
    await chain.mine();
  });

  async function until(isSo: () => Promise<boolean>): Promise<void> {
    for (const end = Date.now() + 20_000; !(await isSo()); ) {
      if (Date.now() > end) throw new Error("not so within 20 s");
      await new Promise((go) => setTimeout(go, 10));
    }
  }

  interface Pending {
    readonly hash: string;
    readonly gas: string;
    readonly nonce: string;
    readonly to: string;
    readonly maxFeePerGas: string;
    readonly maxPriorityFeePerGas: string;
  }

  /** Waits until the pool holds so many transactions of the wallet. */
  async function untilPending(count: number, from = wallet.address): Promise<Pending[]> {
    for (;;) {
      const pool = await chain.provider.send("txpool_content", []);
      const own = pool.pending[from] ?? pool.pending[from.toLowerCase()] ?? {};
      const pending = Object.values(own as Record<string, Pending>);
      if (pending.length >= count) return pending;
    }
  }
});

/** The chain's provider with some answers changed. */
function behind(chain: DevChain, changed: object): DevChain["provider"] {
  return new Proxy(chain.provider, {
    get(target, name) {
      const source = name in changed ? changed : target;
      const value = Reflect.get(source, name, source);
      return typeof value === "function" ? value.bind(source) : value;
    },
  });
}

describe("chainError", () => {
  it("names errors of every contract by their selectors", () => {
    expect(errorName(id("AlreadyProven(uint256,uint256)").slice(0, 10))).to.equal("AlreadyProven");
    expect(errorName(id("SeedUnavailable(uint256)").slice(0, 10))).to.equal("SeedUnavailable");
    expect(errorName("0x00000000")).to.equal("0x00000000");
    expect(decodeRevert("0x")).to.equal(undefined);
    expect(decodeRevert("0x12345678")).to.equal(undefined);
  });

  for (const [data, text] of [
    ["0x4e487b710000000000000000000000000000000000000000000000000000000000000011", "Panic(17)"],
  ] as const) {
    it(`decodes ${text}`, () => expect(decodeRevert(data)?.text).to.equal(text));
  }

  it("takes a known selector with garbage behind it for unknown", () => {
    const terminated = chainError({ code: "CALL_EXCEPTION", data: "0x4e487b7100" }, "x");
    expect(terminated).to.include({ failure: "hopeless", revert: undefined });
  });

  it("finds revert data where nodes put it", () => {
    const data = "0x4e487b710000000000000000000000000000000000000000000000000000000000000011";
    for (const error of [{ data }, { error: { data } }, { info: { error: { data } } }, { error: { data: { data } } }]) {
      expect(chainError(error, "x").message).to.equal("Failed to x: Panic(17)");
    }
  });

  it("leaves a decoded error as it is, and says what a node said", () => {
    const first = chainError({ code: "UNKNOWN_ERROR", error: { message: "rate limited" } }, "read");
    expect(first).to.include({ code: "RPC_FAILED", failure: "retry", message: "Failed to read: rate limited" });
    expect(chainError(first, "again")).to.equal(first);
  });

  it("has no hope for a caller's own fault", () => {
    expect(chainError({ code: "INVALID_ARGUMENT", shortMessage: "no" }, "x").failure).to.equal("hopeless");
  });
});
