import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { expect } from "chai";
import { benchLineage } from "../../scripts/bench/lineage.js";
import { failure } from "../support/failure.js";

describe("bench lineage", () => {
  it("reads the lineages of records on a chain of its own, in processes of their own", async () => {
    const { descendants, ancestors, drawing, ...result } = await benchLineage(250);
    expect(result).to.include({ records: 250, attestations: 2, withdrawals: 1 });
    expect(result.ancestorsOfLast).to.be.within(5, 249);
    expect(result.jsonBytes).to.be.within(250 * 500, 250 * 5_000);
    for (const { seconds, peakMiB } of [descendants, ancestors, drawing]) {
      expect(seconds).to.be.within(0.1, 60);
      expect(peakMiB).to.be.within(20, 1_000);
    }
  });

  it("stops and takes everything away when it is interrupted", async () => {
    const { TMPDIR } = process.env;
    const own = await mkdtemp(join(tmpdir(), "holdfast-test-"));
    process.env.TMPDIR = own;
    // The chain's own states are taken away by its watcher, a moment after it has ended (see the tests of startAnvil).
    const left = async () => (await readdir(own)).filter((name) => !name.startsWith("holdfast-anvil-"));
    try {
      const interrupt = new AbortController();
      const running = failure(benchLineage(5_000, interrupt.signal));
      await setTimeout(1_500);
      expect(await left()).to.have.length(1);
      interrupt.abort();
      expect(await running).to.include({ code: "INTERRUPTED" });
      expect(await left()).to.deep.equal([]);
      expect(await failure(benchLineage(5_000, interrupt.signal))).to.include({ code: "INTERRUPTED" });
      expect(await left()).to.deep.equal([]);
    } finally {
      if (TMPDIR === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = TMPDIR;
      await rm(own, { recursive: true, force: true });
    }
  });
});
