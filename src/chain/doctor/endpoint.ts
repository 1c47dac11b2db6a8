/** Whether one endpoint gives what services need of it. */
import type { Block } from "ethers";
import type { Logger } from "pino";
import { isDevelopmentChain, measureBlockSeconds } from "../block-time.js";
import { systemClock } from "../clock.js";
import { connect } from "../contracts.js";
import { type Deployment, partsOf } from "../deployment.js";
import { codeDifferences, type Differences, parameterDifferences } from "../differences.js";
import { HeadWatch } from "../head-watch.js";
import type { Network } from "../networks.js";
import { openBarePool, type PoolProvider } from "../pool-provider.js";
import { type Finding, failure, look, type Notes, notesAt } from "./finding.js";
import { firstLogs } from "./first-logs.js";

export interface EndpointOptions {
  readonly chainId: number;
  /** Undefined for a chain that has no name here. */
  readonly network: Network | undefined;
  /** Undefined where none was found: what depends on it is not looked at. */
  readonly deployment: Deployment | undefined;
  readonly logger: Logger;
}

/** One endpoint by itself, and what was found of it. */
export interface Examined {
  readonly name: string;
  readonly findings: readonly Finding[];
  /** Undefined where it can't be used at all: nobody there, or another chain. */
  readonly provider: PoolProvider | undefined;
  /** 0 where it is not known. */
  readonly head: number;
  /** The first block that it serves logs of, where one is known. */
  readonly logsFrom: number | undefined;
}

/** An answer that takes longer makes every duty late. */
const SLOW_MS = 2_000;
/** Seconds by which a head may be ahead of this machine's clock. */
const CLOCK_SECONDS = 30;
/** Services read the state of blocks that a reorganisation may still take back. */
const STATE_DEPTH = 64;

/** Opens an endpoint and looks at everything that it should give. The provider is the caller's to destroy. */
export async function examineEndpoint(url: string, name: string, options: EndpointOptions): Promise<Examined> {
  const notes = notesAt(name);
  const nothing = { name, provider: undefined, head: 0, logsFrom: undefined };
  let provider: PoolProvider;
  try {
    provider = await openBarePool([url], options.chainId, { logger: options.logger });
  } catch (error) {
    return { ...nothing, findings: [failure(notes, "endpoint", error)] };
  }
  const findings = await look(notes, "endpoint", () => reached(notes, provider));
  findings.push(notes.ok("chain id", String(options.chainId)));
  let head: Block | null = null;
  findings.push(
    ...(await look(notes, "head", async () => {
      head = await provider.getBlock("latest");
      return headAge(notes, provider, head, options);
    })),
  );
  if (head === null) return { ...nothing, provider, findings };
  const { number } = head as Block;
  findings.push(...(await look(notes, "tags", () => tags(notes, provider, number))));
  findings.push(...(await look(notes, "state", () => recentState(notes, provider, number, options))));
  const logs = await history(notes, provider, number, options);
  findings.push(...logs.findings, ...(await contracts(notes, provider, options)));
  return { name, provider, head: number, logsFrom: logs.logsFrom, findings };
}

async function reached(notes: Notes, provider: PoolProvider): Promise<Finding> {
  const began = performance.now();
  await provider.getBlockNumber();
  const ms = Math.round(performance.now() - began);
  const version = await provider.send("web3_clientVersion", []).catch(() => undefined);
  const seen = `answers in ${ms} ms, ${typeof version === "string" ? version.slice(0, 60) : "its version unknown"}`;
  return ms > SLOW_MS ? notes.warning("endpoint", seen, "add one that is nearer") : notes.ok("endpoint", seen);
}

async function headAge(
  notes: Notes,
  provider: PoolProvider,
  head: Block | null,
  { chainId, network }: EndpointOptions,
): Promise<Finding> {
  if (head === null) return notes.failed("head", "it has no latest block", "take another endpoint");
  const age = Math.round(systemClock.now() / 1_000 - head.timestamp);
  const seen = `block ${head.number}, ${age} s old`;
  if (isDevelopmentChain(chainId)) return notes.ok("head", `${seen} (a developer's chain: none is late)`);
  if (age < -CLOCK_SECONDS)
    return notes.warning("head", `${seen}: it is ahead of this machine`, "set this machine's clock");
  const blockSeconds = network?.blockSeconds ?? (await measureBlockSeconds(provider));
  const { maxSeconds } = new HeadWatch({ blockSeconds });
  if (age <= maxSeconds) return notes.ok("head", seen);
  const todo =
    "wait until the node has caught up, take another, or set this machine's clock: keepers act on no stale head";
  return notes.failed("head", `${seen}, and a block takes ${Math.round(blockSeconds)} s: it is stale`, todo);
}

