import { randomFillSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commit, encodePieceCid } from "../../src/piece/index.js";
import { BlobPieceStore } from "../../src/store/index.js";
import { startNodeProcess } from "./node-process.js";
import { CASES, type Case, requestsOf } from "./retrieval/cases.js";
import { startLoadProcess } from "./retrieval/load-process.js";
import { startNginx } from "./retrieval/nginx.js";

const MIB = 1 << 20;
const FILES = 8;
/** Of the clock that `/proc` counts processor time by; Linux has shown the same everywhere for decades. */
const TICKS_PER_SECOND = 100;

/** How fast one server is, in one way to fetch. */
export interface ServerSpeed {
  /** 10^6 bytes a second, of the round in the middle. */
  readonly mbPerSecond: number;
  /** Processor seconds of the server for 10^9 bytes, over all rounds. */
  readonly cpuSecondsPerGb: number;
}

export interface CaseResult {
  readonly name: string;
  readonly connections: number;
  readonly node: ServerSpeed;
  readonly nginx: ServerSpeed;
  /** The node's speed, where nginx's is 1: of the round in the middle, and of the best for the node. */
  readonly ratio: number;
  readonly bestRatio: number;
}

export interface RetrievalBench {
  readonly sizeMiB: number;
  readonly rounds: number;
  readonly cases: readonly CaseResult[];
  /** The most memory that the node held, 2^20 bytes. */
  readonly peakMiB: number;
}

export interface RetrievalOptions {
  /** Prints one JSON object, else a table. */
  readonly json?: boolean;
  /** Of each file; 64 by default. */
  readonly sizeMiB?: number;
  /** For each case and server; 5 by default. */
  readonly rounds?: number;
}

interface Server {
  readonly port: number;
  readonly pid: number;
  readonly prefix: string;
}

interface Round {
  readonly seconds: number;
  readonly cpuSeconds: number;
}

/**
 * Measures `GET /piece/{cid}` against nginx: the same bytes, the same client, taking turns on the same machine. Node, nginx
 * and client are processes of their own.
 *
 * @throws Error where there is no nginx, or anything is answered but what was asked for
 */
export async function benchRetrieval(options: RetrievalOptions = {}): Promise<RetrievalBench> {
  const { json = false, sizeMiB = 64, rounds = 5 } = options;
  const folder = await mkdtemp(join(tmpdir(), "holdfast-bench-"));
  const load = startLoadProcess();
  try {
    const names = await fill(folder, sizeMiB * MIB);
    const nginx = await startNginx(join(folder, "files"));
    const node = await startNodeProcess(join(folder, "data"));
    const servers: readonly [Server, Server] = [
      { ...node, port: portOf(node.url), prefix: "/piece/" },
      { ...nginx, port: portOf(nginx.url), prefix: "/" },
    ];
    const cases: CaseResult[] = [];
    try {
      for (const one of CASES) cases.push(await compare(one, servers, { names, size: sizeMiB * MIB, rounds, load }));
    } finally {
      await nginx.stop();
    }
    const { peakMiB } = await node.end();
    const result = { sizeMiB, rounds, cases, peakMiB: Math.round(peakMiB) };
    print(result, json);
    return result;
  } finally {
    await load.end();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Makes files, and pieces of the same bytes. Gives the names that both have. */
async function fill(folder: string, size: number): Promise<string[]> {
  const store = await BlobPieceStore.open(join(folder, "data"));
  await mkdir(join(folder, "files"));
  const bytes = new Uint8Array(size);
  const names: string[] = [];
  for (let i = 0; i < FILES; i++) {
    for (let at = 0; at < size; at += MIB) randomFillSync(bytes, at, Math.min(MIB, size - at));
    const name = encodePieceCid(await commit(bytes)).toString();
    const id = await store.beginUpload();
    await store.writeUpload(id, pieces(bytes), size);
    await store.finishUpload(id, name);
    await writeFile(join(folder, "files", name), bytes);
    names.push(name);
  }
  await store.close();
  return names;
}

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += MIB) yield bytes.subarray(at, at + MIB);
}

interface Comparing {
  readonly names: readonly string[];
  readonly size: number;
  readonly rounds: number;
  readonly load: ReturnType<typeof startLoadProcess>;
}

/** After one round each that counts for nothing. */
async function compare(one: Case, servers: readonly [Server, Server], comparing: Comparing): Promise<CaseResult> {
  const taken: [Round[], Round[]] = [[], []];
  let bytes = 0;
  for (let round = 0; round <= comparing.rounds; round++) {
    // Who comes first in one round comes second in the next.
    for (const i of round % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
      const server = servers[i];
      const requests = requestsOf(one, { ...comparing, prefix: server.prefix });
      bytes = requests.reduce((sum, { length }) => sum + length, 0);
      const before = cpuSecondsOf(server.pid);
      const seconds = await comparing.load.run({ port: server.port, connections: one.connections, requests });
      if (round > 0) taken[i].push({ seconds, cpuSeconds: cpuSecondsOf(server.pid) - before });
    }
  }
  const [ofNode, ofNginx] = taken;
  const ratios = ofNode.map(({ seconds }, i) => (ofNginx[i] as Round).seconds / seconds);
  return {
    name: one.name,
    connections: one.connections,
    node: speedOf(ofNode, bytes),
    nginx: speedOf(ofNginx, bytes),
    ratio: rounded(middle(ratios)),
    bestRatio: rounded(Math.max(...ratios)),
  };
}

function speedOf(rounds: readonly Round[], bytes: number): ServerSpeed {
  const cpuSeconds = rounds.reduce((sum, round) => sum + round.cpuSeconds, 0);
  return {
    mbPerSecond: Math.round(bytes / 1e6 / middle(rounds.map(({ seconds }) => seconds))),
    cpuSecondsPerGb: rounded(cpuSeconds / ((bytes * rounds.length) / 1e9)),
  };
}

/** Of all threads of a process, since it was started. */
function cpuSecondsOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name, in brackets, may have spaces in it. User and system time are the 14th and 15th field of all.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] as number;
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

function print(result: RetrievalBench, json: boolean): void {
  if (json) {
    console.log(JSON.stringify(result));
    return;
  }
  console.log(
    `files of ${result.sizeMiB} MiB, ${result.rounds} rounds      node                 nginx                ratio`,
  );
  for (const { name, connections, node, nginx, ratio } of result.cases) {
    const speed = ({ mbPerSecond, cpuSecondsPerGb }: ServerSpeed) =>
      `${`${mbPerSecond} MB/s`.padStart(9)} ${cpuSecondsPerGb.toFixed(2)} s/GB `;
    const what = `${name}, ${connections} connection${connections === 1 ? "" : "s"}`;
    console.log(`${what.padEnd(32)}${speed(node)}  ${speed(nginx)}  ${ratio.toFixed(2)}`);
  }
  console.log(`the node held ${result.peakMiB} MiB at most`);
}
