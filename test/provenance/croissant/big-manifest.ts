/** Reads and writes a manifest of 100,000 files in a process of its own, and says how much memory and time it took. */

import { createHash } from "node:crypto";
import { once } from "node:events";
import { open, readFile } from "node:fs/promises";
import { peakMiB } from "../../../scripts/bench/peak-memory.js";
import { croissantChunks, type NewFile, readCroissant } from "../../../src/provenance/croissant/index.js";

const FILES = 100_000;
const [, , path] = process.argv;
const MIB = 1 << 20;

async function* files(): AsyncGenerator<NewFile> {
  for (let i = 0; i < FILES; i++) {
    yield {
      id: `data/train/part-${i}.parquet`,
      contentUrl: `https://example.org/data/train/part-${i}.parquet`,
      contentSize: BigInt(i),
      encodingFormats: ["application/x-parquet"],
      sha256: createHash("sha256").update(String(i)).digest("hex"),
    };
  }
}

const start = process.memoryUsage.rss();
const handle = await open(path!, "w");
let peak = start;
for await (const chunk of croissantChunks(
  {
    name: "big",
    description: "Many files.",
    licenses: ["MIT"],
    url: "https://example.org/",
    creators: [{ type: "Person", name: "Ada" }],
    datePublished: "2026-01-31",
  },
  files(),
)) {
  await handle.write(chunk);
  peak = Math.max(peak, process.memoryUsage.rss());
}
await handle.close();

const bytes = await readFile(path!);
const began = performance.now();
const { files: read } = await readCroissant(bytes);
const milliseconds = performance.now() - began;
const result = {
  bytes: bytes.length,
  files: read.length,
  last: read.at(-1)?.sha256,
  milliseconds,
  writingMiB: (peak - start) / MIB,
  readingMiB: peakMiB() - start / MIB,
};
if (!process.stdout.write(JSON.stringify(result))) await once(process.stdout, "drain");
