import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { readFolder } from "../../src/client/folder-node.js";
import { unpackFolder } from "../../src/client/unpack-node.js";
import { FolderArchive, packFolder } from "../../src/piece/car/index.js";
import {
  archiveOf,
  type Block,
  bytesOf,
  entriesOf,
  folderBlock,
  link,
  pbBlock,
  rawBlock,
  type Tree,
  text,
} from "../piece/car/helpers.js";
import { expectError, pseudoRandom } from "../piece/helpers.js";
import { removeFolders, tempFolder } from "../support/pieces.js";

const TREE = {
  "a.txt": text("a"),
  "b/c.bin": pseudoRandom(2_500_000),
  "b/日本/e.txt": text("e"),
  "b/empty": undefined,
};

const packed = async (tree: Tree) => FolderArchive.open((await packFolder(entriesOf(tree))).car);

describe("client: unpacking a folder", () => {
  after(removeFolders);

  it("writes all of it, as it was packed", async () => {
    const target = join(await tempFolder(), "out");
    const archive = await packed(TREE);
    expect(await unpackFolder(archive, target)).to.deep.equal({ files: 3, folders: 3, bytes: 2_500_002n });
    expect((await readdir(target, { recursive: true })).sort()).to.deep.equal(
      ["a.txt", "b", "b/c.bin", "b/empty", "b/日本", "b/日本/e.txt"].sort(),
    );
    expect(String((await packFolder(readFolder(target))).root)).to.equal(String(archive.root));
  });

  it("takes no folder that exists, whatever it is, and leaves it as it was", async () => {
    const folder = await tempFolder();
    await mkdir(join(folder, "empty"));
    await writeFile(join(folder, "file"), "mine");
    await symlink("nowhere", join(folder, "link"));
    for (const name of ["empty", "file", "link"]) {
      await expectError("FILE_EXISTS", async () => unpackFolder(await packed(TREE), join(folder, name)));
    }
    expect((await readdir(folder)).sort()).to.deep.equal(["empty", "file", "link"]);
    expect(await readFile(join(folder, "file"), "utf8")).to.equal("mine");
  });

  it("says where it can't write", async () => {
    await expectError("FILE_UNWRITABLE", async () => unpackFolder(await packed(TREE), "/nowhere/at/all"));
    const folder = await tempFolder();
    await writeFile(join(folder, "file"), "");
    await expectError("FILE_UNWRITABLE", async () => unpackFolder(await packed(TREE), join(folder, "file/out")));
  });

  /** Nothing appears under the name, and nothing is left beside it or elsewhere. */
  async function refused(code: string, archive: FolderArchive, limits = {}): Promise<void> {
    const parent = await tempFolder();
    await mkdir(join(parent, "inner"));
    await expectError(code, () => unpackFolder(archive, join(parent, "inner", "out"), limits));
    expect(await readdir(parent, { recursive: true })).to.deep.equal(["inner"]);
  }

  it("writes nothing outside of its folder", async () => {
    const leaf = await rawBlock(text("owned"));
    for (const name of ["..", "../evil", "/tmp/holdfast-evil", "a/../../evil", ".", "a\0b"]) {
      await refused("FOLDER_MALFORMED", await archiveOf(await folderBlock(link(name, leaf)), leaf));
      const below = await folderBlock(link(name, leaf));
      await refused("FOLDER_MALFORMED", await archiveOf(await folderBlock(link("a", below)), below, leaf));
    }
    expect(existsSync("/tmp/holdfast-evil")).to.equal(false);
  });

  it("makes no symbolic link", async () => {
    const wayOut = await pbBlock([], { type: "symlink", data: text("/tmp") });
    await refused("CAR_UNSUPPORTED", await archiveOf(await folderBlock(link("a", wayOut)), wayOut));
  });

  it("leaves nothing of a folder that is corrupt half-way", async () => {
    const { car } = await packFolder(entriesOf(TREE));
    const bytes = await bytesOf(car);
    const at = bytes.length >> 1;
    const bad = new Blob([bytes.with(at, (bytes[at] as number) ^ 1)]);
    await refused("BLOCK_CORRUPT", await FolderArchive.open(bad));
  });

  it("does not let a bomb go off", async () => {
    const leaf = await rawBlock(pseudoRandom(1_000));
    let node: Block = leaf;
    let size = 1_000n;
    const blocks = [leaf];
    for (let level = 0; level < 4; level++) {
      const sizes = Array<bigint>(100).fill(size);
      node = await pbBlock(
        Array.from({ length: 100 }, () => link("", node)),
        { type: "file", blockSizes: sizes },
      );
      size *= 100n;
      blocks.push(node);
    }
    const root = await folderBlock(link("bomb", node));
    await refused("FOLDER_TOO_LARGE", await archiveOf(root, ...blocks));
  });

  it("keeps to its limits, and not a byte or item below them", async () => {
    const archive = await packed(TREE);
    await refused("FOLDER_TOO_LARGE", archive, { maxBytes: 2_500_001n });
    await refused("FOLDER_TOO_LARGE", archive, { maxItems: 5 });
    await unpackFolder(archive, join(await tempFolder(), "out"), { maxBytes: 2_500_002n, maxItems: 6 });
  });

  it("refuses names that the file system can't hold", async () => {
    // 255 bytes fit a name, but not with this many folders above it: a path ends at 4096 bytes.
    const deep = Array.from({ length: 20 }, () => "d".repeat(250)).join("/");
    await refused("NAME_COLLISION", await packed({ [`${deep}/a`]: text("a") }));
  });
});
