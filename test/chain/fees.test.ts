import { expect } from "chai";
import { FeeData, toQuantity } from "ethers";
import fc from "fast-check";
import { bumpedFees, type FeeSource, marketFees } from "../../src/chain/fees.js";

const GWEI = 10n ** 9n;
const of = (maxFeePerGas: bigint, maxPriorityFeePerGas: bigint) => ({ maxFeePerGas, maxPriorityFeePerGas });

describe("fees", () => {
  it("are raised by a quarter, and to what the chain asks where that is more", () => {
    expect(bumpedFees(of(1_000n, 100n), of(1_000n, 100n), undefined)).to.deep.equal(of(1_251n, 126n));
    expect(bumpedFees(of(1_000n, 100n), of(5_000n, 300n), undefined)).to.deep.equal(of(5_000n, 300n));
    expect(bumpedFees(of(1_000n, 100n), of(1_000n, 100n), 1_200n)).to.deep.equal(of(1_200n, 126n));
  });

  it("are raised both or neither: a node takes no replacement that pays more of one alone", () => {
    expect(bumpedFees(of(40n, 20n), of(1_000n, 1n), undefined)).to.deep.equal(of(1_000n, 23n));
    expect(bumpedFees(of(40n, 0n), of(1_000n, 0n), undefined)).to.deep.equal(of(1_000n, 1n));
    expect(bumpedFees(of(1_000n, 100n), of(1_000n, 100n), 1_100n), "a cap that is too close").to.equal(undefined);
    expect(bumpedFees(of(100n, 100n), of(100n, 100n), undefined)).to.deep.equal(of(126n, 126n));
  });

  it("are never ones that a node refuses, nor above the cap", () => {
    const wei = fc.bigInt({ min: 0n, max: 10n ** 12n });
    fc.assert(
      fc.property(wei, wei, wei, wei, fc.option(wei, { nil: undefined }), (fee, tip, now, nowTip, cap) => {
        const [last, market] = [of(fee + tip, tip), of(now + nowTip, nowTip)];
        const next = bumpedFees(last, market, cap);
        if (next === undefined) return;
        for (const name of ["maxFeePerGas", "maxPriorityFeePerGas"] as const) {
          expect(next[name] > last[name] && next[name] * 10n >= last[name] * 11n, name).to.equal(true);
        }
        expect(next.maxPriorityFeePerGas <= next.maxFeePerGas, "tip").to.equal(true);
        expect(cap === undefined || next.maxFeePerGas <= cap, "cap").to.equal(true);
      }),
    );
  });

  it("believe no advice above what late blocks were paid", async () => {
    const source = (advice: bigint, rewards: unknown) => ({
      getFeeData: async () => new FeeData(1n, 20n * GWEI + advice, advice),
      send: async () => ({ reward: rewards }),
    });
    const tips = async (advice: bigint, rewards: unknown) => {
      const fees = await marketFees(source(advice, rewards) as unknown as FeeSource, undefined);
      expect(fees.maxFeePerGas).to.equal(20n * GWEI + fees.maxPriorityFeePerGas);
      return fees.maxPriorityFeePerGas;
    };
    const paid = ["0x0", toQuantity(30n * GWEI), toQuantity(5n * GWEI), toQuantity(90_000n * GWEI)].map((one) => [one]);
    expect(await tips(10n ** 15n, paid)).to.equal(30n * GWEI);
    expect(await tips(20n * GWEI, paid)).to.equal(20n * GWEI);
    expect(await tips(10n ** 15n, [["0x0"], ["0x0"]]), "empty blocks").to.equal(3n * GWEI);
    expect(await tips(10n ** 15n, undefined), "a node that does not say").to.equal(500n * GWEI);
    expect(await tips(10n ** 15n, [null, ["x"], [7], []])).to.equal(3n * GWEI);
  });

  it("end at sixteen times what the chain asks, however often they are raised, and never fall", () => {
    const wei = fc.bigInt({ min: 100n, max: 10n ** 12n });
    fc.assert(
      fc.property(wei, wei, (fee, tip) => {
        const market = of(fee + tip, tip);
        let fees = market;
        for (let i = 0; i < 100; i++) fees = bumpedFees(fees, market, undefined) ?? fees;
        expect(fees.maxFeePerGas <= 16n * market.maxFeePerGas, "no more").to.equal(true);
        // An eighth more would be beyond.
        expect(fees.maxFeePerGas * 9n > 15n * 8n * market.maxFeePerGas, "no less").to.equal(true);
        expect(bumpedFees(fees, of(1n, 1n), undefined), "the market fell").to.equal(undefined);
      }),
    );
  });
});
