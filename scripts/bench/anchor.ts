import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Anchored, AnchorTask, Verified } from "./anchor-child.js";

const FILES_PER_FOLDER = 250;
const [MIN_FILE_BYTES, MAX_FILE_BYTES] = [200, 4096];
/** A child prints one line. */
const MAX_OUTPUT = 1 << 16;

const CHILD = [
  "--import",
  fileURLToPath(import.meta.resolve("tsx/esm")),
  fileURLToPath(import.meta.resolve("./anchor-child.ts")),
];

export interface AnchorBench extends Anchored, Verified {
  readonly files: number;
  /** Of the process that hashes, builds and writes, from start to exit. */
  readonly anchorSeconds: number;
  /** Of the process that looks one file up, from start to exit. */
  readonly verifyCommandSeconds: number;
}

/**
 * Measures what it takes to make one anchored set of a folder of small files, and to verify one of them, in processes of
 * their own. No chain takes part: the set is one transaction, whatever its size (`bench gas`).
 *
 * @param files - in the folder
 * @throws Error where a file is not found in the set, or its proof is wrong
 */
export async function benchAnchor(files: number): Promise<AnchorBench> {
  const base = await mkdtemp(join(tmpdir(), "holdfast-bench-"));
  try {
    const task = { folder: join(base, "folder"), setFile: join(base, "folder.set") };
    const samples = await writeFolder(task.folder, files);
    const [anchored, anchorSeconds] = await timed(() => run<Anchored>({ act: "anchor", ...task }));
    const [verified, verifyCommandSeconds] = await timed(() => run<Verified>({ act: "verify", ...task, samples }));
    return { files, anchorSeconds, ...anchored, verifyCommandSeconds, ...verified };
  } finally {
    await rm(base, { recursive: true, force: true });
  }
}

/** Files of different sizes and bytes, no two the same, in subfolders. Gives the paths of some, from all over. */
async function writeFolder(folder: string, files: number): Promise<string[]> {
  const paths: string[] = [];
  for (let i = 0; i < files; i++) {
    const parent = join(`part-${i % 8}`, `folder-${Math.floor(i / FILES_PER_FOLDER)}`);
    if (i % FILES_PER_FOLDER < 8) await mkdir(join(folder, parent), { recursive: true });
    const path = join(parent, `file-${i}.bin`);
    const bytes = createHash("shake256", { outputLength: MAX_FILE_BYTES }).update(path).digest();
    const size = MIN_FILE_BYTES + ((i * 1_597) % (MAX_FILE_BYTES - MIN_FILE_BYTES + 1));
    await writeFile(join(folder, path), bytes.subarray(0, size));
    paths.push(path);
  }
  return Array.from({ length: 25 }, (_, i) => paths[Math.floor((i * files) / 25)] as string);
}

async function run<T>(task: AnchorTask): Promise<T> {
  const args = [...CHILD, JSON.stringify(task)];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: MAX_OUTPUT });
  return JSON.parse(stdout) as T;
}

async function timed<T>(act: () => Promise<T>): Promise<[T, number]> {
  const start = performance.now();
  const result = await act();
  return [result, Math.round(performance.now() - start) / 1e3];
}

/** Prints it for a person. */
export function printAnchorBench(result: AnchorBench): void {
  const { files, hashSeconds, buildSeconds, writeSeconds } = result;
  const row = (name: string, value: string) => console.log(`${name.padEnd(32)}${value}`);
  console.log(`${files} files of ${MIN_FILE_BYTES} to ${MAX_FILE_BYTES} bytes in one set`);
  row("anchor, the whole process", `${result.anchorSeconds} s, at most ${result.anchorPeakMiB} MiB of memory`);
  row("  hash / build / write", `${hashSeconds} s / ${buildSeconds} s / ${writeSeconds} s`);
  row("set file", `${result.setFileBytes} bytes`);
  row("verify one file, median", `${result.verifySeconds} s`);
  row("verify, the whole process", `${result.verifyCommandSeconds} s, at most ${result.verifyPeakMiB} MiB of memory`);
  row("portable proof", `${result.proofBytes} bytes; ${result.proofBytesOfMillion} in a set of a million`);
}
