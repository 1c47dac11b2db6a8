/** A provider of the demo: its HTTP node and its proving keeper, in a process of its own. */
import { Wallet } from "ethers";
import pino from "pino";
import { openChain } from "../../src/chain/chain.js";
import type { Deployment } from "../../src/chain/deployment.js";
import { TransactionSender } from "../../src/chain/sender.js";
import { chainTime } from "../../src/chain/time.js";
import { ProvingKeeper } from "../../src/keeper/index.js";
import { DealDesk, startNode } from "../../src/provider/index.js";
import { FilePieceStore } from "../../src/store/index.js";
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
const MAX_PIECE_BYTES = 8 * 2 ** 30;
const MAX_PERIODS = 1_000;
/** A provider that keeps nothing loses what thirty periods would have paid. */
const COLLATERAL_RATIO = 30;

await runChild<Config>(async (config, tell, signal) => {
  const { deployment, owner, token } = config;
  const logger = pino({ level: process.env.HOLDFAST_DEBUG === "1" ? "debug" : "warn" });
  const chain = await openChain(config.rpcUrl, deployment, { logger, pollMs: POLL_MS });
  const store = await FilePieceStore.open(config.dataDir);
  const signer = new Wallet(config.hotKey, chain.provider);
  const tiers = [
    {
      tier: 0,
      pricePerGiBPerPeriod: config.pricePerGiBPerPeriod,
      egressPricePerGiB: "0",
      collateralRatio: COLLATERAL_RATIO,
    },
  ];
  const policy = { token, maxPieceBytes: MAX_PIECE_BYTES, maxPeriods: MAX_PERIODS, tiers };
  const now = () => chainTime(chain.provider);
  const desk = new DealDesk({ provider: owner, signer, deployment, contracts: chain.contracts, store, policy, now });
  const node = await startNode({ store, desk, logger, maxPieceBytes: MAX_PIECE_BYTES });
  const sender = new TransactionSender({ provider: chain.provider, signer, logger, pollMs: POLL_MS });
  const keeper = new ProvingKeeper({ chain, sender, pieces: store, provider: owner, logger });
  keeper.on("proven", ({ id, window }) => tell({ kind: "proven", id, window }));
  keeper.on("trouble", ({ id, window, code }) => tell({ kind: "trouble", id, window, code }));
  const running = keeper.run(signal);
  return {
    ready: { url: node.url, pid: process.pid },
    close: async () => {
      await node.close();
      await running;
      chain.provider.destroy();
    },
  };
});
