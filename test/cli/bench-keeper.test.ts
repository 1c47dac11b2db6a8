import { expect } from "chai";
import type { KeeperBench } from "../../scripts/bench/keeper.js";
import { holdfast } from "../support/cli.js";

describe("cli: bench keeper", () => {
  it("proves every window of 70 deals, and misses none", async function () {
    this.timeout(300_000);
    const args = ["bench", "keeper", "--deals", "70", "--block-ms", "300", "--json"];
    const { status, stdout, stderr } = await holdfast(args);
    expect(status, stderr).to.equal(0);
    const result = JSON.parse(stdout) as KeeperBench;
    expect(result.deals).to.equal(70);
    expect(result.pieces).to.equal(70);
    for (const figure of [result.due, result.proven, result.provenOnChain]) expect(figure).to.equal(3 * 70);
    expect(result.missed).to.equal(0);
    expect(result.missedOnChain).to.equal(0);
    expect(result.troubles).to.deep.equal({});
    // Two transactions each time: more proofs than fit into one.
    expect(result.batches).to.be.at.least(6);
    expect(result.mostProofs).to.be.within(35, 69);
    expect(result.blocks.most).to.be.within(1, 128);
    expect(result.cpuMsPerProof).to.be.within(1, 500);
    expect(result.peakMiB).to.be.within(100, 600);
    expect(result.requestsPerIdleHead).to.be.within(1, 12);
  });
});
