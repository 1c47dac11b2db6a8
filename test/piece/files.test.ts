import { execFile } from "node:child_process";
import { mkdtemp, open, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";
import { readFileChunks, readFileRange } from "../../src/piece/file-node.js";
import {
  commit,
  commitmentOf,
  commitWithLayer,
  encodePieceCid,
  payloadUnder,
  prove,
  verifyProof,
  zeroSubtree,
} from "../../src/piece/index.js";
import { expectError, pseudoRandom } from "./helpers.js";

const MIB = 1 << 20;

describe("piece: files", () => {
  let folder: string;
  let path: string;
  const payload = pseudoRandom(3 * MIB + 17);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "holdfast-piece-"));
    path = join(folder, "payload.bin");
  });
  beforeEach(() => writeFile(path, payload));
  after(() => rm(folder, { recursive: true, force: true }));

  it("commits to a file as to its bytes, and counts them for the progress bar", async () => {
    let counted = 0;
    const commitment = await commit(
      readFileChunks(path, (bytes) => {
        counted += bytes;
      }),
    );
    expect(commitment).to.deep.equal(await commit(payload));
    expect(counted).to.equal(payload.length);
  });

  it("closes the file when the reader stops early", async () => {
    for await (const chunk of readFileChunks(path)) {
      expect(chunk).to.deep.equal(payload.subarray(0, MIB));
      break;
    }
  });

  it("proves leaves of a file, and notices that the file was cut", async () => {
    const { commitment, layer } = await commitWithLayer(readFileChunks(path));
    const indices = [0n, 5_000n, commitment.leafCount - 1n];
    const file = await open(path);
    try {
      expect(verifyProof(commitment, indices, await prove(layer, readFileRange(file), indices))).to.equal(true);
      await truncate(path, payload.length - 1);
      await expectError("MISSING_BYTES", () => prove(layer, readFileRange(file), indices));
    } finally {
      await file.close();
    }
  });

  it("commits to 1 GiB in under 200 MiB", async function () {
    this.timeout(120_000);
    const size = 1 << 30;
    const sparse = join(folder, "gibibyte.bin");
    await writeFile(sparse, "");
    await truncate(sparse, size);
    const script = fileURLToPath(new URL("./commit-file.ts", import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", script, sparse]);
    const result = JSON.parse(stdout) as { pieceCid: string; layer: number; peakMiB: number };
    // 2^30 bytes are just over the 127·2^23 that a tree of height 25 holds.
    expect(result.pieceCid).to.equal(encodePieceCid(commitmentOf(zeroSubtree(26), BigInt(size))).toString());
    expect(result.layer).to.equal(Math.ceil(size / payloadUnder(12)) * 32);
    expect(result.peakMiB).to.be.lessThan(200);
  });
});
