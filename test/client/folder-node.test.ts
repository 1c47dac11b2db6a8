import { execFileSync } from "node:child_process";
import { appendFile, mkdir, readdir, rename, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect } from "chai";
import { fileSpool, readFolder } from "../../src/client/folder-node.js";
import { FolderArchive, type FolderEntry, packFolder } from "../../src/piece/car/index.js";
import { bytesOf, text, treeOf } from "../piece/car/helpers.js";
import { expectError, pseudoRandom } from "../piece/helpers.js";
import { removeFolders, tempFolder } from "../support/pieces.js";

const TREE = {
  "a.txt": text("a"),
  ".hidden/b.bin": pseudoRandom(2_500_000),
  "Ünïcode/日本語 😀.txt": text("日本語"),
  "back\\slash\\/c": text("c"),
  "empty.txt": new Uint8Array(),
  "empty/folder": undefined,
};

async function makeTree(tree: Readonly<Record<string, Uint8Array | undefined>>): Promise<string> {
  const folder = await tempFolder();
  for (const [path, content] of Object.entries(tree)) {
    await mkdir(join(folder, content ? join(path, "..") : path), { recursive: true });
    if (content) await writeFile(join(folder, path), content);
  }
  return folder;
}

/** Packs with something done to the folder between two reads of one of its files. */
async function packMeanwhile(folder: string, meanwhile: (path: string) => Promise<unknown>): Promise<unknown> {
  const meddled = async function* (): AsyncGenerator<FolderEntry> {
    for await (const { path, content } of readFolder(folder)) {
      if (!content) yield { path };
      else {
        yield {
          path,
          async *content() {
            for await (const chunk of content() as AsyncIterable<Uint8Array>) {
              yield chunk;
              await meanwhile(join(folder, path));
            }
          },
        };
      }
    }
  };
  return packFolder(meddled());
}

