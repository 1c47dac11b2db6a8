import { expect } from "chai";
import fc from "fast-check";
import { checkTerms, collateralFor, pricePerPeriodUp } from "../../src/protocol/index.js";

const GIB = 1n << 30n;

describe("protocol: prices", () => {
  it("rounds up: nothing is free, and a GiB costs what it says", () => {
    expect(pricePerPeriodUp(1n, 1n)).to.equal(1n);
    expect(pricePerPeriodUp(GIB, 1_000n)).to.equal(1_000n);
    expect(pricePerPeriodUp(GIB + 1n, 1_000n)).to.equal(1_001n);
    expect(pricePerPeriodUp(3n << 20n, 1_024n)).to.equal(3n);
    expect(pricePerPeriodUp(GIB, 0n)).to.equal(0n);
  });

  it("is exact within one base unit, for any size and price", () => {
    const amounts = [fc.bigInt(1n, 1n << 45n), fc.bigInt(0n, 1n << 100n)] as const;
    fc.assert(
      fc.property(...amounts, (size, rate) => {
        const over = pricePerPeriodUp(size, rate) * GIB - size * rate;
        expect(over >= 0n && over < GIB).to.equal(true);
      }),
    );
  });

  it("gives a collateral that the market accepts: none, or a base unit for each miss at least", () => {
    expect(collateralFor(1_000n, 0, 6)).to.equal(0n);
    expect(collateralFor(1_000n, 10, 6)).to.equal(10_000n);
    expect(collateralFor(1n, 5, 6)).to.equal(6n);
    expect(collateralFor(0n, 5, 6)).to.equal(6n);
    const tier = { period: 16, window: 8, challenges: 3, maxMisses: 6 };
    const terms = {
      client: `0x${"11".repeat(20)}`,
      provider: `0x${"22".repeat(20)}`,
      root: `0x${"00".repeat(32)}`,
      leafCount: 4n,
      tier: 0,
      periods: 6,
      maxPeriods: 6,
      token: `0x${"00".repeat(20)}`,
      egressPricePerGiB: 0n,
      validUntil: 0n,
      salt: `0x${"00".repeat(32)}`,
    };
    fc.assert(
      fc.property(fc.bigInt(0n, 1n << 60n), fc.nat(1_000), (pricePerPeriod, ratio) => {
        checkTerms(
          { ...terms, pricePerPeriod, collateral: collateralFor(pricePerPeriod, ratio, tier.maxMisses) },
          tier,
        );
      }),
    );
  });
});
