/** Reading a file in memory that is used again and again. */
import type { FileHandle } from "node:fs/promises";

/** A first read that is over soon: the next ones, of more and more, go on while what they follow is sent. */
const FIRST_BYTES = 64 * 1024;
const GROWTH = 4;
const SMALL_BYTES = 128 * 1024;
const LARGE_BYTES = 1024 * 1024;
/** 32 MiB in all, however many read: who comes later, or reads little, has a small buffer. */
const MAX_LARGE = 32;
const MAX_SPARE_SMALL = 32;

const spareLarge: Uint8Array[] = [];
const spareSmall: Uint8Array[] = [];
let lentLarge = 0;

/**
 * Bytes `start` up to and without `end` of a file, fewer where it ends before. A chunk is valid only until the next one is
 * asked for; by then that one is being read, where there are two buffers for it.
 *
 * @throws the file system's errors, out of the iteration
 */
export async function* readChunks(file: FileHandle, start: number, end: number): AsyncGenerator<Uint8Array> {
  if (start >= end) return;
  const buffers = take(end - start);
  const read = (turn: number, at: number) => {
    const buffer = buffers[turn % buffers.length] as Uint8Array;
    const most = buffers.length > 1 ? Math.min(FIRST_BYTES * GROWTH ** turn, buffer.length) : buffer.length;
    const reading = file.read(buffer, 0, Math.min(most, end - at), at);
    // It can fail while nobody waits for it.
    reading.catch(() => undefined);
    return reading;
  };
  let reading = read(0, start);
  try {
    for (let at = start, turn = 1; ; turn++) {
      const { buffer, bytesRead } = await reading;
      at += bytesRead;
      const isLast = bytesRead === 0 || at >= end;
      if (buffers.length > 1 && !isLast) reading = read(turn, at);
      if (bytesRead > 0) yield buffer.subarray(0, bytesRead);
      if (isLast) return;
      if (buffers.length === 1) reading = read(turn, at);
    }
  } finally {
    // Who stops early leaves a read under way, into memory that is another's next.
    await reading.catch(() => undefined);
    give(buffers);
  }
}

/** Two large buffers, or a small one. */
function take(length: number): Uint8Array[] {
  if (length <= SMALL_BYTES || lentLarge + 2 > MAX_LARGE) return [spareSmall.pop() ?? new Uint8Array(SMALL_BYTES)];
  lentLarge += 2;
  return [1, 2].map(() => spareLarge.pop() ?? new Uint8Array(LARGE_BYTES));
}

function give(buffers: readonly Uint8Array[]): void {
  for (const buffer of buffers) {
    if (buffer.length === LARGE_BYTES) {
      lentLarge--;
      spareLarge.push(buffer);
    } else if (spareSmall.length < MAX_SPARE_SMALL) spareSmall.push(buffer);
  }
}
