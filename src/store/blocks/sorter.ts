import type { FileHandle } from "node:fs/promises";
import type { FoundBlock } from "../../piece/car/index.js";
import { readFileRange } from "../../piece/file-node.js";
import { compareRecords, RECORD_BYTES, sameDigest, writeRecord } from "./records.js";

/** Records that are sorted in memory: 720 KB, a hundredth of a second. */
const RUN_RECORDS = 1 << 14;
/** Records of each run that are in memory while runs are merged. */
const READ_RECORDS = 256;

/** One sorted run, read a part at a time. */
interface Cursor {
  part: Buffer;
  at: number;
  /** Where the rest of the run lies in the file. */
  next: number;
  readonly end: number;
}

/**
 * Sorts records outside of memory: runs go into a file, and are merged as they are read back. With the 2^22 records that an
 * index has at most, memory holds 4 MB.
 */
export class RecordSorter {
  readonly #file: FileHandle;
  readonly #run = Buffer.alloc(RUN_RECORDS * RECORD_BYTES);
  #filled = 0;
  readonly #ends: number[] = [];

  /** @param file - an empty one, open for both reading and writing */
  constructor(file: FileHandle) {
    this.#file = file;
  }

  async add(record: FoundBlock): Promise<void> {
    writeRecord(record, this.#run, this.#filled * RECORD_BYTES);
    if (++this.#filled === RUN_RECORDS) await this.#flush();
  }

  /** All records in their order, a digest that came several times once, where it came first. Called once, last. */
  async *sorted(): AsyncGenerator<Buffer> {
    await this.#flush();
    const heap: Cursor[] = [];
    for (const [i, end] of this.#ends.entries()) {
      const cursor: Cursor = { part: Buffer.alloc(0), at: 0, next: this.#ends[i - 1] ?? 0, end };
      await this.#refill(cursor);
      heap.push(cursor);
    }
    for (let i = heap.length >> 1; i-- > 0; ) sink(heap, i);
    let last: Buffer | undefined;
    for (let least = heap[0]; least !== undefined; least = heap[0]) {
      if (!last || !sameDigest(least.part, least.at, last, 0)) {
        last = Buffer.from(least.part.subarray(least.at, least.at + RECORD_BYTES));
        yield last;
      }
      least.at += RECORD_BYTES;
      if (least.at === least.part.length && !(await this.#refill(least))) remove(heap);
      sink(heap, 0);
    }
  }

  async #flush(): Promise<void> {
    const order = Array.from({ length: this.#filled }, (_, i) => i * RECORD_BYTES);
    order.sort((a, b) => compareRecords(this.#run, a, this.#run, b));
    const sorted = Buffer.concat(order.map((at) => this.#run.subarray(at, at + RECORD_BYTES)));
    const start = this.#ends.at(-1) ?? 0;
    for (let at = 0; at < sorted.length; ) {
      at += (await this.#file.write(sorted, at, sorted.length - at, start + at)).bytesWritten;
    }
    if (sorted.length > 0) this.#ends.push(start + sorted.length);
    this.#filled = 0;
  }

  async #refill(cursor: Cursor): Promise<boolean> {
    const length = Math.min(READ_RECORDS * RECORD_BYTES, cursor.end - cursor.next);
    if (length === 0) return false;
    const bytes = await readFileRange(this.#file)(cursor.next, length);
    if (bytes.length < length) throw new Error("a run of records was cut off");
    cursor.part = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    cursor.at = 0;
    cursor.next += length;
    return true;
  }
}

/** Takes the least out. */
function remove(heap: Cursor[]): void {
  const last = heap.pop() as Cursor;
  if (heap.length > 0) heap[0] = last;
}

function sink(heap: Cursor[], from: number): void {
  for (let i = from; ; ) {
    let least = i;
    for (const child of [2 * i + 1, 2 * i + 2]) {
      if (child < heap.length && isLess(heap[child] as Cursor, heap[least] as Cursor)) least = child;
    }
    if (least === i) return;
    [heap[i], heap[least]] = [heap[least] as Cursor, heap[i] as Cursor];
    i = least;
  }
}

function isLess(a: Cursor, b: Cursor): boolean {
  return compareRecords(a.part, a.at, b.part, b.at) < 0;
}
