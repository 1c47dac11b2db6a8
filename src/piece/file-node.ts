import { createReadStream } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import type { ReadPayloadRange } from "./proof.js";

/** Large reads keep a core hashing while the thread pool fetches the next chunk. */
const READ_SIZE = 1 << 20;

/**
 * A file as a source for {@link commit}. Errors of the file system come out of the iteration.
 *
 * @param onChunk - told the size in bytes of each chunk as it is read, for a progress bar
 */
export async function* readFileChunks(path: string, onChunk?: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of createReadStream(path, { highWaterMark: READ_SIZE })) {
    onChunk?.(chunk.length);
    yield chunk;
  }
}

/**
 * A file as the payload that {@link prove} re-reads. At the end of the file the range comes out short, which
 * `prove` reports as `MISSING_BYTES`.
 */
export function readFileRange(file: FileHandle): ReadPayloadRange {
  return async (offset, length) => {
    const bytes = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await file.read(bytes, filled, length - filled, offset + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return bytes.subarray(0, filled);
  };
}
