/** A provider of the demo: its HTTP node and its proving keeper, in a process of its own. */
import pino from "pino";
import type { Deployment } from "../../src/chain/deployment.js";
import { startProvider } from "../../src/provider/index.js";
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

await runChild<Config>(async ({ rpcUrl, deployment, dataDir, token, owner, hotKey, pricePerGiBPerPeriod }, tell) => {
  const tiers = [{ tier: 0, pricePerGiBPerPeriod, egressPricePerGiB: "0", collateralRatio: COLLATERAL_RATIO }];
  const provider = await startProvider({
    rpcUrl,
    deployment,
    dataDir,
    provider: owner,
    privateKey: hotKey,
    policy: { token, maxPieceBytes: MAX_PIECE_BYTES, maxPeriods: MAX_PERIODS, tiers },
    pollMs: POLL_MS,
    logger: pino({ level: process.env.HOLDFAST_DEBUG === "1" ? "debug" : "warn" }),
  });
  provider.keeper?.on("proven", ({ id, window }) => tell({ kind: "proven", id, window }));
  provider.keeper?.on("trouble", ({ id, window, code }) => tell({ kind: "trouble", id, window, code }));
  return { ready: { url: provider.url, pid: process.pid }, close: provider.close };
});
