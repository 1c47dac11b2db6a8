/** A process that proves the deals of one provider, and shares its duties with others on one database. */
import { Wallet } from "ethers";
import { pino } from "pino";
import { openChain } from "../../src/chain/chain.js";
import { parseDeployment } from "../../src/chain/deployment.js";
import { TransactionSender } from "../../src/chain/sender.js";
import { keepSending, ProvingKeeper } from "../../src/keeper/index.js";
import { DatabaseDuties, DatabaseJournal, openDatabase } from "../../src/store/database/index.js";
import { insist } from "./failing.js";
import { bytesOf, MemoryPieces } from "./keeping.js";
import type { KeepingLine, KeepingTask } from "./keeping-task.js";

const task = JSON.parse(process.argv[2] as string) as KeepingTask;
const tell = (line: KeepingLine) => process.stdout.write(`${JSON.stringify(line)}\n`);

const logger = pino({ level: process.env.HOLDFAST_LOG ?? "silent" }, pino.destination(2));
const pieces = new MemoryPieces();
for (const [i, size] of task.sizes.entries()) await pieces.add(bytesOf(i, size));
const deployment = parseDeployment(task.deployment);
const limits = task.timeoutMs === undefined ? {} : { timeoutMs: task.timeoutMs };
const chain = await insist(() => openChain(task.url, deployment, { logger, pollMs: 20, ...limits }));
const { chainId, market } = deployment;
const database = await openDatabase(task.database);
const { provider, privateKey, leaseMs, portion, calldataLimit, replaceAfterMs } = task;
const signer = new Wallet(privateKey, chain.provider);
const journal = new DatabaseJournal(database, chainId);
const patience = replaceAfterMs === undefined ? {} : { replaceAfterMs, maxReplacements: 100 };
const sender = new TransactionSender({ provider: chain.provider, signer, logger, journal, pollMs: 20, ...patience });
const duties = new DatabaseDuties(database, { chainId, market, provider, ...(leaseMs !== undefined && { leaseMs }) });
const batches = calldataLimit === undefined ? {} : { calldataLimit };
const keeper = new ProvingKeeper({ chain, sender, pieces, provider, duties, portion, logger, ...batches });

let claims = 0;
let counts = task.dies?.onceProven === false;
keeper.on("claimed", ({ duties: count, takenOver }) => {
  tell({ event: "claimed", duties: count, takenOver });
  if (counts && ++claims === task.dies?.atClaim) process.kill(process.pid, "SIGKILL");
});
keeper.on("proven", ({ id, window, own }) => {
  tell({ event: "proven", id: String(id), window, own });
  if (own) counts = true;
});
keeper.on("missed", ({ id, window }) => tell({ event: "missed", id: String(id), window }));
keeper.on("trouble", ({ code, message }) => tell({ event: "trouble", code, message }));
keeper.on("workers", ({ alive }) => tell({ event: "workers", alive }));

const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());
tell({ event: "ready" });
await Promise.all([
  keeper.run(stop.signal),
  keepSending({ chain, sender, logger, leaveMs: duties.leaseMs }, stop.signal),
]);
await database.destroy();
chain.provider.destroy();
