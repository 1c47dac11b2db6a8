import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startAnvil } from "../../src/chain/anvil.js";
import { deployHoldfast, devTiers } from "../../src/chain/deploy.js";
import { formatDeployment } from "../../src/chain/deployment.js";
import { connectChain } from "../../src/chain/provider.js";
import { HoldfastError } from "../../src/errors.js";
import { type CommandRun, runCommand } from "./command.js";
import { fillRegistry, type Registered } from "./lineage-records.js";

const CHAIN_ID = 31_337;
const POLLING_MS = 10;

export interface LineageBench extends Omit<Registered, "first" | "last"> {
  readonly records: number;
  /** `provenance lineage FIRST --json`, of the record that all others came from. */
  readonly descendants: CommandRun;
  /** `provenance lineage LAST --json`. */
  readonly ancestors: CommandRun;
  /** `provenance lineage FIRST --svg FILE`. */
  readonly drawing: CommandRun;
  /** Of what the first of these printed. */
  readonly jsonBytes: number;
}

/**
 * Measures `holdfast provenance lineage` on a chain of this machine's own with many records, in a process of its own each
 * time: nothing is kept from one to the next, so each reads all events.
 *
 * @param records - in the registry
 * @param signal - ends it early
 * @throws HoldfastError `INTERRUPTED`
 * @throws Error where a command fails, or leaves a record out
 */
export async function benchLineage(records: number, signal = new AbortController().signal): Promise<LineageBench> {
  const base = await mkdtemp(join(tmpdir(), "holdfast-bench-"));
  try {
    const anvil = await startAnvil({ chainId: CHAIN_ID });
    try {
      return await Promise.race([measure(anvil.url, base, records, signal), interruption(signal)]);
    } finally {
      await anvil.stop();
    }
  } finally {
    await rm(base, { recursive: true, force: true });
  }
}

function interruption(signal: AbortSignal): Promise<never> {
  const error = new HoldfastError("INTERRUPTED", "the bench was interrupted", "everything it started is stopped");
  if (signal.aborted) return Promise.reject(error);
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(error), { once: true }));
}

async function measure(rpcUrl: string, base: string, records: number, signal: AbortSignal): Promise<LineageBench> {
  const { deployment, first, last, ...registered } = await fill(rpcUrl, records, signal);
  const deploymentFile = join(base, "deployment.json");
  await writeFile(deploymentFile, formatDeployment(deployment));
  const settings = { HOLDFAST_RPC: rpcUrl, HOLDFAST_DEPLOYMENT: deploymentFile };
  const [json, svg] = [join(base, "lineage.json"), join(base, "lineage.svg")];
  const lineage = (output: string, ...args: string[]) =>
    runCommand(["provenance", "lineage", ...args], { settings, output, signal });

  const descendants = await lineage(json, first, "--json");
  await checkNodes(json, records);
  const { size: jsonBytes } = await stat(json);
  const ancestors = await lineage(json, last, "--json");
  await checkNodes(json, 1 + registered.ancestorsOfLast);
  const drawing = await lineage(join(base, "lineage.txt"), first, "--svg", svg);
  if (!(await readFile(svg, "utf8")).endsWith("</svg>\n")) throw new Error("the drawing is not whole");
  return { records, ...registered, descendants, ancestors, drawing, jsonBytes };
}

async function fill(rpcUrl: string, records: number, signal: AbortSignal) {
  const provider = await connectChain(rpcUrl, CHAIN_ID, { pollingMs: POLLING_MS });
  // What still waits for the chain then is refused, and ends.
  signal.addEventListener("abort", () => provider.destroy(), { once: true });
  try {
    const deployer = await provider.getSigner();
    const deployment = await deployHoldfast(deployer, { randomnessKind: "blockhash", tiers: devTiers() });
    return { deployment, ...(await fillRegistry(provider, deployment, records)) };
  } finally {
    provider.destroy();
  }
}

/** A figure for a lineage that leaves records out would mean nothing. */
async function checkNodes(file: string, expected: number): Promise<void> {
  const { nodes } = JSON.parse(await readFile(file, "utf8")) as { nodes: unknown[] };
  if (nodes.length !== expected) throw new Error(`the lineage has ${nodes.length} records, not ${expected}`);
}

/** Prints it for a person. */
export function printLineageBench(result: LineageBench): void {
  const { records, blocks, attestations, withdrawals, descendants, ancestors, drawing } = result;
  const row = (name: string, { seconds, peakMiB }: CommandRun) =>
    console.log(`${name.padEnd(44)}${seconds} s, at most ${peakMiB} MiB of memory`);
  console.log(`${records} records, ${attestations} attestations, ${withdrawals} withdrawals in ${blocks} blocks`);
  row(`lineage --json of the first, ${records - 1} below`, descendants);
  row(`lineage --json of the last, ${result.ancestorsOfLast} above`, ancestors);
  row("lineage --svg of the first", drawing);
}
