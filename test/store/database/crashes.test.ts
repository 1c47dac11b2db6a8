import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { Wallet } from "ethers";
import fc from "fast-check";
import type { DatabaseOptions } from "../../../src/store/database/open-node.js";
import { describeDatabases } from "../../support/databases.js";
import { type DevChain, startDevChain } from "../../support/dev-chain.js";
import { runs, seed } from "../../support/effort.js";
import { failing } from "../../support/failing.js";
import { type PayingTask, STEPS } from "../../support/paying.js";
import { type Fault, type RpcProxy, startRpcProxy } from "../../support/rpc-proxy.js";

const CHILD = [
  "--import",
  fileURLToPath(import.meta.resolve("tsx/esm")),
  fileURLToPath(new URL("../../support/paying-child.ts", import.meta.url)),
];
const ACCOUNTS = 6;
/** Blocks that a reorganisation takes at most. */
const DEEPEST = 5;
/** Milliseconds in which the slowest of runs has ended long since. */
const STUCK_MS = 90_000;

describeDatabases("A sender that is killed", (databases) => {
  let chain: DevChain;
  let proxy: RpcProxy;
  let fault: (methods: readonly string[]) => Fault | undefined;

  before(async () => {
    chain = await startDevChain();
    proxy = await startRpcProxy(chain.anvil.url, (methods) => fault(methods));
  });
  beforeEach(() => {
    fault = () => undefined;
  });
  after(async () => {
    await proxy.stop();
    await chain.stop();
  });

  async function newTask(): Promise<PayingTask & { readonly database: DatabaseOptions }> {
    return {
      url: proxy.url,
      chainId: chain.deployment.chainId,
      privateKey: (await chain.account()).privateKey,
      accounts: Array.from({ length: ACCOUNTS }, () => Wallet.createRandom().address),
      database: await databases.create(),
    };
  }

  /** Runs the process once; gives what it came to. */
  async function run(task: PayingTask, killAfterMs?: number): Promise<"done" | "killed"> {
    const child = spawn(process.execPath, [...CHILD, JSON.stringify(task)], { stdio: ["ignore", "pipe", "inherit"] });
    let told = "";
    child.stdout.on("data", (chunk: Buffer) => {
      told += chunk;
    });
    const timer = killAfterMs === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), killAfterMs);
    const stuck = setTimeout(() => child.kill("SIGABRT"), STUCK_MS);
    const [code, by] = (await once(child, "close")) as [number | null, string | null];
    clearTimeout(timer);
    clearTimeout(stuck);
    if (by === "SIGABRT") throw new Error(`it came to no end: ${await whatWaits(task)}`);
    if (code === 0 && told === "done\n") return "done";
    if (by === "SIGKILL") return "killed";
    throw new Error(`the process ended with status ${code}`);
  }

  /** Where it stands, or that the chain does not say. */
  async function whatWaits({ privateKey }: PayingTask): Promise<string> {
    const { address } = new Wallet(privateKey);
    const silence = sleep(5_000).then(() => "the chain does not answer");
    const asked = Promise.all([
      chain.provider.getTransactionCount(address, "latest"),
      chain.provider.getTransactionCount(address, "pending"),
      chain.provider.getBalance(address).then(String),
      chain.provider.send("txpool_content", []),
    ]);
    return Promise.race([silence, asked.then((answers) => JSON.stringify(answers).slice(0, 2_000))]);
  }

  /** Mines as long as something is done. */
  async function withBlocks<T>(act: () => Promise<T>, everyMs = 30): Promise<T> {
    await chain.automine(false);
    let over = false;
    const mining = (async () => {
      while (!over) {
        await chain.mine();
        await sleep(everyMs);
      }
    })();
    try {
      return await act();
    } finally {
      over = true;
      await mining;
      await chain.automine(true);
    }
  }

  async function expectPaidOnce({ accounts, privateKey }: PayingTask): Promise<void> {
    await chain.mine(2);
    for (const account of accounts) expect(await chain.provider.getBalance(account), account).to.equal(1n);
    const { address } = new Wallet(privateKey);
    const [mined, pending] = await Promise.all(
      ["latest", "pending"].map((tag) => chain.provider.getTransactionCount(address, tag)),
    );
    expect(pending, "nothing is left on its way").to.equal(mined);
  }

  for (const step of STEPS) {
    for (const when of ["before", "after"] as const) {
      it(`pays everybody once, though it dies ${when} it comes to ${step}`, async function () {
        this.timeout(120_000);
        // A higher fee is signed only where blocks are slow in coming.
        const everyMs = step === "add" ? 3_000 : 30;
        const task = await newTask();
        await withBlocks(async () => {
          expect(await run({ ...task, dies: { step, when, time: step === "add" ? 1 : 3 } })).to.equal("killed");
          expect(await run(task)).to.equal("done");
        }, everyMs);
        await expectPaidOnce(task);
      });
    }
  }

  it("pays everybody once, whenever it is killed, over an endpoint that fails and a chain that is reorganised", async function () {
    this.timeout(runs(3) * 120_000);
    const moments = fc.sample(fc.tuple(fc.integer({ min: 400, max: 3_500 }), fc.integer({ min: 1, max: DEEPEST })), {
      numRuns: runs(3),
      seed: seed(7),
    });
    fault = failing(seed(7));
    for (let at = 0; at < moments.length; ) {
      const task = await newTask();
      // A reorganisation takes back what has given the account its coins, where that is not deep enough.
      await chain.mine(DEEPEST);
      await withBlocks(async () => {
        for (let outcome = "killed"; outcome === "killed" && at < moments.length; at++) {
          const [afterMs, depth] = moments[at] as [number, number];
          const running = run(task, afterMs);
          await sleep(afterMs / 2);
          await chain.provider.send("anvil_reorg", [depth, []]);
          outcome = await running;
        }
        // What the last reorganisation undid is done again.
        expect(await run(task)).to.equal("done");
      });
      await expectPaidOnce(task);
    }
  });
});