describe("client: folders on disk", () => {
  after(removeFolders);

  it("reads all that is in a folder, hidden and empty things too", async () => {
    const { car } = await packFolder(readFolder(await makeTree(TREE)));
    expect(await treeOf(await FolderArchive.open(car))).to.deep.equal(TREE);
  });

  it("gives the same piece for the same content, whatever its times and modes", async () => {
    const [one, two] = [await makeTree(TREE), await makeTree(Object.fromEntries(Object.entries(TREE).reverse()))];
    await utimes(join(two, "a.txt"), 1, 1);
    execFileSync("chmod", ["755", join(two, "a.txt")]);
    const cars = [await packFolder(readFolder(one)), await packFolder(readFolder(two))].map(({ car }) => bytesOf(car));
    expect(await cars[0]).to.deep.equal(await cars[1]);
  });

  it("refuses a folder that is not there, or is a file", async () => {
    const folder = await makeTree({ "a.txt": text("a") });
    for (const path of ["missing", "a.txt"]) {
      await expectError("FILE_UNREADABLE", () => packFolder(readFolder(join(folder, path))));
    }
  });

  it("refuses symbolic links, or leaves them out by the caller's leave", async () => {
    const outside = await makeTree({ "secret.txt": text("secret") });
    const folder = await makeTree({ "a.txt": text("a") });
    const links = { file: join(outside, "secret.txt"), folder: outside, loop: ".", dangling: "nowhere" };
    for (const [name, target] of Object.entries(links)) {
      await symlink(target, join(folder, name));
      const { message } = await expectError("SYMBOLIC_LINK", () => packFolder(readFolder(folder)));
      expect(message).to.contain(join(folder, name));
      const skipped: string[] = [];
      const { car } = await packFolder(readFolder(folder, { onLink: (path) => skipped.push(path) }));
      expect(skipped).to.deep.equal([name]);
      expect(await treeOf(await FolderArchive.open(car))).to.deep.equal({ "a.txt": text("a") });
      await rm(join(folder, name));
    }
  });

  it("follows no link that took a file's place after it was listed", async () => {
    const outside = await makeTree({ "secret.txt": text("secret") });
    const folder = await makeTree({ "a.txt": text("a"), "b.txt": text("b") });
    const swap = async () => {
      await rm(join(folder, "b.txt"), { force: true });
      await symlink(join(outside, "secret.txt"), join(folder, "b.txt"));
    };
    await expectError("FILE_UNREADABLE", () => packMeanwhile(folder, swap));
  });

  it("refuses pipes and sockets, before or after they were listed, and waits for none", async () => {
    const folder = await makeTree({ "a.txt": text("a"), "b.txt": text("b") });
    const pipe = async () => {
      await rm(join(folder, "b.txt"), { force: true });
      execFileSync("mkfifo", [join(folder, "b.txt")]);
    };
    await expectError("SPECIAL_FILE", () => packMeanwhile(folder, pipe));
    await expectError("SPECIAL_FILE", () => packFolder(readFolder(folder)));
    const other = await makeTree({});
    const server = createServer().listen(join(other, "socket"));
    await expectError("SPECIAL_FILE", () => packFolder(readFolder(other)));
    server.close();
  });

  it("refuses names that are not UTF-8, and says where", async () => {
    const folder = await makeTree({ "a/b.txt": text("b") });
    const name = Buffer.concat([Buffer.from(join(folder, "a", "latin-")), Buffer.from([0xe9])]);
    await writeFile(name, "x");
    const { message } = await expectError("NAME_NOT_UTF8", () => packFolder(readFolder(folder)));
    expect(message).to.contain(join(folder, "a")).and.to.contain("latin-é");
  });

  it("notices a file that changes while it is read", async () => {
    const large = pseudoRandom(1_500_000);
    const changes: Record<string, (path: string) => Promise<unknown>> = {
      "grows for ever": (path) => appendFile(path, large),
      "grows by a byte": (path) => appendFile(path, "x"),
      shrinks: (path) => writeFile(path, "x"),
      "gets other bytes": (path) => writeFile(path, large.with(5, 0)),
    };
    for (const [what, change] of Object.entries(changes)) {
      const folder = await makeTree({ "a.bin": large });
      const { code } = await packMeanwhile(folder, change).then(
        () => ({ code: "nothing was noticed" }),
        (error) => error,
      );
      expect(code, what).to.equal("FILE_CHANGED");
    }
  });

  it("reads the file that it opened, though another takes its name", async () => {
    const folder = await makeTree({ "a.bin": pseudoRandom(10), "b.bin": pseudoRandom(10, 2) });
    const gone = await tempFolder();
    const move = (path: string) => rename(path, join(gone, "moved")).catch(() => undefined);
    // A rename changes the file's ctime, as a change of its bytes does: better one warning too many.
    await expectError("FILE_CHANGED", () => packMeanwhile(folder, move));
  });
});

describe("client: spool in a file", () => {
  after(removeFolders);

  it("holds what a spool in memory holds, in a file of its owner's", async () => {
    const folder = await tempFolder();
    const source = await makeTree(TREE);
    const spool = await fileSpool(folder);
    const { car } = await packFolder(readFolder(source), { spool });
    expect(await bytesOf(car)).to.deep.equal(await bytesOf((await packFolder(readFolder(source))).car));
    const [name = ""] = await readdir(folder);
    expect((await stat(join(folder, name))).mode & 0o777).to.equal(0o600);
    await spool.discard();
    expect(await readdir(folder)).to.deep.equal([]);
    await spool.discard();
  });

  it("leaves nothing behind where packing fails", async () => {
    const folder = await tempFolder();
    await expectError("INVALID_PATH", async () => packFolder([{ path: ".." }], { spool: await fileSpool(folder) }));
    expect(await readdir(folder)).to.deep.equal([]);
  });

  it("says where it can't write", async () => {
    const { message } = await expectError("FILE_UNWRITABLE", () => fileSpool("/nowhere/at/all"));
    expect(message).to.contain("/nowhere/at/all");
  });
});
