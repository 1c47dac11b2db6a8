import { expect } from "chai";
import { nonceAfter, nonceBeyond } from "../../src/chain/nonces.js";

const counted = { least: 0, latest: 10, pending: 10, own: [] };

describe("nonces", () => {
  it("follow the chain's count, and what is live where that is more", () => {
    expect(nonceAfter(counted)).to.equal(10);
    expect(nonceAfter({ ...counted, pending: 14 })).to.equal(14);
    expect(nonceAfter({ ...counted, latest: 99 }), "a wrong count of what is in blocks").to.equal(10);
    expect(nonceAfter({ ...counted, own: [10, 11] }, 12)).to.equal(12);
    expect(nonceAfter({ ...counted, least: 13 }, 12)).to.equal(13);
    const own = Array.from({ length: 3_000 }, (_, i) => 10 + i);
    expect(nonceAfter({ ...counted, own }, 3_010), "many in a row").to.equal(3_010);
  });

  it("are refused where a node counts far more than is known", () => {
    for (const pending of [200, 150_000_000]) {
      expect(() => nonceAfter({ ...counted, pending }, 12))
        .to.throw("12 are known of")
        .with.property("code", "NONCE_UNLIKELY");
    }
    expect(nonceAfter({ ...counted, pending: 200 }, 190)).to.equal(200);
  });

  it("do not follow what no nonce comes to", () => {
    expect(nonceAfter({ ...counted, own: [10, 12, 150_000_000] }, 150_000_001)).to.equal(13);
    expect(nonceAfter({ ...counted, own: [150_000_000] }, 150_000_001)).to.equal(10);
  });

  it("go on from what somebody counts, however far that is", () => {
    expect(nonceBeyond(2, [], [2, 12])).to.equal(12);
    expect(nonceBeyond(2, [2, 3, 40], [2])).to.equal(41);
    expect(nonceBeyond(2, [], [2]), "nobody knows").to.equal(3);
    expect(nonceBeyond(2, [], [])).to.equal(3);
    expect(nonceBeyond(2, [], [2, 12, 19, 150_000_000]), "no gap").to.equal(12);
    expect(nonceBeyond(2, [], [150_000_000])).to.equal(3);
  });
});
