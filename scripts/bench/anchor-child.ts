/** What `bench anchor` measures, in a process of its own, so that the most memory it held is its own. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { hashFile, hashFolder } from "../../src/client/hash-folder-node.js";
import { anchorDepth, NO_HASH } from "../../src/protocol/index.js";
import { openSetFile, writeSetFile } from "../../src/provenance/sets/file-node.js";
import {
  buildSet,
  formatMembership,
  type Membership,
  parseMembership,
  type SetHead,
  type SharedClaims,
} from "../../src/provenance/sets/index.js";
import { peakMiB } from "./peak-memory.js";

interface Places {
  readonly folder: string;
  readonly setFile: string;
}

export type AnchorTask =
  | ({ readonly act: "anchor" } & Places)
  | ({ readonly act: "verify" /** Paths in the folder. */; readonly samples: readonly string[] } & Places);

export interface Anchored {
  readonly hashSeconds: number;
  readonly buildSeconds: number;
  readonly writeSeconds: number;
  /** The most memory that the process held, 2^20 bytes. */
  readonly anchorPeakMiB: number;
  readonly setFileBytes: number;
}

export interface Verified {
  /** Opening the set file, hashing a file, finding it, checking its proof: the median of 25 files. */
  readonly verifySeconds: number;
  readonly verifyPeakMiB: number;
  /** The longest portable proof of these files. */
  readonly proofBytes: number;
  /** How long it would be in a set of a million. */
  readonly proofBytesOfMillion: number;
}

const MILLION = 1_000_000;
const REGISTRY = { chainId: 31_337, registry: "0x5FbDB2315678afecb367f032d93F642f64180aa3" };
const REGISTRANT = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
const SHARED: SharedClaims = {
  kind: "original",
  license: "CC-BY-4.0",
  aiTraining: "constrained",
  parents: [],
  manifestHash: `0x${"5c".repeat(32)}`,
};

const secondsSince = (start: number) => Math.round(performance.now() - start) / 1e3;

async function anchor({ folder, setFile }: Places): Promise<Anchored> {
  const start = performance.now();
  const entries = await hashFolder(folder);
  const hashSeconds = secondsSince(start);
  const hashed = performance.now();
  const set = buildSet({ ...REGISTRY, registrant: REGISTRANT, shared: SHARED, entries });
  const buildSeconds = secondsSince(hashed);
  const built = performance.now();
  await writeSetFile(setFile, set);
  const writeSeconds = secondsSince(built);
  const { size } = await stat(setFile);
  return { hashSeconds, buildSeconds, writeSeconds, anchorPeakMiB: Math.round(peakMiB()), setFileBytes: size };
}

async function verify({ folder, setFile }: Places, samples: readonly string[]): Promise<Verified> {
  const seconds: number[] = [];
  let [proofBytes, proofBytesOfMillion] = [0, 0];
  for (const path of samples) {
    const start = performance.now();
    const set = await openSetFile(setFile);
    const found = await set.find((await hashFile(join(folder, path))).sha256);
    seconds.push(performance.now() - start);
    if (!found) throw new Error(`${path} is not in the set`);
    const text = formatMembership(found, set);
    if (parseMembership(text).membership.id !== found.id) throw new Error(`the proof of ${path} is of something else`);
    proofBytes = Math.max(proofBytes, Buffer.byteLength(text));
    proofBytesOfMillion = Math.max(proofBytesOfMillion, bytesOfMillion(found, set));
    await set.close();
  }
  const median = seconds.sort((a, b) => a - b)[seconds.length >> 1] as number;
  return {
    verifySeconds: Math.round(median * 10) / 1e4,
    verifyPeakMiB: Math.round(peakMiB()),
    proofBytes,
    proofBytesOfMillion,
  };
}

/** The length of a proof depends on the set's size alone, so one with siblings that mean nothing shows it. */
function bytesOfMillion(membership: Membership, { chainId, registry, id, set, shared }: SetHead): number {
  const proof = Array.from({ length: anchorDepth(MILLION) }, () => NO_HASH);
  const head = { chainId, registry, id, shared, set: { ...set, count: BigInt(MILLION) } };
  return Buffer.byteLength(formatMembership({ ...membership, index: MILLION - 1, proof }, head));
}

const task = JSON.parse(process.argv[2] as string) as AnchorTask;
console.log(JSON.stringify(task.act === "anchor" ? await anchor(task) : await verify(task, task.samples)));
