import { expect } from "chai";
import type { FolderBench } from "../../scripts/bench/folder.js";
import { holdfast } from "../support/cli.js";

describe("cli: bench folder", () => {
  it("stores a folder in one deal and gets it back, against real processes", async () => {
    const { status, stdout, stderr } = await holdfast(["bench", "folder", "--files", "250", "--json"]);
    expect(status, stderr).to.equal(0);
    const result = JSON.parse(stdout) as FolderBench;
    expect(result).to.include({ files: 250, deals: 1 });
    expect(result.pieceBytes).to.be.within(400_000, 700_000);
    for (const seconds of [result.storeSeconds, result.fetchFileSeconds, result.unpackSeconds]) {
      expect(seconds).to.be.within(0.1, 60);
    }
    if (process.platform === "linux") expect(result.storePeakMiB).to.be.within(20, 1_000);
    expect((await holdfast(["bench", "folder", "--files", "0"])).stderr).to.match(/--files <n>.+invalid/);
  });
});
