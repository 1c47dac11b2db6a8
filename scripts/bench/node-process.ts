import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { openDatabase } from "../../src/store/database/index.js";

/** What a node has taken, all in all. */
export interface NodeFigures {
  readonly cpuSeconds: number;
  /** The most memory that it held, 2^20 bytes. */
  readonly peakMiB: number;
}

export interface NodeProcess {
  readonly url: string;
  readonly pid: number;
  /** Ends the node, and asks it what it took. */
  end(): Promise<NodeFigures>;
}

/** Starts a node on the store in `dir`, in a process of its own. @throws Error where it ends by itself */
export async function startNodeProcess(dir: string): Promise<NodeProcess> {
  // To make a database takes more memory, once, than to have it.
  await (await openDatabase({ dir: join(dir, "index") })).destroy();
  const script = fileURLToPath(new URL("./node-child.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", script, dir], { stdio: ["pipe", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const next = async () => {
    const { done, value } = await lines.next();
    if (done) throw new Error("the node has ended early");
    return value as string;
  };
  const end = async () => {
    child.stdin.end();
    const figures = JSON.parse(await next()) as NodeFigures;
    await exited;
    return figures;
  };
  return { url: await next(), pid: child.pid as number, end };
}
