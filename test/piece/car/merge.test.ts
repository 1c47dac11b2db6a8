import { expect } from "chai";
import { FolderArchive, mergeFolder, type PackedFolder, packFolder } from "../../../src/piece/car/index.js";
import { carHeader } from "../../../src/piece/car/writer.js";
import { expectError, pseudoRandom } from "../helpers.js";
import { archiveOf, bytesOf, entriesOf, rawBlock, type Tree, text, treeOf } from "./helpers.js";

const OLD: Tree = {
  "a.txt": text("a"),
  "b/c.bin": pseudoRandom(1_500_000),
  "b/d/e.txt": text("e"),
  "kept/deep/f.txt": text("f"),
  empty: undefined,
};
const NEW: Tree = { "a.txt": text("other"), "b/d/g.txt": text("g"), "new/h.txt": text("h"), "empty/i.txt": text("i") };
const { empty: _, ...FULL } = OLD;
const BOTH: Tree = { ...FULL, ...NEW };

async function merged(old: Tree, added: Tree): Promise<PackedFolder & { before: PackedFolder }> {
  const before = await packFolder(entriesOf(old));
  return { before, ...(await mergeFolder(await FolderArchive.open(before.car), entriesOf(added))) };
}

describe("folders: merging", () => {
  it("has both, and the new one's where both have a file", async () => {
    const { car, root, files, bytes } = await merged(OLD, NEW);
    expect(await treeOf(await FolderArchive.open(car))).to.deep.equal(BOTH);
    expect(files).to.equal(4);
    expect(bytes).to.equal(8n);
    expect(String(root)).to.equal(String((await packFolder(entriesOf(BOTH))).root));
  });

  it("leaves the old blocks where they are, and appends what is new", async () => {
    const { before, car, root, blocks } = await merged(OLD, NEW);
    const [old, all] = [await bytesOf(before.car), await bytesOf(car)];
    const headerSize = carHeader(root).length;
    expect(all.subarray(0, headerSize)).to.deep.equal(carHeader(root));
    expect(all.subarray(headerSize, old.length)).to.deep.equal(old.subarray(headerSize));
    // Four files; folders b/d, b, new, empty and the root.
    expect(blocks).to.equal(9);
    expect(all.length - old.length).to.be.lessThan(1_500);
  });

  it("gives the same bytes for the same two folders", async () => {
    const [one, two] = [await merged(OLD, NEW), await merged(OLD, Object.fromEntries(Object.entries(NEW).reverse()))];
    expect(await bytesOf(one.car)).to.deep.equal(await bytesOf(two.car));
  });

  it("adds nothing where there is nothing new", async () => {
    for (const added of [{}, OLD, { "kept/deep/f.txt": text("f") }, { b: undefined }]) {
      const { before, car, blocks } = await merged(OLD, added);
      expect(blocks).to.equal(0);
      expect(await bytesOf(car)).to.deep.equal(await bytesOf(before.car));
    }
  });

  it("can be done again and again", async () => {
    let { car } = await packFolder([]);
    for (let i = 0; i < 20; i++) {
      const old = await FolderArchive.open(car);
      car = (await mergeFolder(old, entriesOf({ [`dir-${i % 3}/${i}.txt`]: text(String(i)) }))).car;
    }
    const expected = Object.fromEntries(
      Array.from({ length: 20 }, (_, i) => [`dir-${i % 3}/${i}.txt`, text(String(i))]),
    );
    expect(await treeOf(await FolderArchive.open(car))).to.deep.equal(expected);
  });

  it("grows over the size from which a folder is sharded, and gives the root of both packed at once", async () => {
    const files = (from: number, to: number) =>
      Object.fromEntries(Array.from({ length: to - from }, (_, i) => [`file-${from + i}.txt`, text(String(from + i))]));
    const { root } = await merged(files(0, 3_000), files(2_900, 6_000));
    expect(String(root)).to.equal(String((await packFolder(entriesOf(files(0, 6_000)))).root));
    const again = await merged(files(0, 5_900), files(5_800, 6_000));
    expect(String(again.root)).to.equal(String(root));
  });

  it("does not read folders that the new one leaves alone", async () => {
    const before = await packFolder(entriesOf(OLD));
    const bytes = await bytesOf(before.car);
    const archive = await FolderArchive.open(before.car);
    const { cid } = await archive.folder("kept");
    // One wrong byte in the block of "kept": found only by who reads it.
    const at = Buffer.from(bytes).indexOf(cid.bytes) + cid.bytes.length;
    const bad = await FolderArchive.open(new Blob([bytes.with(at, (bytes[at] as number) ^ 1)]));
    await mergeFolder(bad, entriesOf(NEW));
    await expectError("BLOCK_CORRUPT", () => mergeFolder(bad, entriesOf({ "kept/x": text("x") })));
  });

  for (const added of [
    { a: text("x") },
    { "b/d": text("x") },
    { "a.txt/x": text("x") },
    { "a.txt": undefined },
    { b: text("x") },
  ] as Tree[]) {
    const [path = ""] = Object.keys(added);
    const fits = path === "a";
    it(`${fits ? "takes" : "refuses"} ${JSON.stringify(path)}`, async () => {
      if (fits) await merged(OLD, added);
      else await expectError("PATH_CONFLICT", () => merged(OLD, added));
    });
  }

  it("refuses an old CAR that is one file", async () => {
    const old = await archiveOf(await rawBlock(text("a")));
    await expectError("NOT_A_FOLDER", () => mergeFolder(old, entriesOf(NEW)));
  });
});
