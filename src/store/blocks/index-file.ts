import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { HoldfastError } from "../../errors.js";
import type { FoundBlock } from "../../piece/car/index.js";
import { readFileRange } from "../../piece/file-node.js";
import { syncFolder } from "../sync-folder.js";
import { DigestFilter } from "./bloom.js";
import { compareDigest, DIGEST_VALUES, digestValue, RECORD_BYTES, readRecord } from "./records.js";
import { RecordSorter } from "./sorter.js";

/** Changes with the format: files with another are built anew. */
const MAGIC = Buffer.from("HFBLOCK1");
/** Magic, number of records in 4 bytes, bytes of the filter in 4. */
const HEAD_BYTES = 16;
/** Records that a search reads at once: 5.5 KB. */
const READ_RECORDS = 128;
/** How often a search guesses before it halves. */
const GUESSES = 4;
const WRITE_BYTES = 64 << 10;

/** What is known of an index without looking into it. */
export interface IndexSummary {
  /** Records in it. */
  readonly count: number;
  /** Where the first of them lies. */
  readonly recordsAt: number;
  readonly filter: DigestFilter;
}

/**
 * Writes an index: head, filter, records in the order of their digests. It appears under its name when it is whole and on
 * disk. Memory does not grow with the number of records.
 *
 * @param path - two files with names that begin like this are made on the way, and go
 * @throws what `records` and the file system throw
 */
export async function writeIndex(path: string, records: AsyncIterable<FoundBlock>): Promise<IndexSummary> {
  const [runsPath, part] = [`${path}.runs.part`, `${path}.part`];
  const runs = await open(runsPath, "w+");
  try {
    const sorter = new RecordSorter(runs);
    let added = 0;
    for await (const record of records) {
      await sorter.add(record);
      added++;
    }
    const file = await open(part, "w");
    const summary = await writeSorted(file, sorter.sorted(), added).finally(() => file.close());
    await rename(part, path);
    await syncFolder(dirname(path));
    return summary;
  } finally {
    await runs.close();
    await Promise.all([rm(runsPath, { force: true }), rm(part, { force: true })]);
  }
}

async function writeSorted(file: FileHandle, records: AsyncIterable<Buffer>, added: number): Promise<IndexSummary> {
  const filter = DigestFilter.for(added);
  const recordsAt = HEAD_BYTES + filter.bytes.length;
  let [count, at] = [0, recordsAt];
  let waiting: Buffer[] = [];
  const flush = async () => {
    const bytes = Buffer.concat(waiting);
    await writeAt(file, bytes, at);
    at += bytes.length;
    waiting = [];
  };
  for await (const record of records) {
    filter.add(record);
    count++;
    if (waiting.push(record) * RECORD_BYTES >= WRITE_BYTES) await flush();
  }
  await flush();
  const head = Buffer.alloc(HEAD_BYTES);
  MAGIC.copy(head);
  head.writeUInt32BE(count, 8);
  head.writeUInt32BE(filter.bytes.length, 12);
  await writeAt(file, Buffer.concat([head, filter.bytes]), 0);
  await file.sync();
  return { count, recordsAt, filter };
}

/** Reads what is known of an index. @throws HoldfastError `INDEX_DAMAGED`, what the file system throws */
export async function readSummary(path: string): Promise<IndexSummary> {
  const file = await open(path);
  try {
    const read = readFileRange(file);
    const head = Buffer.from(await read(0, HEAD_BYTES));
    if (head.length < HEAD_BYTES || !head.subarray(0, 8).equals(MAGIC)) throw damaged(path);
    const [count, filterBytes] = [head.readUInt32BE(8), head.readUInt32BE(12)];
    const { size } = await file.stat();
    if (size !== HEAD_BYTES + filterBytes + count * RECORD_BYTES) throw damaged(path);
    const filter = new DigestFilter(await read(HEAD_BYTES, filterBytes));
    return { count, recordsAt: HEAD_BYTES + filterBytes, filter };
  } finally {
    await file.close();
  }
}

/** Looks a digest up. @throws HoldfastError `INDEX_DAMAGED`, what the file system throws */
export async function findRecord(
  path: string,
  { count, recordsAt }: Pick<IndexSummary, "count" | "recordsAt">,
  digest: Uint8Array,
): Promise<FoundBlock | undefined> {
  const file = await open(path);
  try {
    return await search(digest, count, async (from, to) => {
      const length = (to - from) * RECORD_BYTES;
      const bytes = await readFileRange(file)(recordsAt + from * RECORD_BYTES, length);
      if (bytes.length < length) throw damaged(path);
      return Buffer.from(bytes.buffer, bytes.byteOffset, length);
    });
  } finally {
    await file.close();
  }
}

/**
 * Digests are random, so where one lies can be guessed: mostly right within the records that are read at once. Whoever made
 * blocks whose digests are not random gains a search by halving.
 */
async function search(
  digest: Uint8Array,
  count: number,
  read: (from: number, to: number) => Promise<Buffer>,
): Promise<FoundBlock | undefined> {
  const value = digestValue(digest);
  let [from, to] = [0, count];
  let [low, high] = [0, DIGEST_VALUES];
  for (let step = 0; from < to; step++) {
    const share = step < GUESSES && high > low ? (value - low) / (high - low) : 1 / 2;
    const middle = from + Math.floor((to - from) * share);
    const start = Math.max(from, Math.min(middle - READ_RECORDS / 2, to - READ_RECORDS));
    const end = Math.min(to, start + READ_RECORDS);
    const records = await read(start, end);
    const last = records.length - RECORD_BYTES;
    if (compareDigest(digest, records, 0) < 0) [to, high] = [start, digestValue(records)];
    else if (compareDigest(digest, records, last) > 0) [from, low] = [end, digestValue(records.subarray(last))];
    else return searchIn(records, digest);
  }
  return undefined;
}

function searchIn(records: Buffer, digest: Uint8Array): FoundBlock | undefined {
  for (let at = 0; at < records.length; at += RECORD_BYTES) {
    if (compareDigest(digest, records, at) === 0) return readRecord(records, at);
  }
  return undefined;
}

async function writeAt(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await file.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
  }
}

function damaged(path: string): HoldfastError {
  return new HoldfastError("INDEX_DAMAGED", `${path} is no index of blocks`, "delete it: it is built again");
}
