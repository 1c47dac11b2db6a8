import { expect } from "chai";
import fc from "fast-check";
import { bumpedFees } from "../../src/chain/fees.js";

const of = (maxFeePerGas: bigint, maxPriorityFeePerGas: bigint) => ({ maxFeePerGas, maxPriorityFeePerGas });

describe("fees", () => {
  it("are raised by a quarter, and to what the chain asks where that is more", () => {
    expect(bumpedFees(of(1_000n, 100n), of(1_000n, 100n), undefined)).to.deep.equal(of(1_251n, 126n));
    expect(bumpedFees(of(1_000n, 100n), of(5_000n, 300n), undefined)).to.deep.equal(of(5_000n, 300n));
    expect(bumpedFees(of(1_000n, 100n), of(1_000n, 100n), 1_100n)).to.deep.equal(of(1_100n, 126n));
  });

  it("end at sixteen times what the chain asks, however often they are raised, and never fall", () => {
    const wei = fc.bigInt({ min: 1n, max: 10n ** 12n });
    fc.assert(
      fc.property(wei, wei, (fee, tip) => {
        const market = of(fee, tip);
        let fees = market;
        for (let i = 0; i < 100; i++) {
          const next = bumpedFees(fees, market, undefined);
          expect(
            next.maxFeePerGas >= fees.maxFeePerGas && next.maxPriorityFeePerGas >= fees.maxPriorityFeePerGas,
          ).to.equal(true);
          fees = next;
        }
        expect(fees).to.deep.equal(of(16n * fee, 16n * tip));
        // What was paid before the market fell is kept.
        expect(bumpedFees(fees, of(1n, 1n), undefined)).to.deep.equal(fees);
      }),
    );
  });
});
