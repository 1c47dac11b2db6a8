/** Commands that run until they are stopped, in processes of their own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort } from "../../scripts/free-port.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TSX = fileURLToPath(import.meta.resolve("tsx/esm"));

export interface RunningCommand {
  /** What it has said on standard error. */
  said(): string;
  /** Resolves when it has ended, with its exit code: null where the signal ended it. */
  stop(signal: NodeJS.Signals): Promise<number | null>;
}

/**
 * Starts a command and waits until it says that it is ready.
 *
 * @param env - on top of this process's
 * @throws Error with what it said, where it ends instead
 */
export async function startCommand(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  ready: RegExp,
): Promise<RunningCommand> {
  const child = spawn(process.execPath, ["--import", TSX, join(ROOT, "src/cli/main.ts"), ...args], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let text = "";
  child.stderr.on("data", (more) => {
    text += more;
  });
  while (!ready.test(text)) {
    if (child.exitCode !== null) throw new Error(text);
    await sleep(20);
  }
  return {
    said: () => text,
    async stop(signal) {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
      const exit = once(child, "exit");
      child.kill(signal);
      return (await exit)[0];
    },
  };
}

/** Changes lines of a folder's node.yaml: tests run side by side. Gives the port that the node listens at. */
export async function useFreePorts(dir: string, more = ""): Promise<number> {
  const path = join(dir, "node.yaml");
  const [listen, ops] = [await freePort(), await freePort()];
  const text = (await readFile(path, "utf8"))
    .replace(/^listen: .*$/m, `listen: 127.0.0.1:${listen}`)
    .replace(/^ops: .*$/m, `ops: 127.0.0.1:${ops}`);
  await writeFile(path, text + more);
  return listen;
}

/** Waits for something to become true. @throws Error after `ms` */
export async function until(condition: () => Promise<boolean>, ms = 60_000, what = () => "nothing"): Promise<void> {
  const end = performance.now() + ms;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited in vain: ${what()}`);
    await sleep(50);
  }
}
