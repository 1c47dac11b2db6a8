import { open } from "node:fs/promises";

/** As much as a processor's cache holds: what was just read is sent from there. */
const CHUNK_BYTES = 256 * 1024;
/** Buffers that wait for their next reader, 4 MiB in all. */
const MAX_SPARE = 16;

const spare: Uint8Array[] = [];

/**
 * Bytes `start` up to and without `end` of a file, fewer where it ends before. All chunks of a reader lie in the same memory,
 * so a chunk is valid only until the next one is asked for.
 *
 * @throws the file system's errors, out of the iteration
 */
export async function* fileChunks(path: string, start: number, end: number): AsyncGenerator<Uint8Array> {
  const file = await open(path);
  const buffer = spare.pop() ?? new Uint8Array(CHUNK_BYTES);
  try {
    for (let at = start; at < end; ) {
      const { bytesRead } = await file.read(buffer, 0, Math.min(CHUNK_BYTES, end - at), at);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
      at += bytesRead;
    }
  } finally {
    if (spare.length < MAX_SPARE) spare.push(buffer);
    await file.close();
  }
}
