/** A provider of the demo: its HTTP node, and the keepers that fill requests and prove, in a process of its own. */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Wallet } from "ethers";
import pino from "pino";
import { openChain } from "../../src/chain/chain.js";
import type { Deployment } from "../../src/chain/deployment.js";
import { TransactionSender } from "../../src/chain/sender.js";
import { startProvider } from "../../src/provider/index.js";
import { DatabaseJournal, openDatabase } from "../../src/store/database/index.js";
import { runChild } from "./child.js";

interface Config {
  readonly rpcUrl: string;
  readonly deployment: Deployment;
  readonly dataDir: string;
  readonly token: string;
  /** The provider's address; its key is not here. */
  readonly owner: string;
  /** Signs deals and sends proofs. */
  readonly hotKey: string;
  readonly pricePerGiBPerPeriod: string;
}

const POLL_MS = 50;
/** How often a keeper that is at work is asked whether it is done. */
const REST_MS = 10;
const MAX_PIECE_BYTES = 8 * 2 ** 30;
const MAX_PERIODS = 1_000;
/** A provider that keeps nothing loses what thirty periods would have paid. */
const COLLATERAL_RATIO = 30;

await runChild<Config>(async ({ rpcUrl, deployment, dataDir, token, owner, hotKey, pricePerGiBPerPeriod }, tell) => {
  const tiers = [{ tier: 0, pricePerGiBPerPeriod, egressPricePerGiB: "0", collateralRatio: COLLATERAL_RATIO }];
  const logger = pino({ level: process.env.HOLDFAST_DEBUG === "1" ? "debug" : "warn" });
  const chain = await openChain(rpcUrl, deployment, { logger, pollMs: POLL_MS });
  const database = await openDatabase({ dir: join(dataDir, "index") });
  const journal = new DatabaseJournal(database, deployment.chainId);
  const signer = new Wallet(hotKey, chain.provider);
  const sender = new TransactionSender({ provider: chain.provider, signer, logger, journal, pollMs: POLL_MS });
  const provider = await startProvider({
    chain,
    signer,
    sender,
    dataDir,
    database,
    provider: owner,
    policy: { token, maxPieceBytes: MAX_PIECE_BYTES, maxPeriods: MAX_PERIODS, tiers },
    // Gas is free here, and all sources are on this machine.
    filling: { coinPrice: 0n, minFreeBytes: 0 },
    fetching: { allowAddress: (address) => address === "127.0.0.1" },
    logger,
  });
  provider.keeper?.on("proven", ({ id, window }) => tell({ kind: "proven", id, window }));
  provider.keeper?.on("trouble", ({ id, window, code }) => tell({ kind: "trouble", id, window, code }));
  const { filler } = provider;
  filler?.on("fetched", ({ source, bytes }) => tell({ kind: "fetched", source, bytes }));
  filler?.on("filled", ({ dealId, slot, price }) => tell({ kind: "filled", id: dealId, slot, price }));
  filler?.on("lost", () => tell({ kind: "lost" }));
  filler?.on("head", async ({ number }) => {
    while (filler.inFlight > 0) await delay(REST_MS);
    tell({ kind: "rested", number });
  });
  const close = async () => {
    await provider.close();
    chain.provider.destroy();
    await database.destroy();
  };
  return { ready: { url: provider.url, pid: process.pid }, close };
});
