import { randomFillSync } from "node:crypto";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { create } from "fr32-sha2-256-trunc254-padded-binary-tree-multihash";
import { readFileChunks } from "../../src/piece/file-node.js";
import { commit, encodePieceCid } from "../../src/piece/index.js";

const MIB = 1 << 20;
const ROUNDS = 5;
/** The WASM hasher is slow and its speed does not depend on the size, so it gets less to do. */
const WASM_MIB = 32;

export interface PieceBench {
  /** Median speed of `commit` on the whole file, reading included: 10^6 payload bytes a second. */
  readonly mbPerSecond: number;
  /** The same of the WASM hasher, on the first 32 MiB. */
  readonly wasmMbPerSecond: number;
  /** How many times faster `commit` is. */
  readonly ratio: number;
}

/**
 * Measures `commit` on a file of random bytes against `fr32-sha2-256-trunc254-padded-binary-tree-multihash`. Rounds of
 * both alternate, after one of each that does not count; the medians are compared.
 *
 * @param options - `json` prints one JSON object, else lines for a person; `sizeMiB` of the file, 256 by default
 * @throws Error when the two disagree about the same bytes
 */
export async function benchPiece({
  json = false,
  sizeMiB = 256,
}: {
  json?: boolean;
  sizeMiB?: number;
} = {}): Promise<PieceBench> {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-bench-"));
  try {
    const file = join(folder, "random.bin");
    await writeRandom(file, sizeMiB);
    const wasmMiB = Math.min(WASM_MIB, sizeMiB);
    await compareDigests(file, wasmMiB);
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round <= ROUNDS; round++) {
      const speed = await megabytesPerSecond(sizeMiB, () => commit(readFileChunks(file)));
      const wasmSpeed = await megabytesPerSecond(wasmMiB, () => wasmDigest(file, wasmMiB));
      if (round === 0) continue;
      ours.push(speed);
      theirs.push(wasmSpeed);
    }
    const result = summarise(median(ours), median(theirs));
    print(result, json, sizeMiB, wasmMiB);
    return result;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function writeRandom(path: string, sizeMiB: number): Promise<void> {
  const file = await open(path, "w");
  try {
    const chunk = new Uint8Array(MIB);
    for (let i = 0; i < sizeMiB; i++) await file.writeFile(randomFillSync(chunk));
  } finally {
    await file.close();
  }
}

/** The first `limitMiB` of a file. */
async function* head(path: string, limitMiB: number): AsyncGenerator<Uint8Array> {
  let left = limitMiB * MIB;
  for await (const chunk of readFileChunks(path)) {
    yield chunk.subarray(0, left);
    left -= chunk.length;
    if (left <= 0) return;
  }
}

/** The WASM hasher's digest: padding, height and root, as in a PieceCIDv2. */
async function wasmDigest(path: string, limitMiB: number): Promise<Uint8Array> {
  const hasher = create();
  try {
    for await (const chunk of head(path, limitMiB)) hasher.write(chunk);
    const multihash = new Uint8Array(hasher.multihashByteLength());
    hasher.digestInto(multihash, 0, true);
    return multihash;
  } finally {
    hasher.free();
  }
}

/** A figure for a hasher that computes something else would mean nothing. */
async function compareDigests(path: string, limitMiB: number): Promise<void> {
  const ours = encodePieceCid(await commit(head(path, limitMiB))).multihash.bytes;
  if (Buffer.compare(ours, await wasmDigest(path, limitMiB)) !== 0) {
    throw new Error("commit() and the WASM hasher disagree about the same bytes");
  }
}

async function megabytesPerSecond(sizeMiB: number, work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (sizeMiB * MIB) / 1e3 / (performance.now() - start);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] as number;
}

function summarise(mbPerSecond: number, wasmMbPerSecond: number): PieceBench {
  const round = (value: number): number => Math.round(value * 10) / 10;
  return {
    mbPerSecond: round(mbPerSecond),
    wasmMbPerSecond: round(wasmMbPerSecond),
    ratio: round(mbPerSecond / wasmMbPerSecond),
  };
}

function print(result: PieceBench, json: boolean, sizeMiB: number, wasmMiB: number): void {
  if (json) {
    console.log(JSON.stringify(result));
    return;
  }
  console.log(`commit       ${result.mbPerSecond} MB/s   ${sizeMiB} MiB file, reading included`);
  console.log(`WASM hasher  ${result.wasmMbPerSecond} MB/s   first ${wasmMiB} MiB of it`);
  console.log(`ratio        ${result.ratio}   medians of ${ROUNDS} alternating rounds`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await benchPiece({ json: process.argv.includes("--json") });
}
