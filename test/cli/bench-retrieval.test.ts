import { expect } from "chai";
import { nginxBinary } from "../../scripts/bench/retrieval/nginx.js";
import type { RetrievalBench } from "../../scripts/bench/retrieval.js";
import { holdfast } from "../support/cli.js";

describe("cli: bench retrieval", () => {
  before(function () {
    // Skipped where there is no nginx, but not where the whole suite has to hold.
    if (nginxBinary() === undefined && !process.env.CI) this.skip();
  });

  it("serves files of 64 MiB and ranges of them at half of nginx's speed at least", async function () {
    this.timeout(300_000);
    const { status, stdout, stderr } = await holdfast(["bench", "retrieval", "--json", "--rounds", "5"]);
    expect(status, stderr).to.equal(0);
    const { cases, peakMiB, sizeMiB } = JSON.parse(stdout) as RetrievalBench;
    expect(sizeMiB).to.equal(64);
    expect(cases.map(({ name, connections }) => `${name}, ${connections}`)).to.deep.equal([
      ...["whole, 1", "whole, 8", "1 MiB ranges, 1", "1 MiB ranges, 8", "64 KiB ranges, 1", "64 KiB ranges, 8"],
    ]);
    for (const { name, connections, node, bestRatio } of cases) {
      expect(node.mbPerSecond).to.be.greaterThan(1);
      // The best round: in the others, others had the machine.
      expect(bestRatio, `${name}, ${connections}`).to.be.at.least(0.5);
    }
    // With the database that its index is in.
    expect(peakMiB).to.be.within(40, 550);
  });
});
