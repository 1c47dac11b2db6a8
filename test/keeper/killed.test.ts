import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { Wallet } from "ethers";
import fc from "fast-check";
import { formatDeployment } from "../../src/chain/deployment.js";
import { describeDatabases } from "../support/databases.js";
import { type DevChain, startDevChain } from "../support/dev-chain.js";
import { runs, seed } from "../support/effort.js";
import { failing } from "../support/failing.js";
import { bytesOf, Parties } from "../support/keeping.js";
import type { KeepingTask } from "../support/keeping-task.js";
import { type RpcProxy, startRpcProxy } from "../support/rpc-proxy.js";

const CHILD = [
  "--import",
  fileURLToPath(import.meta.resolve("tsx/esm")),
  fileURLToPath(new URL("../support/keeping-child.ts", import.meta.url)),
];
const DEALS = 30;
const KILLS_A_WINDOW = 3;
/** A window takes several transactions. */
const CALLDATA = 4_096;
/** Blocks that a reorganisation takes at most. */
const DEEPEST = 5;
const BLOCK_MS = 100;
/** Open for 40 seconds: three processes start and die in it, and a fourth has time. */
const TIER = { period: 500, window: 400, challenges: 2, maxMisses: 2 };

describeDatabases("A proving keeper that is killed", (databases) => {
  let chain: DevChain;
  let proxy: RpcProxy;
  let parties: Parties;
  before(async () => {
    chain = await startDevChain({ tiers: [TIER] });
    proxy = await startRpcProxy(chain.anvil.url, failing(seed(11)));
    parties = await Parties.on(chain);
  });
  after(async () => {
    await proxy.stop();
    await chain.stop();
  });

  /** Runs the process, and kills it when `until` says so. */
  async function run(task: KeepingTask, until: () => Promise<unknown>): Promise<void> {
    const child = spawn(process.execPath, [...CHILD, JSON.stringify(task)], { stdio: ["ignore", "pipe", "inherit"] });
    const ended = once(child, "close");
    child.stdout.resume();
    try {
      await Promise.race([
        // Its first line says that it is ready.
        once(child.stdout, "data").then(until),
        ended.then(([status]) => expect.fail(`the process ended by itself, with status ${status}`)),
      ]);
    } finally {
      child.kill("SIGKILL");
      await ended;
    }
  }

  /** Mines as long as something is done. */
  async function withBlocks<T>(act: () => Promise<T>): Promise<T> {
    let over = false;
    const mining = (async () => {
      while (!over) {
        await chain.mine();
        await sleep(BLOCK_MS);
      }
    })();
    try {
      return await act();
    } finally {
      over = true;
      await mining;
    }
  }

  it("misses no window, whenever it is killed, over an endpoint that fails and a chain that is reorganised", async function () {
    const moments = fc.sample(
      fc.tuple(
        fc.integer({ min: 50, max: 1_500 }),
        fc.integer({ min: 1, max: DEEPEST }),
        fc.double({ min: 0, max: 1, noNaN: true }),
      ),
      { numRuns: runs(6), seed: seed(11) },
    );
    const windows = Math.ceil(moments.length / KILLS_A_WINDOW);
    this.timeout(windows * 120_000);
    const sizes = Array.from({ length: DEALS }, (_, i) => 500 + 100 * i);
    const terms = [];
    for (const [i, size] of sizes.entries()) {
      terms.push(parties.terms(await parties.pieces.add(bytesOf(i, size)), { periods: windows, maxPeriods: windows }));
    }
    const ids = await parties.open(terms);
    const { privateKey } = await chain.account();
    const task: KeepingTask = {
      ...{ url: proxy.url, deployment: formatDeployment(chain.deployment), provider: parties.provider.address },
      ...{ sizes, privateKey, database: await databases.create(), leaseMs: 2_000, portion: 5, timeoutMs: 1_000 },
      replaceAfterMs: 2_000,
      calldataLimit: CALLDATA,
    };
    const views = () => chain.contracts.lens.dealsOf(ids);
    const proven = async () => (await views()).reduce((sum, view) => sum + Number(view.proven), 0);
    const { firstEpoch } = await chain.contracts.lens.dealOf(ids.at(-1)!);
    let kills = 0;
    for (let window = 1; window <= windows; window++) {
      const epoch = Number(firstEpoch) + (window - 1) * TIER.period;
      await chain.mine(Math.max(1, epoch - (await chain.provider.getBlockNumber()) - 1));
      await withBlocks(async () => {
        for (const [afterMs, depth, part] of moments.splice(0, KILLS_A_WINDOW)) {
          await run(task, async () => {
            await sleep(afterMs * part);
            await chain.provider.send("anvil_reorg", [depth, []]);
            await sleep(afterMs * (1 - part));
          });
          kills++;
        }
        await run(task, async () => {
          while ((await proven()) < ids.length * window) {
            expect(await chain.provider.getBlockNumber(), `${await proven()} are proven`).to.be.below(
              epoch + TIER.window,
            );
            await sleep(50);
          }
          // What a reorganisation took back was proven again; now it is so deep that none will.
          await sleep(DEEPEST * BLOCK_MS);
        });
      });
      for (const { standing } of await views()) expect(standing.missed, `after window ${window}`).to.equal(0n);
    }
    expect(kills).to.equal(runs(6));
    const { market } = chain.contracts;
    const events = (await market.queryFilter(market.filters.Proven())).map(({ args }) => `${args.id}/${args.window}`);
    expect(new Set(events).size).to.equal(events.length);
    const own = events.filter((event) => ids.some((id) => event.startsWith(`${id}/`)));
    expect(own.length).to.equal(ids.length * windows);
    await chain.mine(2);
    const { address } = new Wallet(privateKey);
    const counts = ["latest", "pending"].map((tag) => chain.provider.getTransactionCount(address, tag));
    const [mined, pending] = await Promise.all(counts);
    expect(pending, "nothing is left on its way").to.equal(mined);
  });
});
