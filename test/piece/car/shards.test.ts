import { expect } from "chai";
import type { CID } from "multiformats/cid";
import { FolderArchive, findInShard, packFolder } from "../../../src/piece/car/index.js";
import { murmur3 } from "../../../src/piece/car/murmur3.js";
import type { FolderNode } from "../../../src/piece/car/unixfs.js";
import { expectError } from "../helpers.js";
import { archiveOf, entriesOf, folderBlock, link, pbBlock, rawBlock, type Tree, text } from "./helpers.js";

describe("piece: folders spread over shards", () => {
  /** Looks a name up as a gateway does, a shard at a time. */
  async function lookUp(archive: FolderArchive, name: string): Promise<{ cid: CID | undefined; shards: number }> {
    let node = (await archive.folder("")) as FolderNode;
    for (let level = 0; ; level++) {
      const step = findInShard(node, name, level);
      if (!step || step.found) return { cid: step?.cid, shards: level + 1 };
      node = (await archive.node(step.cid)) as FolderNode;
    }
  }

  it("hashes names as the reference code does", () => {
    // From Austin Appleby's code, as Guava's and other implementations quote it.
    for (const [words, hash] of [
      ["", 0x0000000000000000n],
      ["hello", 0xcbd8a7b341bd9b02n],
      ["hello, world", 0x342fac623a5ebc8en],
      ["19 Jan 2038 at 3:14:07 AM", 0xb89e5988b737affcn],
      ["The quick brown fox jumps over the lazy dog.", 0xcd99481f9ee902c9n],
    ] as const) {
      expect(murmur3(text(words)), words).to.equal(hash);
    }
  });

  it("finds names of a large folder by its hash alone", async () => {
    const tree: Record<string, Uint8Array> = {};
    for (let i = 0; i < 6_000; i++) tree[`ünïcode and a longer name, number ${i}.txt`] = text("x");
    const { car } = await packFolder(entriesOf(tree));
    const archive = await FolderArchive.open(car);
    const names: string[] = [];
    let deepest = 0;
    for await (const { name, cid } of archive.list(await archive.folder(""))) {
      if (names.push(name) % 10 !== 0) continue;
      const found = await lookUp(archive, name);
      expect(found.cid?.toString()).to.equal(cid.toString());
      deepest = Math.max(deepest, found.shards);
    }
    expect(names).to.have.length(6_000);
    expect(deepest).to.be.greaterThan(2);
    expect((await lookUp(archive, "ünïcode and a longer name, number 6000.txt")).cid).to.equal(undefined);
  });

  it("finds names of a folder in one block", async () => {
    const file = await rawBlock(text("a"));
    const archive = await archiveOf(await folderBlock(link("a.txt", file)), file);
    expect((await lookUp(archive, "a.txt")).cid?.toString()).to.equal(file.cid.toString());
    expect((await lookUp(archive, "b.txt")).cid).to.equal(undefined);
  });

  it("FOLDER_MALFORMED: ends where the hash does", async () => {
    const shard = await pbBlock([], { type: "hamt-sharded-directory", fanout: 256n, hashType: 0x22n });
    const archive = await archiveOf(shard);
    const node = await archive.folder("");
    expect(findInShard(node, "a", 7)).to.equal(undefined);
    await expectError("FOLDER_MALFORMED", () => findInShard(node, "a", 8));
  });

  it("takes a name that begins with a shard's number for what it is", async () => {
    const tree: Tree = Object.fromEntries(
      Array.from({ length: 6_000 }, (_, i) => [`${i.toString(16)}`.padStart(60, "0"), text("x")]),
    );
    const archive = await FolderArchive.open((await packFolder(entriesOf(tree))).car);
    for (const name of Object.keys(tree).slice(0, 100))
      expect((await lookUp(archive, name)).cid).not.to.equal(undefined);
  });
});
