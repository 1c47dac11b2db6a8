import { readdir, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import type { FoundBlock } from "../../../src/piece/car/index.js";
import { findRecord, readSummary, writeIndex } from "../../../src/store/blocks/index-file.js";
import { expectError } from "../../piece/helpers.js";
import { runs } from "../../support/effort.js";
import { removeFolders, tempFolder } from "../../support/pieces.js";

/** Random digests, and such as nobody finds: crowded at one place, or at the ends. */
const digests = fc
  .tuple(
    fc.constantFrom(0, 5, 6, 31),
    fc.constantFrom(0x00, 0x7f, 0xff),
    fc.uint8Array({ minLength: 32, maxLength: 32 }),
  )
  .map(([same, byte, digest]) =>
    new Uint8Array(32).fill(byte, 0, same).map((one, i) => (i < same ? one : (digest[i] as number))),
  );

const records: fc.Arbitrary<FoundBlock[]> = fc.array(
  fc.record({ digest: digests, offset: fc.maxSafeNat(), length: fc.nat({ max: 2 << 20 }) }),
  { maxLength: 1_000, size: "max" },
);

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

describe("store: an index on disk", () => {
  let dir: string;
  let path: string;

  beforeEach(async () => {
    dir = await tempFolder();
    path = join(dir, "index");
  });
  after(removeFolders);

  it("finds all that was written, where it came first, and nothing else", async function () {
    this.timeout(120_000);
    const property = fc.asyncProperty(records, fc.array(digests, { maxLength: 20 }), async (written, others) => {
      const first = new Map<string, FoundBlock>();
      for (const record of written) {
        const key = Buffer.from(record.digest).toString("hex");
        const before = first.get(key);
        if (!before || record.offset < before.offset) first.set(key, record);
      }
      const summary = await writeIndex(path, each(written));
      expect(summary.count).to.equal(first.size);
      expect(await readSummary(path)).to.deep.equal(summary);
      for (const { digest, offset } of first.values()) {
        expect(summary.filter.mayHave(digest)).to.equal(true);
        const found = await findRecord(path, summary, digest);
        expect(found?.offset).to.equal(offset);
      }
      for (const digest of others) {
        const held = first.has(Buffer.from(digest).toString("hex"));
        expect((await findRecord(path, summary, digest)) !== undefined).to.equal(held);
      }
    });
    await fc.assert(property, { numRuns: runs(15) });
    expect(await readdir(dir)).to.deep.equal(["index"]);
  });

  it("leaves nothing behind where its records end in an error", async () => {
    async function* broken(): AsyncGenerator<FoundBlock> {
      yield { digest: new Uint8Array(32), offset: 0, length: 1 };
      throw new Error("the disk is gone");
    }
    expect(await writeIndex(path, broken()).catch(({ message }) => message)).to.equal("the disk is gone");
    expect(await readdir(dir)).to.deep.equal([]);
  });

  it("INDEX_DAMAGED: takes no file that is cut off, too long or of another kind", async () => {
    const summary = await writeIndex(path, each([{ digest: new Uint8Array(32), offset: 5, length: 1 }]));
    const { size } = await stat(path);
    for (const length of [0, 7, 16, size - 1, size + 1]) {
      await truncate(path, length);
      await expectError("INDEX_DAMAGED", () => readSummary(path));
    }
    await truncate(path, size - 1);
    await expectError("INDEX_DAMAGED", () => findRecord(path, summary, new Uint8Array(32)));
  });
});
