import { spawn } from "node:child_process";
import { once } from "node:events";
import { truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { fileBlob, fileSink } from "../../src/client/file-node.js";
import { retrieve, upload } from "../../src/client/index.js";
import { readFileChunks } from "../../src/piece/file-node.js";
import { commit, encodePieceCid } from "../../src/piece/index.js";
import { removeFolders, tempFolder } from "../support/pieces.js";

const MIB = 1 << 20;
const SIZE = 256 * MIB;

describe("provider: memory", () => {
  after(removeFolders);

  it("takes and serves 256 MiB within 128 MiB, as does the client", async function () {
    this.timeout(180_000);
    const dir = await tempFolder();
    const path = join(dir, "payload");
    await writeFile(path, "sparse");
    await truncate(path, SIZE);
    const pieceCid = encodePieceCid(await commit(readFileChunks(path))).toString();
    const script = fileURLToPath(new URL("./big-upload.ts", import.meta.url));
    const child = spawn(process.execPath, ["--import", "tsx", script, join(dir, "data")], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const exited = once(child, "exit");
    try {
      const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
      const next = async () => JSON.parse((await lines.next()).value as string) as { url: string; grownMiB: number };
      const { url } = await next();
      const start = process.memoryUsage.rss();
      let peak = start;
      const sampling = setInterval(() => {
        peak = Math.max(peak, process.memoryUsage.rss());
      }, 5);
      await upload(url, pieceCid, await fileBlob(path));
      await retrieve(pieceCid, [url], () => fileSink(join(dir, "copy")));
      clearInterval(sampling);
      child.stdin.end();
      const { grownMiB } = await next();
      expect(grownMiB).to.be.lessThan(128);
      expect((peak - start) / MIB).to.be.lessThan(128);
    } finally {
      child.kill();
      await exited;
    }
  });
});
