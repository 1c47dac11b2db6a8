/**
 * A development chain of its own: the native anvil binary from npm, on a free port of this machine.
 *
 * The npm wrapper of anvil loses exit codes and signals, so the binary of the platform's package is started itself.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { HoldfastError } from "../errors.js";

export interface AnvilOptions {
  /** The chain id that the node reports and signs for. */
  readonly chainId: number;
  /** Seconds between blocks. Without it a block is mined for each transaction. */
  readonly blockTime?: number;
  /** Funded development accounts; anvil's default is 10. */
  readonly accounts?: number;
  /** More arguments for anvil, as on its command line (`["--hardfork", "prague"]`). */
  readonly args?: readonly string[];
  /** Stops the node, or its start, when aborted. */
  readonly signal?: AbortSignal;
  /** Milliseconds that the node may take until it answers; 20,000 by default. */
  readonly timeoutMs?: number;
}

export interface Anvil {
  /** JSON-RPC endpoint on 127.0.0.1, for HTTP and (with `ws:`) WebSocket. */
  readonly url: string;
  /** The node itself: its pid, its exit code. */
  readonly process: ChildProcess;
  /** Ends the node and resolves once it has exited. May be called again. */
  stop(): Promise<void>;
}

const LISTENING = /Listening on (127\.0\.0\.1:\d+)/;
const KEPT_OUTPUT = 4_000;
const DEFAULT_TIMEOUT_MS = 20_000;
const STOP_GRACE_MS = 3_000;

/**
 * Becomes anvil (`exec`, so pid and exit code are anvil's) and leaves a watcher behind that ends it when standard input
 * closes, which the kernel does for a parent that dies of anything, SIGKILL included. Where anvil exits first, closing
 * the pipe ends the watcher. Old states, gigabytes in a long run, are in a folder of their own: anvil would leave them in the
 * user's home, and the watcher takes them away when anvil is gone.
 */
const SUPERVISE = `states=$(mktemp -d "\${TMPDIR:-/tmp}/holdfast-anvil-XXXXXX") || exit 1
exec 3<&0
{
  cat <&3
  kill -TERM $$
  while kill -0 $$; do sleep 0.1; done
  rm -rf "$states"
} >/dev/null 2>&1 &
exec "$@" --cache-path "$states" 3<&- </dev/null`;

/**
 * The path of anvil's native binary.
 *
 * @param platform - Node's `process.platform`.
 * @param arch - Node's `process.arch`.
 * @throws {HoldfastError} `ANVIL_MISSING` where npm installed no binary for this platform.
 */
export function anvilBinary(platform: string = process.platform, arch: string = process.arch): string {
  const name = `@foundry-rs/anvil-${platform}-${arch === "x64" ? "amd64" : arch}`;
  try {
    // The platform's package is a dependency of anvil's, not of ours: look for it from there.
    const anvil = createRequire(import.meta.url).resolve("@foundry-rs/anvil/package.json");
    return join(dirname(createRequire(anvil).resolve(`${name}/package.json`)), "bin", "anvil");
  } catch (cause) {
    throw new HoldfastError(
      "ANVIL_MISSING",
      `The npm package ${name} is not installed`,
      "Install with optional dependencies on Linux or macOS, or start a node yourself and pass its URL.",
      { cause },
    );
  }
}

/**
 * Starts anvil on a free port of 127.0.0.1 and waits until it answers. The node ends with `stop()`, with `signal`, or
 * with this process, however that dies.
 *
 * @throws {HoldfastError} `ANVIL_MISSING`; `ANVIL_EXIT` where the node exits while starting (its last output is in the
 *   message); `ANVIL_TIMEOUT` where it doesn't open its port in time.
 * @throws The reason of `signal`, if that is aborted before the node answers.
 *
 * @example
 * ```ts
 * const anvil = await startAnvil({ chainId: 31337, blockTime: 1 });
 * try {
 *   const provider = new JsonRpcProvider(anvil.url);
 * } finally {
 *   await anvil.stop();
 * }
 * ```
 */
export async function startAnvil(options: AnvilOptions): Promise<Anvil> {
  options.signal?.throwIfAborted();
  const child = spawn("/bin/sh", ["-c", SUPERVISE, "sh", anvilBinary(), ...anvilArguments(options)], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  const exited = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  // Writing to a node that has gone is no error: nothing is ever written.
  child.stdin.on("error", () => {});
  void exited.then(() => child.stdin.destroy());

  const stop = () => end(child, exited);
  const onAbort = () => void stop();
  options.signal?.addEventListener("abort", onAbort, { once: true });
  void exited.then(() => options.signal?.removeEventListener("abort", onAbort));
  try {
    const url = await untilListening(child, options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    return { url, process: child, stop };
  } catch (error) {
    await stop();
    options.signal?.throwIfAborted();
    throw error;
  }
}

function anvilArguments({ chainId, blockTime, accounts, args = [] }: AnvilOptions): string[] {
  return [
    ...["--host", "127.0.0.1", "--port", "0", "--chain-id", String(chainId)],
    ...(blockTime === undefined ? [] : ["--block-time", String(blockTime)]),
    ...(accounts === undefined ? [] : ["--accounts", String(accounts)]),
    ...args,
  ];
}

/**
 * Reads the node's output until it names its port, which it does once the port takes connections. Keeps reading
 * afterwards, or a full pipe would block the node.
 */
async function untilListening(child: ChildProcess, timeoutMs: number): Promise<string> {
  let output = "";
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<string>((resolve, reject) => {
      const onData = (chunk: Buffer) => {
        output = (output + chunk.toString()).slice(-KEPT_OUTPUT);
        const address = LISTENING.exec(output)?.[1];
        if (address !== undefined) resolve(`http://${address}`);
      };
      child.stdout?.on("data", onData);
      child.stderr?.on("data", onData);
      timer = setTimeout(() => reject(timeoutError(timeoutMs, output)), timeoutMs);
      // "close" comes when the output is complete; a binary that can't be started has none.
      child.once("error", (cause) => reject(exitError(child, output, cause)));
      child.once("close", () => reject(exitError(child, output)));
    });
  } finally {
    clearTimeout(timer);
    for (const stream of [child.stdout, child.stderr]) stream?.removeAllListeners("data").resume();
  }
}

/** Closing its standard input ends the node by the watcher; what doesn't go in time is killed. */
async function end(child: ChildProcess, exited: Promise<void>): Promise<void> {
  child.stdin?.destroy();
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_GRACE_MS);
  await exited;
  clearTimeout(timer);
}

function exitError(child: ChildProcess, output: string, cause?: Error): HoldfastError {
  return new HoldfastError(
    "ANVIL_EXIT",
    `anvil exited with ${child.exitCode ?? child.signalCode ?? "no code"} while starting: ${output.trim()}`,
    "Check the arguments, and that the binary runs on this machine.",
    { cause },
  );
}

function timeoutError(timeoutMs: number, output: string): HoldfastError {
  return new HoldfastError(
    "ANVIL_TIMEOUT",
    `anvil didn't answer within ${timeoutMs} ms: ${output.trim()}`,
    "Try again on a less busy machine, or raise `timeoutMs`.",
  );
}
