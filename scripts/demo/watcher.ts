/** The demo's watcher: it settles anybody's deals, has lost replicas repaired, and lives on bounties. */
import { Wallet } from "ethers";
import pino from "pino";
import { openChain } from "../../src/chain/chain.js";
import type { Deployment } from "../../src/chain/deployment.js";
import { TransactionSender } from "../../src/chain/sender.js";
import { RepairKeeper, WatchingKeeper } from "../../src/keeper/index.js";
import { runChild } from "./child.js";

interface Config {
  readonly rpcUrl: string;
  readonly deployment: Deployment;
  readonly key: string;
}

const POLL_MS = 50;

await runChild<Config>(async ({ rpcUrl, deployment, key }, tell, signal) => {
  const logger = pino({ level: process.env.HOLDFAST_DEBUG === "1" ? "debug" : "warn" });
  const chain = await openChain(rpcUrl, deployment, { logger, pollMs: POLL_MS });
  const signer = new Wallet(key, chain.provider);
  const sender = new TransactionSender({ provider: chain.provider, signer, logger, pollMs: POLL_MS });
  // Nothing reorganises this chain, and its clock stands still until a miss is settled and repaired.
  const keeper = new WatchingKeeper({ chain, sender, bountyTo: signer.address, depth: 0, logger });
  keeper.on("settled", ({ id, moved }) => tell({ kind: "settled", id, moved }));
  const repairer = new RepairKeeper({ chain, sender, depth: 0, logger });
  repairer.on("repaired", ({ dealId, reposted }) => tell({ kind: "repaired", id: dealId, reposted }));
  const running = Promise.all([keeper.run(signal), repairer.run(signal)]);
  return {
    ready: { pid: process.pid },
    close: async () => {
      await running;
      chain.provider.destroy();
    },
  };
});
