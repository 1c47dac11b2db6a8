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
import { startS3, type TestS3 } from "../support/s3.js";

const MIB = 1 << 20;
const SIZE = 256 * MIB;

describe("provider: memory", () => {
  let s3: TestS3;

  before(async () => {
    s3 = await startS3();
  });
  after(async () => {
    await s3.stop();
    await removeFolders();
  });

  it("takes and serves 256 MiB within 128 MiB, as does the client", async function () {
    this.timeout(180_000);
    const { node, client } = await transfer();
    expect(node).to.be.lessThan(128);
    expect(client).to.be.lessThan(128);
  });

  it("takes 256 MiB into a bucket and serves them from there within 192 MiB", async function () {
    this.timeout(180_000);
    // The client is in one process with the bucket, whose memory is its own business.
    const { node } = await transfer(JSON.stringify(s3.options()));
    expect(node).to.be.lessThan(192);
    expect(s3.requests.filter((request) => /^PUT .*partNumber/.test(request))).to.have.length(SIZE / (8 * MIB));
  });

  /** MiB that node and client grow by while a payload goes there and back. */
  async function transfer(...bucket: string[]): Promise<{ node: number; client: number }> {
    const dir = await tempFolder();
    const path = join(dir, "payload");
    await writeFile(path, "sparse");
    await truncate(path, SIZE);
    const pieceCid = encodePieceCid(await commit(readFileChunks(path))).toString();
    const script = fileURLToPath(new URL("./big-upload.ts", import.meta.url));
    const child = spawn(process.execPath, ["--import", "tsx", script, join(dir, "data"), ...bucket], {
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
      return { node: grownMiB, client: (peak - start) / MIB };
    } finally {
      child.kill();
      await exited;
    }
  }
});
