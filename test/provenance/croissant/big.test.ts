import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";
import { removeFolders, tempFolder } from "../../support/pieces.js";

/** Without it the collector takes as much as the machine has before it works: what needs more than this fails at once. */
const HEAP = ["--max-old-space-size=384"];

describe("croissant: 100,000 files", () => {
  after(removeFolders);

  it("are written in 128 MiB, and read in 512 MiB and 20 s", async function () {
    this.timeout(120_000);
    const script = fileURLToPath(new URL("./big-manifest.ts", import.meta.url));
    const path = join(await tempFolder(), "croissant.json");
    const { stdout } = await promisify(execFile)(process.execPath, [...HEAP, "--import", "tsx", script, path]);
    const result = JSON.parse(stdout) as Record<string, number>;
    expect(result.bytes).to.be.within(25_000_000, 40_000_000);
    expect(result.files).to.equal(100_000);
    expect(result.last).to.equal(createHash("sha256").update("99999").digest("hex"));
    expect(result.milliseconds).to.be.lessThan(20_000);
    expect(result.writingMiB).to.be.lessThan(128);
    expect(result.readingMiB).to.be.lessThan(512);
  });
});
