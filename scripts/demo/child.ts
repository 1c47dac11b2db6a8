/**
 * The demo's providers and its watcher are processes of their own, and so are keepers that are measured; this is how they
 * are started and heard.
 *
 * @packageDocumentation
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { HoldfastError } from "../../src/errors.js";

/** What a child says. The first message is `ready`; whatever it tells later has a kind of its own. */
export type ChildMessage = { readonly kind: string } & Record<string, unknown>;

export interface Child {
  readonly name: string;
  /** What the child said of itself when it was ready. */
  readonly ready: ChildMessage;
  /** False once the process is gone, whoever stopped it. */
  readonly alive: boolean;
  /** Says something to it; what, is between the two. */
  send(message: object): void;
  stop(): Promise<void>;
  /** As a power cut does: at once, with nothing said. Resolves when it is gone. */
  kill(): Promise<void>;
}

const START_MS = 60_000;
const STOP_MS = 5_000;
const KEPT_OUTPUT = 2_000;

/**
 * Starts `script` (beside this file) as a process, hands it `config` and waits until it is ready.
 *
 * @param onMessage - told everything that the child says after that
 * @param nodeFlags - for its Node, on top of this process's own
 * @throws HoldfastError `CHILD_FAILED` where it stops or stays silent instead
 */
export async function startChild(
  name: string,
  script: string,
  config: unknown,
  onMessage: (message: ChildMessage) => void,
  nodeFlags: readonly string[] = [],
): Promise<Child> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const execArgv = [...process.execArgv, ...nodeFlags];
  const child = fork(path, [], { execArgv, stdio: ["ignore", "pipe", "pipe", "ipc"], serialization: "advanced" });
  const output = tail(child);
  child.send(config as object);
  const ready = await firstMessage(name, child, output);
  child.on("message", (message) => onMessage(message as ChildMessage));
  return {
    name,
    ready,
    get alive() {
      return child.exitCode === null && child.signalCode === null;
    },
    send: (message) => void child.send(message),
    stop: () => stopChild(child, "SIGTERM"),
    kill: () => stopChild(child, "SIGKILL"),
  };
}

async function firstMessage(name: string, child: ChildProcess, output: () => string): Promise<ChildMessage> {
  const signal = AbortSignal.timeout(START_MS);
  try {
    const ended = once(child, "exit", { signal }).then(() => undefined);
    const message = await Promise.race([once(child, "message", { signal }), ended]);
    if (message) return message[0] as ChildMessage;
  } catch {
    child.kill("SIGKILL");
  }
  throw new HoldfastError("CHILD_FAILED", `${name} did not start: ${output()}`, "run with HOLDFAST_DEBUG=1 for more");
}

/** The last of what a child printed, for the report of its failure. */
function tail(child: ChildProcess): () => string {
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8");
    stream?.on("data", (chunk: string) => {
      text = (text + chunk).slice(-KEPT_OUTPUT);
      if (process.env.HOLDFAST_DEBUG === "1") process.stderr.write(chunk);
    });
  }
  return () => text.trim() || "it printed nothing";
}

async function stopChild(child: ChildProcess, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill(signal);
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  await ended;
  clearTimeout(timer);
}

/**
 * The child's side: waits for the configuration, runs `main`, and ends with the parent.
 *
 * @param main - given the configuration and a signal that asks it to stop; resolves when it runs, with what to say
 */
export async function runChild<T>(
  main: (config: T, tell: (message: ChildMessage) => void, signal: AbortSignal) => Promise<RunningChild>,
): Promise<void> {
  const stop = new AbortController();
  const [config] = (await once(process, "message")) as [T];
  const tell = (message: ChildMessage) => void (process.connected && process.send?.(message));
  const running = await main(config, tell, stop.signal);
  const end = async () => {
    stop.abort();
    await running.close();
    process.exit(0);
  };
  process.once("SIGTERM", end);
  process.once("SIGINT", () => undefined); // Ctrl-C reaches the whole group; the parent tells us when to stop.
  process.once("disconnect", end);
  tell({ kind: "ready", ...running.ready });
}

export interface RunningChild {
  readonly ready: Record<string, unknown>;
  close(): Promise<void>;
}
