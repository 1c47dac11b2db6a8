import { expect } from "chai";
import { highestLikely } from "../../src/chain/unlikely-head.js";

describe("unlikely heads", () => {
  const NOW = 1_000_000;
  const at = (head: number, agoMs = 1_000) => ({ head, grewAt: NOW - agoMs });
  const limit = (...endpoints: { head: number; grewAt: number }[]) => highestLikely(endpoints, NOW);

  it("are those far above the middle of three or more", () => {
    expect(limit(at(100), at(101), at(5_000))).to.equal(165);
    expect(limit(at(5_000), at(100), at(101), at(102))).to.equal(165);
    expect(limit(at(5_000), at(5_000), at(100), at(101), at(102))).to.equal(166);
    expect(limit(at(0), at(100), at(101), at(5_000)), "what has said nothing").to.equal(165);
  });

  it("can't be told of two, or where half of them say the same", () => {
    expect(limit(at(100), at(5_000))).to.equal(Number.POSITIVE_INFINITY);
    expect(limit(at(0), at(100), at(5_000))).to.equal(Number.POSITIVE_INFINITY);
    expect(limit(at(100), at(100), at(5_000), at(5_000))).to.equal(Number.POSITIVE_INFINITY);
  });

  it("are none where most stand still: the one that does not is right", () => {
    expect(limit(at(100, 400_000), at(100, 400_000), at(5_000))).to.equal(Number.POSITIVE_INFINITY);
    expect(limit(at(100, 400_000), at(100, 1_000), at(5_000))).to.equal(Number.POSITIVE_INFINITY);
    expect(limit(at(100, 400_000), at(100), at(101), at(5_000))).to.equal(Number.POSITIVE_INFINITY);
    expect(limit(at(100, 400_000), at(100), at(101), at(102), at(5_000))).to.equal(165);
  });
});
