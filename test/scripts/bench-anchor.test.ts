import { expect } from "chai";
import { benchAnchor } from "../../scripts/bench/anchor.js";

describe("bench anchor", () => {
  it("anchors a folder and verifies files of it, in processes of their own", async () => {
    const result = await benchAnchor(300);
    expect(result.files).to.equal(300);
    // 300 records, and as many nodes as a tree of 300 has.
    expect(result.setFileBytes).to.be.within(300 * 104, 300 * 104 + 1_000);
    for (const seconds of [result.anchorSeconds, result.verifyCommandSeconds]) expect(seconds).to.be.within(0.1, 60);
    expect(result.verifySeconds).to.be.within(0.0001, 1);
    for (const peak of [result.anchorPeakMiB, result.verifyPeakMiB]) expect(peak).to.be.within(20, 500);
    expect(result.proofBytes).to.be.within(600, 720);
    expect(result.proofBytesOfMillion).to.be.within(1_090, 1_120);
  });
});
