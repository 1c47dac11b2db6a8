import { execFileSync } from "node:child_process";
import { mkdir, readdir, readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect } from "chai";
import { hexlify, toBeHex } from "ethers";
import fc from "fast-check";
import { HoldfastError } from "../../../src/errors.js";
import { openSetFile, writeSetFile } from "../../../src/provenance/sets/file-node.js";
import { type SetContent, verifyMembership } from "../../../src/provenance/sets/index.js";
import { expectError } from "../../piece/helpers.js";
import { runs } from "../../support/effort.js";
import { removeFolders, tempFolder } from "../../support/pieces.js";
import { claims, contents, REGISTRANT, registries, rewrite, SHARED, setFileOf, setOf, sha256 } from "./helpers.js";

const PREFIX = 20;
const headerLength = (bytes: Buffer) => bytes.readUInt32BE(16);
const bodyAt = (bytes: Buffer) => PREFIX + headerLength(bytes);

/** Gives a set file another header, and its length. */
const withHeader = (change: (json: string) => string) => (bytes: Buffer) => {
  const json = Buffer.from(change(bytes.toString("utf8", PREFIX, bodyAt(bytes))));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(json.length);
  return Buffer.concat([bytes.subarray(0, 16), length, json, bytes.subarray(bodyAt(bytes))]);
};

/** Looks everything up, and something that is not there. */
async function findAll(path: string, entries: readonly SetContent[]) {
  const file = await openSetFile(path);
  try {
    for (const { sha256: hash, size } of entries) {
      const found = await file.find(hash);
      expect(found?.record).to.include({ contentHash: hash, size, registrant: file.set.registrant });
      expect(found && verifyMembership(found, file)).to.equal(true);
    }
    expect(await file.find(sha256("something else"))).to.equal(undefined);
  } finally {
    await file.close();
  }
}

/** That a file is refused, when it is opened or when each of these is looked up. */
async function refused(path: string, ...hashes: string[]): Promise<void> {
  if (hashes.length === 0) await expectError("SET_FILE_INVALID", () => openSetFile(path));
  for (const hash of hashes) {
    const file = await openSetFile(path);
    await expectError("SET_FILE_INVALID", () => file.find(hash)).finally(() => file.close());
  }
}

describe("sets: the file", () => {
  after(removeFolders);

  it("finds every content, each at its place with a proof that holds, in sets of many sizes", async () => {
    for (const count of [1, 2, 3, 4, 5, 63, 64, 65, 127, 128, 129, 500]) {
      const entries = contents(count);
      await findAll(await setFileOf(entries), entries);
    }
  });

  it("finds them in order, from the first place to the last", async () => {
    const sorted = contents(200).sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1));
    const file = await openSetFile(await setFileOf(contents(200)));
    for (const [i, { sha256: hash }] of sorted.entries()) {
      const found = await file.find(hash.toUpperCase().replace("0X", "0x"));
      expect(found?.index).to.equal(i);
      expect(found?.proof).to.have.length(8);
    }
    await file.close();
  });

  it("keeps what a set is and what its records share", async () => {
    await fc.assert(
      fc.asyncProperty(registries, claims, async (at, shared) => {
        const entries = contents(3);
        const { id, set, shared: kept, chainId, registry } = setOf(entries, { ...at, shared });
        const file = await openSetFile(await setFileOf(entries, { ...at, shared }));
        expect(file).to.deep.include({ id, set, shared: kept, chainId, registry });
        expect((await file.find((entries[0] as SetContent).sha256))?.record).to.deep.include(shared);
        await file.close();
      }),
      { numRuns: runs(20) },
    );
  });

  it("tells what is not in it: below the first, above the last, between any two, one bit apart", async () => {
    const entries = contents(150);
    const path = await setFileOf(entries);
    const file = await openSetFile(path);
    for (const absent of [
      toBeHex(0, 32),
      hexlify(new Uint8Array(32).fill(255)),
      ...contents(50, "no").map((c) => c.sha256),
    ])
      expect(await file.find(absent)).to.equal(undefined);
    for (const { sha256: hash } of entries) {
      const flipped = toBeHex(BigInt(hash) ^ 1n, 32);
      expect(await file.find(flipped)).to.equal(undefined);
    }
    for (const wrong of ["0x12", "photo.jpg"]) {
      let thrown: unknown;
      await file.find(wrong).catch((error) => {
        thrown = error;
      });
      expect(thrown).to.be.instanceOf(TypeError);
    }
    await file.close();
    await file.close();
  });

  it("appears only when it is whole, in the place of what was there", async () => {
    const path = await setFileOf(contents(3));
    await writeSetFile(path, setOf(contents(9, "new")));
    await findAll(path, contents(9, "new"));
    expect(await readdir(dirname(path))).to.have.length(1);
    const folder = await tempFolder();
    await expectError("FILE_UNWRITABLE", () => writeSetFile(join(folder, "no", "some.set"), setOf(contents(1))));
    await mkdir(join(folder, "taken.set"));
    await expectError("FILE_UNWRITABLE", () => writeSetFile(join(folder, "taken.set"), setOf(contents(1))));
    expect(await readdir(folder)).to.deep.equal(["taken.set"]);
  });

  it("is the bytes that docs/sets.md describes", async () => {
    const entries = [sha256("abc"), sha256(""), sha256("a")].map((hash, i) => ({
      sha256: hash,
      size: [3n, 0n, 1n][i] as bigint,
    }));
    const shared = { ...SHARED, parents: [] };
    const bytes = await readFile(await setFileOf(entries, { shared }));
    expect(bytes.toString("latin1", 0, 12)).to.equal("HOLDFAST-SET");
    expect(bytes.readUInt32BE(12)).to.equal(1);
    const header = bytes.toString("utf8", PREFIX, bodyAt(bytes));
    const body = bytes.subarray(bodyAt(bytes));
    const page = await readFile(new URL("../../../docs/sets.md", import.meta.url), "utf8");
    expect(page).to.contain(header);
    const parts = [40, 40, 40, 32, 32, 32, 32, 32, 32];
    for (const [i, length] of parts.entries()) {
      const at = parts.slice(0, i).reduce((sum, part) => sum + part, 0);
      expect(page).to.contain(body.toString("hex", at, at + length));
    }
    expect(body.length).to.equal(parts.reduce((sum, part) => sum + part));
  });
});