/** `pending` is where keepers read the seed of the latest block; `finalized` is a depth that a policy may name. */
async function tags(notes: Notes, provider: PoolProvider, head: number): Promise<Finding> {
  const numberOf = async (tag: string) => (await provider.getBlock(tag).catch(() => null))?.number;
  const [pending, safe, finalized] = await Promise.all(["pending", "safe", "finalized"].map(numberOf));
  const text = (tag: string, number: number | undefined) =>
    number === undefined ? `no ${tag}` : `${tag} ${number > head ? "ahead" : `${head - number} blocks behind`}`;
  const seen = [
    text("safe", safe),
    text("finalized", finalized),
    ...(pending === undefined ? ["no pending"] : []),
  ].join(", ");
  if (pending === undefined) {
    return notes.warning(
      "tags",
      seen,
      "take an endpoint that serves pending: proofs in a window's first block need it",
    );
  }
  if (finalized !== undefined) return notes.ok("tags", seen);
  return notes.warning("tags", seen, "name a number of blocks, and not finalized, as a policy's settle.depth");
}

async function recentState(
  notes: Notes,
  provider: PoolProvider,
  head: number,
  { deployment }: EndpointOptions,
): Promise<Finding> {
  const at = Math.max(deployment?.block ?? 0, head - STATE_DEPTH, 0);
  const seen = `of block ${at}, ${head - at} back`;
  const address = deployment?.market ?? `0x${"0".repeat(40)}`;
  try {
    await provider.getCode(address, at);
    return notes.ok("state", `served, ${seen}`);
  } catch {
    const todo = "take an endpoint that keeps the state of the last 64 blocks at least";
    return notes.warning("state", `not served, ${seen}`, todo);
  }
}

async function history(notes: Notes, provider: PoolProvider, head: number, { deployment }: EndpointOptions) {
  if (deployment === undefined) return { logsFrom: undefined, findings: [] };
  let logsFrom: number | undefined;
  const findings = await look(notes, "logs", async () => {
    logsFrom = await firstLogs(provider, deployment, head);
    if (logsFrom === deployment.block) return notes.ok("logs", `from the deployment's block ${logsFrom} on`);
    const seen = logsFrom === undefined ? "none are served" : `only from block ${logsFrom} on, ${head - logsFrom} back`;
    const todo = `add an endpoint that serves logs from block ${deployment.block} on: deals are found by them`;
    return notes.warning("logs", `${seen}; the deployment is of block ${deployment.block}`, todo);
  });
  return { logsFrom, findings };
}

async function contracts(
  notes: Notes,
  provider: PoolProvider,
  { deployment }: EndpointOptions,
): Promise<readonly Finding[]> {
  if (deployment === undefined) return [];
  const { build } = deployment;
  const code = await look(notes, "code", async () => {
    const wrong = await codeDifferences(provider, deployment);
    if (wrong.length > 0)
      return different(notes, "code", wrong, "take the deployment file of this market as it was written");
    if (build !== undefined)
      return notes.ok("code", `that of the file's build in all ${partsOf(deployment).length} contracts`);
    return notes.note(
      "code",
      `there, in all ${partsOf(deployment).length} contracts; the file names no build to compare it with`,
    );
  });
  const parameters = await look(notes, "parameters", async () => {
    const wrong = await parameterDifferences(connect(provider, deployment), deployment);
    const todo = "take the deployment file of this market as it was written";
    return wrong.length > 0 ? different(notes, "parameters", wrong, todo) : notes.ok("parameters", "as in the file");
  });
  return [...code, ...parameters];
}

function different(notes: Notes, what: string, differences: Differences, todo: string): Finding {
  return notes.failed(what, differences.join("; "), todo);
}
