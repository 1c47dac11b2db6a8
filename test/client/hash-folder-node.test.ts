import { execFile, execFileSync } from "node:child_process";
import { appendFileSync, truncateSync } from "node:fs";
import { mkdir, open, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";
import type { Anchored } from "../../scripts/bench/anchor-child.js";
import { readFolder } from "../../src/client/folder-node.js";
import { byPath, type HashedFile, hashFile, hashFolder, hashingSource } from "../../src/client/hash-folder-node.js";
import { packFolder } from "../../src/piece/car/index.js";
import { expectError, pseudoRandom } from "../piece/helpers.js";
import { sha256 } from "../provenance/sets/helpers.js";
import { failure } from "../support/failure.js";
import { removeFolders, tempFolder } from "../support/pieces.js";

const TREE: Record<string, Uint8Array> = {
  "b.bin": pseudoRandom(2_500_000),
  "a/empty.txt": new Uint8Array(),
  ".hidden/b.bin": pseudoRandom(2_500_000),
  "Ünïcode/日本語 😀.txt": pseudoRandom(10),
  "a.txt": pseudoRandom(100),
};

async function folderOf(tree: Record<string, Uint8Array>): Promise<string> {
  const folder = await tempFolder();
  for (const [path, bytes] of Object.entries(tree)) {
    await mkdir(join(folder, dirname(path)), { recursive: true });
    await writeFile(join(folder, path), bytes);
  }
  return folder;
}

/** A file that takes no room on disk. */
async function hugeFile(path: string, size: number): Promise<void> {
  await writeFile(path, "");
  truncateSync(path, size);
}

describe("sets: hashing a folder", () => {
  after(removeFolders);

  it("gives path, size and SHA-256 of every file, in ascending order of path", async () => {
    const folder = await folderOf(TREE);
    await mkdir(join(folder, "empty", "folders"), { recursive: true });
    const expected = Object.entries(TREE)
      .map(([path, bytes]) => ({ path, sha256: sha256(bytes), size: BigInt(bytes.length) }))
      .sort((a, b) => (a.path < b.path ? -1 : 1));
    for (const concurrency of [undefined, 0, 1, 8, 1_000]) {
      const told: HashedFile[] = [];
      const options = {
        onFile: (file: HashedFile) => told.push(file),
        ...(concurrency !== undefined && { concurrency }),
      };
      expect(await hashFolder(folder, options)).to.deep.equal(expected);
      expect(told).to.have.deep.members(expected);
    }
    for (const { path, ...content } of expected) expect(await hashFile(join(folder, path))).to.deep.equal(content);
  });

  it("hashes files as somebody else reads them, and leaves them as they are", async () => {
    const folder = await folderOf(TREE);
    const files: HashedFile[] = [];
    const plain = await packFolder(readFolder(folder));
    const hashed = await packFolder(hashingSource(readFolder(folder), (file) => files.push(file)));
    expect(hashed.root.toString()).to.equal(plain.root.toString());
    expect(files.sort(byPath)).to.deep.equal(await hashFolder(folder));
  });

  it("tells nothing of a file that was not read to its end", async () => {
    const files: HashedFile[] = [];
    const source = hashingSource([{ path: "a", content: () => [new Uint8Array(3), new Uint8Array(4)] }], (file) =>
      files.push(file),
    );
    const { value: entry } = await source.next();
    for await (const _ of entry!.content!() as AsyncIterable<Uint8Array>) break;
    expect(files).to.deep.equal([]);
  });

  it("finds nothing in an empty folder, and refuses what is none", async () => {
    expect(await hashFolder(await tempFolder())).to.deep.equal([]);
    await expectError("FILE_UNREADABLE", () => hashFolder("/nowhere/at/all"));
    await expectError("FILE_UNREADABLE", () => hashFile("/nowhere/at/all"));
    await expectError("FILE_UNREADABLE", async () => hashFile(await tempFolder()));
  });

  it("refuses symbolic links, or leaves them out by the caller's leave", async () => {
    const folder = await folderOf({ "a.txt": pseudoRandom(5) });
    await symlink("a.txt", join(folder, "link"));
    await expectError("SYMBOLIC_LINK", () => hashFolder(folder));
    const links: string[] = [];
    const files = await hashFolder(folder, { onLink: (path) => links.push(path) });
    expect(files.map(({ path }) => path)).to.deep.equal(["a.txt"]);
    expect(links).to.deep.equal(["link"]);
  });

  it("refuses pipes, and waits for none", async () => {
    const folder = await tempFolder();
    execFileSync("mkfifo", [join(folder, "pipe")]);
    await expectError("SPECIAL_FILE", () => hashFolder(folder));
    await expectError("FILE_UNREADABLE", () => hashFile(join(folder, "pipe")));
  });

  it("notices a file that changes while it is read", async () => {
    const folder = await tempFolder();
    const path = join(folder, "growing");
    await hugeFile(path, 256 << 20);
    const changing = async (act: () => Promise<unknown>) => {
      const timer = setInterval(() => appendFileSync(path, "x"), 5);
      await expectError("FILE_CHANGED", act).finally(() => clearInterval(timer));
    };
    await changing(() => hashFolder(folder));
    await changing(() => hashFile(path));
  });

  it("stops when it is told to, in the middle of a file, and closes it", async () => {
    const folder = await folderOf({ "a.txt": pseudoRandom(5) });
    await hugeFile(join(folder, "huge"), 2 ** 36);
    const stop = new AbortController();
    const reason = new Error("enough");
    setTimeout(() => stop.abort(reason), 50);
    expect(await failure(hashFolder(folder, { signal: stop.signal }))).to.equal(reason);
    expect(await failure(hashFile(join(folder, "huge"), { signal: stop.signal }))).to.equal(reason);
  });

  it("stops reading everything where one file fails", async () => {
    const folder = await tempFolder();
    for (const name of ["a", "b", "c"]) await hugeFile(join(folder, name), 2 ** 36);
    await symlink("a", join(folder, "link"));
    await expectError("SYMBOLIC_LINK", () => hashFolder(folder, { concurrency: 8 }));
    const reason = new Error("no more");
    const tree = await folderOf(TREE);
    await hugeFile(join(tree, "huge"), 2 ** 36);
    const onFile = () => {
      throw reason;
    };
    expect(await failure(hashFolder(tree, { onFile }))).to.equal(reason);
  });

  it("holds a few megabytes, whatever the size of the files", async () => {
    const folder = await tempFolder();
    for (const name of ["a", "b"]) await hugeFile(join(folder, name), 768 << 20);
    const task = { act: "anchor", folder, setFile: join(await tempFolder(), "huge.set") };
    const child = fileURLToPath(new URL("../../scripts/bench/anchor-child.ts", import.meta.url));
    const tsx = fileURLToPath(import.meta.resolve("tsx/esm"));
    const { stdout } = await promisify(execFile)(process.execPath, ["--import", tsx, child, JSON.stringify(task)]);
    // Most of it is Node, and the modules it loads.
    expect((JSON.parse(stdout) as Anchored).anchorPeakMiB).to.be.within(20, 400);
  });

  it("leaves no file open", async () => {
    const folder = await folderOf(TREE);
    await hashFolder(folder);
    const file = await open(join(folder, "a.txt"));
    const first = file.fd;
    await file.close();
    for (let i = 0; i < 20; i++) await hashFolder(folder);
    const again = await open(join(folder, "a.txt"));
    expect(again.fd).to.be.at.most(first + 2);
    await again.close();
  });
});
