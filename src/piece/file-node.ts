import { type FileHandle, open } from "node:fs/promises";
import type { ReadPayloadRange } from "./proof.js";

const READ_SIZE = 1 << 20;

/**
 * A file as a source for {@link commit}. Two buffers take turns: while one is hashed the thread pool fills the other,
 * and nothing is left for the garbage collector. So a chunk is valid only until the next one is asked for.
 *
 * @param onChunk - told the size in bytes of each chunk as it is read, for a progress bar
 * @throws the file system's errors, out of the iteration
 */
export async function* readFileChunks(path: string, onChunk?: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  const file = await open(path);
  const buffers = [new Uint8Array(READ_SIZE), new Uint8Array(READ_SIZE)] as const;
  let next = file.read(buffers[0], 0, READ_SIZE);
  try {
    for (let turn = 1; ; turn++) {
      const { buffer, bytesRead } = await next;
      if (bytesRead === 0) return;
      next = file.read(buffers[(turn % 2) as 0 | 1], 0, READ_SIZE);
      onChunk?.(bytesRead);
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    // A consumer that stops early leaves a read under way, and its failure is nobody's business any more.
    await next.catch(() => undefined);
    await file.close();
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
