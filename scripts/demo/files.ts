import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileBlob } from "../../src/client/file-node.js";
import { type Payload, readStream, streamOf } from "../../src/piece/index.js";
import { thumbnailOf } from "./sample.js";

/** A file that was made out of another one. */
export interface DerivedFile {
  readonly path: string;
  /** What was done. */
  readonly how: string;
}

/** Of a larger file, so much is made into another one: it is to be stored in a moment. */
const MOST_BYTES = 65_536;

/** Makes a thumbnail of the sample in `dir`. */
export async function deriveThumbnail(sample: string, dir: string): Promise<DerivedFile> {
  const path = join(dir, "thumbnail.bmp");
  await writeFile(path, thumbnailOf(await (await fileBlob(sample)).bytes()));
  return { path, how: "every fourth pixel of every fourth row" };
}

/** Makes the negative of a file of any kind in `dir`: never the same bytes, however few there are. */
export async function deriveNegative(file: string, dir: string): Promise<DerivedFile> {
  const path = join(dir, "negative.bin");
  const beginning = await (await fileBlob(file)).slice(0, MOST_BYTES).bytes();
  await writeFile(
    path,
    beginning.map((byte) => byte ^ 0xff),
  );
  return { path, how: "every bit flipped, of the first 64 KiB at most" };
}

/** A copy with one bit flipped, in the middle; the file stays as it is. */
export async function alteredCopy(file: string): Promise<Payload> {
  const blob = await fileBlob(file);
  return { size: blob.size, stream: () => streamOf(flipped(blob.stream(), Math.floor(blob.size / 2))) };
}

async function* flipped(stream: ReadableStream<Uint8Array>, at: number): AsyncGenerator<Uint8Array> {
  let left = at;
  for await (const chunk of readStream(stream)) {
    if (left >= 0 && left < chunk.length) chunk[left]! ^= 1;
    left -= chunk.length;
    yield chunk;
  }
}

/** sha-256 of a file, in hex. */
export async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}
