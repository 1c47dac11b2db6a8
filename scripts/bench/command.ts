import { spawn } from "node:child_process";
import { once } from "node:events";
import { open } from "node:fs/promises";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

/** Where a measured command says how much memory it held. */
export const PEAK_FD = 3;
const KIB_PER_MIB = 1024;

const MAIN = [
  ...["--import", fileURLToPath(import.meta.resolve("tsx/esm"))],
  ...["--import", new URL("./peak.ts", import.meta.url).href],
  fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url)),
];

/** What a command took. */
export interface CommandRun {
  /** From start to exit. */
  readonly seconds: number;
  /** The most memory that it held, 2^20 bytes. */
  readonly peakMiB: number;
}

export interface CommandOptions {
  /** Environment variables on top of this process's own. */
  readonly settings: Readonly<Record<string, string>>;
  /** File that standard output goes to, as with `>` in a shell. */
  readonly output: string;
  readonly signal: AbortSignal;
}

/**
 * Runs the command line in a process of its own, as a person would.
 *
 * @throws Error where it fails; the reason of `signal`, having ended the process
 */
export async function runCommand(
  args: readonly string[],
  { settings, output, signal }: CommandOptions,
): Promise<CommandRun> {
  const file = await open(output, "w");
  try {
    const start = performance.now();
    const child = spawn(process.execPath, [...MAIN, ...args], {
      env: { ...process.env, ...settings },
      stdio: ["ignore", file.fd, "pipe", "pipe"],
      signal,
    });
    const said = Promise.all([text(child.stderr as Readable), text(child.stdio[PEAK_FD] as Readable)]);
    const [status] = await once(child, "exit");
    const seconds = Math.round(performance.now() - start) / 1e3;
    const [stderr, peakKiB] = await said;
    if (status !== 0) throw new Error(`holdfast ${args.join(" ")} ended with ${status}:\n${stderr}`);
    return { seconds, peakMiB: Math.round(Number(peakKiB) / KIB_PER_MIB) };
  } finally {
    await file.close();
  }
}
