import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { formatDeployment } from "../../src/chain/deployment.js";
import { startChild } from "../demo/child.js";
import { buildWorld, enlist, type World } from "../demo/world.js";

const FILES_PER_FOLDER = 100;
/** Files of 1 byte to 4 KiB: 2 KiB on average. */
const MAX_FILE_BYTES = 4096;
const PERIODS = "12";
const PRICE_PER_GIB = "1000000";
const SAMPLE_MS = 25;
const MIB = 1 << 20;

const MAIN = [
  "--import",
  fileURLToPath(import.meta.resolve("tsx/esm")),
  fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url)),
];

export interface FolderBench {
  readonly files: number;
  /** Bytes of the piece. */
  readonly pieceBytes: number;
  /** Deals that were opened: one, with one provider. */
  readonly deals: number;
  /** Of the commands, from start to exit. */
  readonly storeSeconds: number;
  readonly fetchFileSeconds: number;
  readonly unpackSeconds: number;
  /** The most memory that a command held, 2^20 bytes; null where the system does not tell. */
  readonly storePeakMiB: number | null;
  readonly unpackPeakMiB: number | null;
}

/** A command that has ended. */
interface Run {
  readonly stdout: string;
  readonly seconds: number;
  readonly peakMiB: number | null;
}

/**
 * Measures `holdfast store`, `fetch` of one file and `fetch --unpack` on a folder of small files, against a chain of this
 * machine's own and a provider in a process of its own.
 *
 * @param options - `json` prints one JSON object, else lines for a person; `files` in the folder, 10,000 by default
 * @throws Error where a command fails, or gives back other bytes
 */
export async function benchFolder({ json = false, files = 10_000 } = {}): Promise<FolderBench> {
  const base = await mkdtemp(join(tmpdir(), "holdfast-bench-"));
  const world = await buildWorld(new AbortController().signal);
  try {
    const [actor] = world.providers as [World["providers"][number]];
    const provider = await startChild(
      actor.name,
      "./provider.ts",
      {
        rpcUrl: world.anvil.url,
        deployment: world.deployment,
        dataDir: join(base, "provider"),
        token: world.tokenAddress,
        owner: actor.owner.address,
        hotKey: actor.hot.privateKey,
        pricePerGiBPerPeriod: PRICE_PER_GIB,
      },
      () => undefined,
    );
    try {
      await enlist(world, actor, provider.ready.url as string);
      const result = await measure(world, base, files);
      print(result, json);
      return result;
    } finally {
      await provider.stop();
    }
  } finally {
    world.provider.destroy();
    await world.anvil.stop();
    await rm(base, { recursive: true, force: true });
  }
}

async function measure(world: World, base: string, files: number): Promise<FolderBench> {
  const [source, copy, one] = [join(base, "source"), join(base, "copy"), join(base, "one")];
  const last = await writeFolder(source, files);
  await writeFile(join(base, "deployment.json"), formatDeployment(world.deployment));
  const run = runnerOf({
    HOLDFAST_RPC: world.anvil.url,
    HOLDFAST_DEPLOYMENT: join(base, "deployment.json"),
    HOLDFAST_PRIVATE_KEY: world.client.privateKey,
  });
  const store = await run("store", source, "--periods", PERIODS, "--json");
  const { pieceCid, bytes, deals } = JSON.parse(store.stdout) as { pieceCid: string; bytes: number; deals: unknown[] };
  const fetch = await run("fetch", `${pieceCid}/${last}`, "-o", one, "--json");
  const unpack = await run("fetch", pieceCid, "--unpack", "-o", copy, "--json");
  const original = await readFile(join(source, last));
  for (const path of [one, join(copy, last)]) {
    if (!original.equals(await readFile(path))) throw new Error(`${path} is not what was stored`);
  }
  return {
    files,
    pieceBytes: bytes,
    deals: deals.length,
    storeSeconds: store.seconds,
    fetchFileSeconds: fetch.seconds,
    unpackSeconds: unpack.seconds,
    storePeakMiB: store.peakMiB,
    unpackPeakMiB: unpack.peakMiB,
  };
}

/** Files of different sizes and bytes, a hundred to a folder. Gives the path of the last. */
async function writeFolder(folder: string, files: number): Promise<string> {
  let path = "";
  for (let i = 0; i < files; i++) {
    const parent = `folder-${Math.floor(i / FILES_PER_FOLDER)}`;
    if (i % FILES_PER_FOLDER === 0) await mkdir(join(folder, parent), { recursive: true });
    path = `${parent}/file-${i}.bin`;
    const bytes = createHash("shake256", { outputLength: MAX_FILE_BYTES }).update(path).digest();
    // No two of a size follow each other, and all sizes come equally often.
    await writeFile(join(folder, path), bytes.subarray(0, 1 + ((i * 1_597) % MAX_FILE_BYTES)));
  }
  return path;
}

/** Runs the command line in processes of its own, as a person would. */
function runnerOf(settings: Record<string, string>): (...args: string[]) => Promise<Run> {
  return async (...args) => {
    const start = performance.now();
    const stdio: ["ignore", "pipe", "pipe"] = ["ignore", "pipe", "pipe"];
    const child = spawn(process.execPath, [...MAIN, ...args], { env: { ...process.env, ...settings }, stdio });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (text) => {
      stdout += text;
    });
    child.stderr.on("data", (text) => {
      stderr += text;
    });
    let peakMiB: number | null = null;
    const sampler = setInterval(async () => {
      peakMiB = (await peakOf(child.pid)) ?? peakMiB;
    }, SAMPLE_MS);
    const [status] = await once(child, "close");
    clearInterval(sampler);
    if (status !== 0) throw new Error(`holdfast ${args.join(" ")} ended with ${status}:\n${stderr}`);
    return { stdout, seconds: Math.round(performance.now() - start) / 1e3, peakMiB };
  };
}

/** The most memory that a process has held so far, where Linux keeps count. */
async function peakOf(pid: number | undefined): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(status) ?? [];
  return kib === undefined ? undefined : Math.round((Number(kib) * 1024) / MIB);
}

function print(result: FolderBench, json: boolean): void {
  if (json) {
    console.log(JSON.stringify(result));
    return;
  }
  const { files, pieceBytes, deals, storeSeconds, fetchFileSeconds, unpackSeconds } = result;
  const memory = (peak: number | null) => (peak === null ? "" : `, at most ${peak} MiB of memory`);
  console.log(`${files} files in a piece of ${pieceBytes} bytes, ${deals} deal`);
  console.log(`store             ${storeSeconds} s${memory(result.storePeakMiB)}`);
  console.log(`fetch one file    ${fetchFileSeconds} s`);
  console.log(`fetch --unpack    ${unpackSeconds} s${memory(result.unpackPeakMiB)}`);
}
