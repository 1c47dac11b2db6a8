import { expect } from "chai";
import { nginxBinary } from "../../scripts/bench/retrieval/nginx.js";
import type { RetrievalBench } from "../../scripts/bench/retrieval.js";
import { holdfast } from "../support/cli.js";

describe("cli: bench retrieval", () => {
  before(function () {
    // Skipped where there is no nginx, but not where the whole suite has to hold.
    if (nginxBinary() === undefined && !process.env.CI) this.skip();
  });

  const measured = async () => {
    const { status, stdout, stderr } = await holdfast(["bench", "retrieval", "--json", "--rounds", "5"]);
    expect(status, stderr).to.equal(0);
    return JSON.parse(stdout) as RetrievalBench;
  };

  it("serves files of 64 MiB and ranges of them at half of nginx's speed at least", async function () {
    this.timeout(600_000);
    /** The best round of each case: in the others, others had the machine; where they had it in all, it is measured again. */
    const best = new Map<string, number>();
    const slow = () => [...best].filter(([, ratio]) => ratio < 0.5);
    for (let run = 0; run === 0 || (run < 3 && slow().length > 0); run++) {
      const { cases, peakMiB, sizeMiB } = await measured();
      expect(sizeMiB).to.equal(64);
      for (const { name, connections, node, bestRatio } of cases) {
        expect(node.mbPerSecond).to.be.greaterThan(1);
        const key = `${name}, ${connections}`;
        best.set(key, Math.max(best.get(key) ?? 0, bestRatio));
      }
      // With the database that its index is in.
      expect(peakMiB).to.be.within(40, 550);
    }
    expect([...best.keys()]).to.deep.equal([
      ...["whole, 1", "whole, 8", "1 MiB ranges, 1", "1 MiB ranges, 8", "64 KiB ranges, 1", "64 KiB ranges, 8"],
    ]);
    expect(slow()).to.deep.equal([]);
  });
});
