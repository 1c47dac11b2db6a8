/**
 * A process that pays one wei to each of some accounts, by a sender with a journal, and may be killed at any time, by itself
 * at a step that it is told. Prints `done` when every account has been paid.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type JsonRpcProvider, Wallet } from "ethers";
import { pino } from "pino";
import { ChainError, chainError } from "../../src/chain/errors.js";
import { BlockFollower } from "../../src/chain/follower.js";
import type { Journal } from "../../src/chain/journal.js";
import { connectChain } from "../../src/chain/provider.js";
import { TransactionSender } from "../../src/chain/sender.js";
import { keepSending } from "../../src/keeper/index.js";
import { DatabaseJournal } from "../../src/store/database/journal.js";
import { openDatabase } from "../../src/store/database/open-node.js";
import { insist } from "./failing.js";
import type { PayingTask, Step } from "./paying.js";

const task = JSON.parse(process.argv[2] as string) as PayingTask;
const times = new Map<Step, number>();
/** An endpoint that never answers is waited for so long. */
const TIMEOUT_MS = 1_000;

/** Does a step; dies as `kill -9` would have it where the task says so. */
async function atStep<T>(step: Step, act: () => Promise<T>): Promise<T> {
  const time = (times.get(step) ?? 0) + 1;
  times.set(step, time);
  const dies = (when: "before" | "after") => {
    const { dies: at } = task;
    // Or later: a step that failed has no after.
    if (at?.step === step && at.when === when && time >= at.time) process.kill(process.pid, "SIGKILL");
  };
  dies("before");
  const result = await act();
  dies("after");
  return result;
}

function mortal(journal: Journal): Journal {
  return {
    record: (...args) => atStep("record", () => journal.record(...args)),
    add: (...args) => atStep("add", () => journal.add(...args)),
    mined: (...args) => atStep("mined", () => journal.mined(...args)),
    drop: (id) => journal.drop(id),
    find: (id) => journal.find(id),
    live: (from) => journal.live(from),
    nonces: (...args) => journal.nonces(...args),
    minedAfter: (...args) => journal.minedAfter(...args),
    reopen: (...args) => journal.reopen(...args),
    forget: (...args) => journal.forget(...args),
  };
}

/** Asks a node as it is, but for the step that hands it bytes. */
function mortalProvider(provider: JsonRpcProvider): JsonRpcProvider {
  const send = provider.send.bind(provider);
  provider.send = (method, params) =>
    method === "eth_sendRawTransaction" ? atStep("broadcast", () => send(method, params)) : send(method, params);
  return provider;
}

/** Pays as somebody would who looks at the chain, and at nothing else. */
async function pay(sender: TransactionSender, provider: JsonRpcProvider, account: string): Promise<void> {
  for (;;) {
    try {
      const paid = await provider.getBalance(account).catch((error: unknown) => {
        throw chainError(error, "read a balance");
      });
      if (paid > 0n) return;
      await sender.send({ to: account, data: "0x", value: 1n }, `pay ${account}`, undefined, [`pay ${account}`]);
    } catch (error) {
      if (!(error instanceof ChainError) || error.failure === "hopeless") throw error;
      await sleep(20);
    }
  }
}

// Standard output is for what it came to.
const logger = pino({ level: process.env.HOLDFAST_LOG ?? "silent" }, pino.destination(2));
const provider = mortalProvider(await insist(() => connectChain(task.url, task.chainId, { timeoutMs: TIMEOUT_MS })));
const database = await openDatabase(task.database);
const sender = new TransactionSender({
  provider,
  signer: new Wallet(task.privateKey, provider),
  logger,
  journal: mortal(new DatabaseJournal(database, task.chainId)),
  pollMs: 10,
  replaceAfterMs: 400,
  maxReplacements: 100,
});
const stop = new AbortController();
const follower = new BlockFollower({ provider, logger, pollMs: 20 });
const sending = keepSending({ chain: { follower }, sender, logger }, stop.signal);
await insist(() => sender.recover());
await sender.goOn();
await Promise.all(task.accounts.map((account) => pay(sender, provider, account)));
await sender.goOn();
stop.abort();
await sending;
await database.destroy();
provider.destroy();
console.log("done");
// A request that was never answered keeps its socket, and that the process.
process.exit();
