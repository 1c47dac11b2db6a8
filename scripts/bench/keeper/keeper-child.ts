/** The keeper that is measured, in a process of its own: the store, the journal and the keeper as a provider runs them. */
import { subscribe } from "node:diagnostics_channel";
import { Wallet } from "ethers";
import { pino } from "pino";
import { openChain } from "../../../src/chain/chain.js";
import type { Deployment } from "../../../src/chain/deployment.js";
import { TransactionSender } from "../../../src/chain/sender.js";
import { Crew } from "../../../src/keeper/index.js";
import {
  DatabaseDuties,
  DatabaseJournal,
  DatabasePieceIndex,
  openDatabase,
} from "../../../src/store/database/index.js";
import { BlobPieceStore } from "../../../src/store/index.js";
import { runChild } from "../../demo/child.js";
import { peakMiB } from "../peak-memory.js";
import { Tally, type WindowStart } from "./tally.js";

export interface KeeperConfig {
  readonly rpcUrl: string;
  readonly deployment: Deployment;
  readonly storeDir: string;
  readonly databaseDir: string;
  readonly provider: string;
  readonly privateKey: string;
  readonly pollMs: number;
}

const LOOK_MS = 1_000;

/** What the parent says: that a window has begun, or, with nothing in it, that it wants to know the figures. */
export type ToKeeper = { readonly start?: WindowStart };

await runChild<KeeperConfig>(async (config, tell) => {
  const logger = pino({ level: process.env.HOLDFAST_DEBUG === "1" ? "debug" : "silent" });
  const chain = await openChain(config.rpcUrl, config.deployment, { logger, pollMs: config.pollMs });
  const database = await openDatabase({ dir: config.databaseDir });
  const { provider } = chain;
  const sender = new TransactionSender({
    provider,
    signer: new Wallet(config.privateKey, provider),
    logger,
    journal: new DatabaseJournal(database, config.deployment.chainId),
    pollMs: config.pollMs,
  });
  const pieces = await BlobPieceStore.open(config.storeDir, { index: new DatabasePieceIndex(database) });
  const { chainId, market } = config.deployment;
  const duties = new DatabaseDuties(database, { chainId, market, provider: config.provider });
  const crew = new Crew({ chain, sender, logger, proving: { pieces, duties, provider: config.provider } });
  const keeper = crew.proving!;
  const tally = new Tally();
  tally.listen(keeper);
  // Node's own `fetch` says so here: one request for each question to the chain.
  subscribe("undici:request:create", () => tally.asked());
  setInterval(() => tally.look(), LOOK_MS).unref();
  const before = process.cpuUsage();
  process.on("message", ({ start }: ToKeeper) => {
    if (start !== undefined) return tally.started(start);
    const { user, system } = process.cpuUsage(before);
    tell({ kind: "figures", ...tally.figures((user + system) / 1e6, peakMiB()) });
  });
  keeper.on("head", ({ number }) => tell({ kind: "head", number, over: tally.over, inFlight: keeper.inFlight }));
  keeper.on("batch", () => tell({ kind: "batch", over: tally.over }));
  const stop = new AbortController();
  const running = crew.run(stop.signal);
  const close = async () => {
    stop.abort();
    await running;
    await pieces.close();
    provider.destroy();
    await database.destroy();
  };
  return { ready: {}, close };
});
