import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Load } from "./load.js";

export interface LoadProcess {
  /** Seconds that these requests take. @throws Error where one fails */
  run(load: Load): Promise<number>;
  end(): Promise<void>;
}

/** Starts a process that makes requests. */
export function startLoadProcess(): LoadProcess {
  const script = fileURLToPath(new URL("./load-child.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", script], { stdio: ["pipe", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return {
    async run(load) {
      child.stdin.write(`${JSON.stringify(load)}\n`);
      const { done, value } = await lines.next();
      if (done) throw new Error("a request has failed");
      return Number(value);
    },
    async end() {
      child.stdin.end();
      await exited;
    },
  };
}
