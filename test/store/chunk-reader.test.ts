import { type FileHandle, open, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { readChunks } from "../../src/store/chunk-reader.js";
import { pseudoRandom } from "../piece/helpers.js";
import { removeFolders, tempFolder } from "../support/pieces.js";

const SIZE = 3_000_000;

describe("store: chunk reader", () => {
  const bytes = pseudoRandom(SIZE, 7);
  let path: string;
  let file: FileHandle;

  beforeEach(async () => {
    path = join(await tempFolder(), "file");
    await writeFile(path, bytes);
    file = await open(path);
  });
  afterEach(() => file.close());
  after(removeFolders);

  const read = async (start: number, end: number) => {
    const copies: Uint8Array[] = [];
    for await (const chunk of readChunks(file, start, end)) copies.push(chunk.slice());
    return Buffer.concat(copies);
  };

  it("gives the bytes of any range, small or large", async () => {
    for (const [start, end] of [
      [0, SIZE],
      [0, 1],
      [5, 5],
      [9, 2],
      [SIZE - 1, SIZE],
      [1, 131_073],
      [1, 131_074],
      [7, 524_295],
      [100_001, 2_999_999],
    ] as const) {
      expect((await read(start, end)).equals(bytes.subarray(start, end)), `${start} to ${end}`).to.equal(true);
    }
  });

  it("gives each of many readers its own bytes, however many there are and whoever stops half-way", async () => {
    const readers = Array.from({ length: 60 }, async (_, i) => {
      let at = i * 1_000;
      for await (const chunk of readChunks(file, at, SIZE)) {
        // Chunks are looked at after others have read: the memory is nobody else's meanwhile.
        await new Promise((resolve) => setTimeout(resolve, i % 3));
        expect(Buffer.from(chunk).equals(bytes.subarray(at, at + chunk.length))).to.equal(true);
        at += chunk.length;
        if (i % 4 === 1 && at > SIZE / 2) return;
      }
      expect(at).to.equal(SIZE);
    });
    await Promise.all(readers);
  });

  it("ends where the file ends", async () => {
    expect((await read(SIZE - 10, SIZE + 10)).length).to.equal(10);
    expect((await read(SIZE + 1, SIZE + 10)).length).to.equal(0);
    await truncate(path, 700_000);
    expect((await read(0, SIZE)).length).to.equal(700_000);
  });

  it("throws what the disk says, and not before it is asked", async () => {
    const broken = { read: () => Promise.reject(new Error("EIO")) } as unknown as FileHandle;
    const chunks = readChunks(broken, 0, SIZE);
    expect(await chunks.next().catch(String)).to.equal("Error: EIO");
    let reads = 0;
    const later = {
      read: (...args: Parameters<FileHandle["read"]>) =>
        reads++ === 0 ? file.read(...args) : Promise.reject(new Error("EIO")),
    } as unknown as FileHandle;
    const half = readChunks(later, 0, SIZE);
    expect((await half.next()).done).to.equal(false);
    // The next one has failed by now, and nobody was there to hear of it.
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await half.next().catch(String)).to.equal("Error: EIO");
  });
});
