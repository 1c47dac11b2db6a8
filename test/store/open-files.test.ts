import { readdirSync, readlinkSync } from "node:fs";
import { rename, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { OpenFiles } from "../../src/store/open-files.js";
import { removeFolders, tempFolder } from "../support/pieces.js";

describe("store: open files", () => {
  let dir: string;
  let path: string;
  let files: OpenFiles;

  beforeEach(async () => {
    dir = await tempFolder();
    path = join(dir, "file");
    await writeFile(path, "0123456789");
    files = new OpenFiles();
  });
  after(removeFolders);

  /** Files of the folder that this process has open; names of deleted ones end in `(deleted)`. */
  const openNow = () =>
    readdirSync("/proc/self/fd").flatMap((fd) => {
      try {
        const target = readlinkSync(`/proc/self/fd/${fd}`);
        return target.startsWith(dir) ? [target] : [];
      } catch {
        return [];
      }
    });
  const closed = async (ms: number) => {
    for (const end = Date.now() + ms; openNow().length > 0; await new Promise((go) => setTimeout(go, 20))) {
      if (Date.now() > end) expect.fail(`still open: ${openNow()}`);
    }
  };

  it("opens a file once for all who read it, and closes it by itself", async function () {
    if (process.platform !== "linux") this.skip();
    expect(files.sizeOf(path)).to.equal(undefined);
    const first = await files.acquire(path);
    expect(await files.acquire(path)).to.equal(first);
    expect(files.sizeOf(path)).to.equal(10);
    expect(openNow()).to.deep.equal([path]);
    files.release(first);
    files.release(first);
    expect(files.sizeOf(path)).to.equal(10);
    await closed(4_000);
    expect(files.sizeOf(path)).to.equal(undefined);
  });

  it("closes no file that somebody reads, though it was let go of", async () => {
    const file = await files.acquire(path);
    files.forget(path);
    expect((await file.handle.read(Buffer.alloc(4), 0, 4, 0)).bytesRead).to.equal(4);
    files.release(file);
    await closed(1_000);
  });

  it("sees at once that a file is shorter, deleted, or another", async () => {
    files.release(await files.acquire(path));
    await truncate(path, 3);
    expect(files.sizeOf(path)).to.equal(3);
    await rm(path);
    expect(files.sizeOf(path)).to.equal(undefined);
    await closed(1_000);
    expect(await files.acquire(path).catch((error) => error.code)).to.equal("ENOENT");
    await writeFile(path, "old");
    files.release(await files.acquire(path));
    await writeFile(join(dir, "next"), "newer");
    await rename(join(dir, "next"), path);
    const file = await files.acquire(path);
    const { bytesRead, buffer } = await file.handle.read(Buffer.alloc(9), 0, 9, 0);
    expect(buffer.toString("latin1", 0, bytesRead)).to.equal("newer");
    files.release(file);
    files.forget(path);
    await closed(1_000);
  });

  it("closes all but one where several open a file at the same moment", async () => {
    const opened = await Promise.all([1, 2, 3].map(() => files.acquire(path)));
    for (const file of opened) files.release(file);
    await new Promise((go) => setTimeout(go, 50));
    expect(openNow()).to.have.length(1);
    files.forget(path);
    await closed(1_000);
  });

  it("has no more than so many open", async () => {
    for (let i = 0; i < 300; i++) {
      await writeFile(join(dir, `${i}`), "x");
      files.release(await files.acquire(join(dir, `${i}`)));
    }
    await new Promise((go) => setTimeout(go, 50));
    expect(openNow().length).to.be.within(1, 256);
    expect(files.sizeOf(join(dir, "0"))).to.equal(undefined);
    expect(files.sizeOf(join(dir, "299"))).to.equal(1);
  });
});
