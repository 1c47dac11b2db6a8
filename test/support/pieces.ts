/** Payloads of tests, with their CIDs, and folders that go away. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Commitment, commit, encodePieceCid } from "../../src/piece/index.js";
import type { FoundPiece } from "../../src/store/index.js";
import { pseudoRandom } from "../piece/helpers.js";

export interface TestPiece {
  readonly payload: Uint8Array<ArrayBuffer>;
  readonly commitment: Commitment;
  readonly cid: string;
  /** What a store says of it. */
  readonly found: FoundPiece;
}

/** A payload of this size, the same for the same seed. */
export async function testPiece(size: number, seed = 1): Promise<TestPiece> {
  const payload = pseudoRandom(size, seed);
  const commitment = await commit(payload);
  const cid = encodePieceCid(commitment).toString();
  return { payload, commitment, cid, found: { ...commitment, pieceCid: cid } };
}

/** Cuts bytes into chunks, as a network does. */
export async function* inChunks(bytes: Uint8Array, size = 65_536): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const folders: string[] = [];

/** A new folder; {@link removeFolders} takes it away. */
export async function tempFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-test-"));
  folders.push(folder);
  return folder;
}

/** For `after` hooks. */
export async function removeFolders(): Promise<void> {
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true })));
}

/** Names in a folder; none where there is no folder. */
export function filesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
}

/** Bytes of a stream. */
export async function bytesOf(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