describe("sets: files that are none, or mean harm", () => {
  after(removeFolders);

  it("refuses what can't be read, or is no file", async () => {
    const folder = await tempFolder();
    await expectError("FILE_UNREADABLE", () => openSetFile(join(folder, "missing")));
    await refused(folder);
    execFileSync("mkfifo", [join(folder, "pipe")]);
    await refused(join(folder, "pipe"));
  });

  it("refuses what is cut off anywhere, or goes on", async () => {
    const whole = await readFile(await setFileOf(contents(5)));
    for (let length = 0; length < whole.length; length += 7) {
      const path = await setFileOf(contents(1));
      await rewrite(path, () => whole.subarray(0, length));
      await refused(path);
    }
    const path = await setFileOf(contents(5));
    await rewrite(path, (bytes) => Buffer.concat([bytes, Buffer.alloc(1)]));
    await refused(path);
  });

  it("refuses other magic, other versions, and headers too long to be one, before it reads them", async () => {
    const changes: ((bytes: Buffer) => void)[] = [
      (bytes) => bytes.write("holdfast"),
      (bytes) => bytes.writeUInt32BE(2, 12),
      (bytes) => bytes.writeUInt32BE(0xffffffff, 16),
      (bytes) => bytes.writeUInt32BE((1 << 14) + 1, 16),
      (bytes) => bytes.writeUInt32BE(0, 16),
    ];
    for (const change of changes) {
      const path = await setFileOf(contents(3));
      await rewrite(path, (bytes) => {
        change(bytes);
        return bytes;
      });
      await refused(path);
    }
  });

  it("refuses headers that are not what they should be", async () => {
    const changes: ((json: string) => string)[] = [
      () => "",
      () => "null",
      () => "{}",
      () => `${"[".repeat(8_000)}${"]".repeat(8_000)}`,
      (json) => json.replace("{", '{"more":1,'),
      (json) => json.replace('"count":3', '"count":0'),
      (json) => json.replace('"count":3', '"count":-3'),
      (json) => json.replace('"count":3', '"count":4'),
      (json) => json.replace('"count":3', '"count":4294967296'),
      (json) => json.replace('"count":3', '"count":"3"'),
      (json) => json.replace("31337", "1"),
      (json) => json.replace("31337", "1e400"),
      (json) => json.replace(REGISTRANT, "0x12"),
      (json) => json.replace("CC-BY-4.0", "CC0-1.0"),
      (json) => json.replace("CC-BY-4.0", "\\ud800"),
      (json) => json.replace("CC-BY-4.0", "x".repeat(129)),
      (json) => json.replace('"derived"', '"stolen"'),
      (json) => json.replace(/"id":"0x../, '"id":"0x00'),
      (json) => json.replace(/\[\{.+?\}\]/, (edge) => `[${Array(65).fill(edge.slice(1, -1)).join(",")}]`),
    ];
    const accepted: string[] = [];
    for (const change of changes) {
      const path = await setFileOf(contents(3));
      await rewrite(path, withHeader(change));
      await openSetFile(path).then(
        () => accepted.push(change.toString()),
        (error: HoldfastError) => expect(error.code).to.equal("SET_FILE_INVALID"),
      );
    }
    expect(accepted).to.deep.equal([]);
    const latin = await setFileOf(contents(3));
    await rewrite(latin, (bytes) => bytes.fill(0xff, PREFIX + 20, PREFIX + 21));
    await refused(latin);
  });

  it("finds out claims of its records that were changed: they are the set's as well", async () => {
    for (const [from, to] of [
      ['"derived"', '"edited"'],
      ["derivation", "training"],
    ] as const) {
      const path = await setFileOf(contents(3));
      await rewrite(
        path,
        withHeader((json) => json.replace(from, to)),
      );
      await refused(path);
    }
  });

  it("does not lie of what it has or has not, whichever byte is changed", async () => {
    const entries = contents(100);
    const whole = await readFile(await setFileOf(entries));
    const path = await setFileOf(contents(1));
    const present = new Set(entries.map(({ sha256: hash }) => hash));
    const wanted = fc.constantFrom(...present, ...contents(30, "absent").map(({ sha256: hash }) => hash));
    const place = fc.integer({ min: 0, max: whole.length - 1 });
    await fc.assert(
      fc.asyncProperty(place, fc.integer({ min: 1, max: 255 }), wanted, async (at, mask, hash) => {
        await rewrite(path, () => Buffer.from(whole.with(at, (whole[at] as number) ^ mask)));
        try {
          const file = await openSetFile(path);
          try {
            expect((await file.find(hash))?.record.contentHash).to.equal(present.has(hash) ? hash : undefined);
          } finally {
            await file.close();
          }
        } catch (error) {
          if (!(error instanceof HoldfastError)) throw error;
          expect(error.code).to.equal("SET_FILE_INVALID");
        }
      }),
      { numRuns: runs(300) },
    );
  });

  it("does not hide a content by another order, or by another in its place", async () => {
    for (const count of [3, 300]) {
      const sorted = contents(count).sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1));
      const last = sorted.at(-1) as SetContent;
      const reversed = await setFileOf(contents(count));
      await rewrite(reversed, (bytes) => {
        const at = bodyAt(bytes);
        const packed = Array.from({ length: count }, (_, i) => bytes.subarray(at + 40 * i, at + 40 * (i + 1)));
        return Buffer.concat([bytes.subarray(0, at), ...packed.reverse(), bytes.subarray(at + 40 * count)]);
      });
      await refused(reversed, last.sha256, (sorted[0] as SetContent).sha256);
      const replaced = await setFileOf(contents(count));
      // The last one but higher by one: still in order, and the one that was there is gone.
      await rewrite(replaced, (bytes) => {
        Buffer.from(toBeHex(BigInt(last.sha256) + 1n, 32).slice(2), "hex").copy(
          bytes,
          bodyAt(bytes) + 40 * (count - 1),
        );
        return bytes;
      });
      await refused(replaced, last.sha256);
    }
  });

  it("refuses a file that is cut off while it is open", async () => {
    const path = await setFileOf(contents(300));
    const file = await openSetFile(path);
    execFileSync("truncate", ["-s", "1000", path]);
    expect((await stat(path)).size).to.equal(1000);
    await expectError("SET_FILE_INVALID", () => file.find(sha256("0")));
    await file.close();
  });

  it("says so where it can be read no more", async () => {
    const file = await openSetFile(await setFileOf(contents(3)));
    await file.close();
    await expectError("FILE_UNREADABLE", () => file.find(sha256("0")));
  });
});
