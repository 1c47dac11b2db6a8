import { expect } from "chai";
import fc from "fast-check";
import {
  fillQuestionId,
  firstFillBlock,
  isEligibleRegion,
  possessionEpoch,
  postingCost,
  priceAt,
  slotRamp,
} from "../../src/protocol/index.js";

const RAMP = { startPrice: 100n, maxPrice: 110n, rampEpochs: 3 };
const region = (text: string) => `0x${Buffer.from(text.padEnd(6, "\0")).toString("hex")}`;

describe("protocol: requests", () => {
  it("have a price that rises from start to max, rounded down, and stays there", () => {
    expect([50, 51, 52, 53, 54, 1_000].map((at) => priceAt(RAMP, 50, at))).to.deep.equal([
      100n,
      103n,
      106n,
      110n,
      110n,
      110n,
    ]);
  });

  it("start a slot's price at its own maximum where that is lower", () => {
    expect(slotRamp(RAMP, 105n)).to.deep.equal({ startPrice: 100n, maxPrice: 105n, rampEpochs: 3 });
    expect(slotRamp(RAMP, 7n)).to.deep.equal({ startPrice: 7n, maxPrice: 7n, rampEpochs: 3 });
  });

  it("lock the most that they can cost", () => {
    expect(postingCost({ maxPrice: 110n, periods: 6, replicas: 3 })).to.equal(1_980n);
  });

  it("can be filled from the first block whose epoch is far enough from the posting", () => {
    expect(firstFillBlock(100, 2)).to.equal(129);
    expect(firstFillBlock(62, 2)).to.equal(65);
    expect(firstFillBlock(63, 2)).to.equal(129);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e9 }), fc.integer({ min: 1, max: 500 }), (posted, finality) => {
        const first = firstFillBlock(posted, finality);
        expect(possessionEpoch(first)).to.be.at.least(posted + finality);
        expect(possessionEpoch(first - 1)).to.be.below(posted + finality);
      }),
    );
  });

  it("ask each provider, of each slot of each request, another question", () => {
    const [one, two] = ["0x00000000000000000000000000000000000000a1", "0x00000000000000000000000000000000000000a2"];
    const ids = [fillQuestionId(1n, 0n, one), fillQuestionId(1n, 0n, two), fillQuestionId(1n, 1n, one)];
    expect(new Set([...ids, fillQuestionId(2n, 0n, one)]).size).to.equal(4);
  });

  it("take the region asked for and its subdivisions, nothing else", () => {
    const takes = (wanted: string[], actual: string) => isEligibleRegion(wanted.map(region), region(actual));
    expect(takes([], "")).to.equal(true);
    expect(takes(["DE", "US"], "US")).to.equal(true);
    expect(takes(["DE", "US"], "US-CA")).to.equal(true);
    expect(takes(["US-CA"], "US-CA")).to.equal(true);
    expect(takes(["US-CA"], "US")).to.equal(false);
    expect(takes(["US-CA"], "US-CO")).to.equal(false);
    expect(takes(["US-C"], "US-CA")).to.equal(false);
    expect(takes(["DE"], "DK")).to.equal(false);
    expect(takes(["DE"], "")).to.equal(false);
    expect(isEligibleRegion(["0x44450000000A"], "0x44450000000a")).to.equal(true);
  });
});
