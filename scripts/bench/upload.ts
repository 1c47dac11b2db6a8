import { randomFillSync } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { encodePieceCid, PieceHasher } from "../../src/piece/index.js";
import { type NodeFigures, startNodeProcess } from "./node-process.js";

const MIB = 1 << 20;

export interface UploadBench {
  readonly sizeMiB: number;
  readonly rounds: number;
  /** The fastest upload: 10^6 payload bytes a second, from the first byte sent to the piece being in the store. */
  readonly bestMbPerSecond: number;
  /** The one in the middle. */
  readonly medianMbPerSecond: number;
  /** Processor time of the node, 10^6 payload bytes a second of it: what one core takes at most. */
  readonly mbPerCpuSecond: number;
  /** The most memory that the node held, 2^20 bytes. */
  readonly peakMiB: number;
}

export interface UploadOptions {
  /** Prints one JSON object, else lines for a person. */
  readonly json?: boolean;
  /** Of each piece; 512 by default. */
  readonly sizeMiB?: number;
  /** Pieces; 5 by default. */
  readonly rounds?: number;
}

/**
 * Measures uploads over HTTP into a node in a process of its own: receiving, committing, writing, syncing. Every piece is
 * another one, and its CID is checked by the node.
 */
export async function benchUpload({
  json = false,
  sizeMiB = 512,
  rounds = 5,
}: UploadOptions = {}): Promise<UploadBench> {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-bench-"));
  try {
    const { url, end } = await startNodeProcess(join(folder, "data"));
    const chunk = randomFillSync(new Uint8Array(MIB));
    const speeds: number[] = [];
    for (let round = 0; round < rounds; round++) {
      chunk[0] = round;
      speeds.push(await uploadOnce(url, chunk, sizeMiB));
    }
    const result = summarise(speeds, await end(), sizeMiB);
    print(result, json);
    return result;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Sends the chunk so many times over. What the sender computes is done before the clock runs. */
async function uploadOnce(url: string, chunk: Uint8Array, sizeMiB: number): Promise<number> {
  const hasher = new PieceHasher();
  for (let i = 0; i < sizeMiB; i++) hasher.update(chunk);
  const pieceCid = encodePieceCid(hasher.finish()).toString();
  const begun = await fetch(`${url}/pdp/piece/uploads`, { method: "POST" });
  const place = url + begun.headers.get("location");
  const start = performance.now();
  await send(place, chunk, sizeMiB);
  const finished = await fetch(place, { method: "POST", body: JSON.stringify({ pieceCid }) });
  if (finished.status !== 200) throw new Error(`the node answers ${finished.status} ${await finished.text()}`);
  return (sizeMiB * MIB) / 1e3 / (performance.now() - start);
}

/** By plain HTTP, which costs the sender little: it shares the machine with what is measured. */
async function send(place: string, chunk: Uint8Array, count: number): Promise<void> {
  const sent = request(place, { method: "PUT", headers: { "content-length": count * MIB } });
  const answered = once(sent, "response");
  for (let i = 0; i < count; i++) if (!sent.write(chunk)) await once(sent, "drain");
  sent.end();
  const [response] = await answered;
  response.resume();
  if (response.statusCode !== 204) throw new Error(`the node answers ${response.statusCode}`);
}

function summarise(speeds: readonly number[], { cpuSeconds, peakMiB }: NodeFigures, sizeMiB: number): UploadBench {
  const sorted = [...speeds].sort((a, b) => a - b);
  const round = (value: number | undefined): number => Math.round((value as number) * 10) / 10;
  return {
    sizeMiB,
    rounds: speeds.length,
    bestMbPerSecond: round(sorted.at(-1)),
    medianMbPerSecond: round(sorted[sorted.length >> 1]),
    mbPerCpuSecond: round((speeds.length * sizeMiB * MIB) / 1e6 / cpuSeconds),
    peakMiB: Math.round(peakMiB),
  };
}

function print(result: UploadBench, json: boolean): void {
  if (json) {
    console.log(JSON.stringify(result));
    return;
  }
  console.log(
    `upload       ${result.bestMbPerSecond} MB/s   best of ${result.rounds} pieces of ${result.sizeMiB} MiB, synced to disk`,
  );
  console.log(`median       ${result.medianMbPerSecond} MB/s`);
  console.log(`processor    ${result.mbPerCpuSecond} MB for each second of the node's processor time`);
  console.log(`memory       ${result.peakMiB} MiB at most, Node itself included`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await benchUpload({ json: process.argv.includes("--json") });
}
