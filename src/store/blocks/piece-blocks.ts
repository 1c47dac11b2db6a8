import { createHash } from "node:crypto";
import { type FoundBlock, scanCar } from "../../piece/car/index.js";
import { readStream } from "../../piece/index.js";
import type { PieceStore } from "../types.js";

/** The largest block that IPFS clients take. */
export const MAX_SERVED_BLOCK_BYTES = 2 << 20;

/** Blocks that a piece is indexed for, 184 MB of index. Of a CAR with more, the rest is left out. */
const MAX_BLOCKS = 1 << 22;

/**
 * The blocks of a piece: those of the CAR that it may be, and, where it is small enough, itself, as what a raw CID names.
 * Each was hashed.
 *
 * @param size - of the payload, in bytes
 * @throws the reason of `signal`, and what the store throws
 */
export async function* blocksOf(
  store: Pick<PieceStore, "read">,
  pieceCid: string,
  size: number,
  signal: AbortSignal,
): AsyncGenerator<FoundBlock> {
  if (size <= MAX_SERVED_BLOCK_BYTES) {
    const hash = createHash("sha256");
    for await (const chunk of until(signal, await store.read(pieceCid, 0, size))) hash.update(chunk);
    yield { digest: hash.digest(), offset: 0, length: size };
  }
  const chunks = until(signal, await store.read(pieceCid, 0, size));
  yield* first(MAX_BLOCKS, scanCar(chunks, MAX_SERVED_BLOCK_BYTES));
}

async function* until(signal: AbortSignal, chunks: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of readStream(chunks)) {
    signal.throwIfAborted();
    yield chunk;
  }
}

async function* first<T>(count: number, items: AsyncIterable<T>): AsyncGenerator<T> {
  let left = count;
  for await (const item of items) {
    if (left-- === 0) return;
    yield item;
  }
}
