import { expect } from "chai";
import fc from "fast-check";
import {
  closedAt,
  epochOf,
  firstEpoch,
  openAt,
  PHASES,
  phaseOf,
  startedAt,
  type Tier,
  windowOf,
} from "../../src/protocol/index.js";
import { runs } from "../support/effort.js";
import { address, blockNear, tier } from "./arbitraries.js";
import { ledgerHarness, struct, wide } from "./harness.js";

const TIER: Tier = { period: 100, window: 10, challenges: 3, maxMisses: 2 };

describe("protocol: schedule", () => {
  it("agrees with the contracts on random schedules", async () => {
    const harness = await ledgerHarness();
    const input = fc
      .record({
        provider: address,
        tierIndex: fc.integer({ min: 0, max: 255 }),
        earliest: fc.integer({ min: 1, max: 2 ** 40 }),
        tier,
        periods: fc.integer({ min: 1, max: 2 ** 24 }),
        k: fc.integer({ min: 1, max: 2 ** 24 }),
      })
      .chain((drawn) => {
        const first = firstEpoch(
          drawn.earliest,
          phaseOf(drawn.provider, drawn.tierIndex, drawn.tier.period),
          drawn.tier.period,
        );
        return blockNear(first, drawn.tier, drawn.periods).map((at) => ({ ...drawn, at: Math.max(at, 0) }));
      });
    await fc.assert(
      fc.asyncProperty(fc.array(input, { minLength: 50, maxLength: 50 }), async (cases) => {
        const answers = (await harness.schedules(cases)).map(struct);
        const mirrored = cases.map((c) => {
          const phase = phaseOf(c.provider, c.tierIndex, c.tier.period);
          const first = firstEpoch(c.earliest, phase, c.tier.period);
          return wide({
            phase,
            first,
            epoch: epochOf(first, c.tier.period, c.k),
            started: startedAt(first, c.tier.period, c.at),
            closed: closedAt(first, c.tier, c.periods, c.at),
            open: openAt(first, c.tier, c.periods, c.at),
          });
        });
        expect(mirrored).to.deep.equal(answers);
      }),
      { numRuns: runs(40) },
    );
  });

  it("puts e_1 at the least epoch of the phase that is not before the earliest", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 10_000 }),
        tier,
        fc.integer({ min: 0, max: PHASES - 1 }),
        (earliest, t, i) => {
          const phase = i * Math.floor(t.period / PHASES);
          const first = firstEpoch(earliest, phase, t.period);
          expect(first).to.be.within(earliest, earliest + t.period - 1);
          expect(first % t.period).to.equal(phase);
        },
      ),
    );
  });

  it("counts windows as their definition does, block by block", () => {
    fc.assert(
      fc.property(tier, fc.integer({ min: 0, max: 50 }), fc.integer({ min: 1, max: 5 }), (drawn, first, periods) => {
        const t = { ...drawn, period: 16 + (drawn.period % 8), window: 1 + (drawn.window % 15) };
        const epochs = Array.from({ length: periods }, (_, i) => first + i * t.period);
        for (let at = 0; at < first + (periods + 1) * t.period; at++) {
          const closed = epochs.filter((e) => e + t.window < at).length;
          const open = epochs.findIndex((e) => e < at && at <= e + t.window) + 1;
          expect([at, closedAt(first, t, periods, at), openAt(first, t, periods, at)]).to.deep.equal([
            at,
            closed,
            open,
          ]);
          const started = Math.min(startedAt(first, t.period, at), periods);
          expect(started).to.equal(epochs.filter((e) => e < at).length);
        }
      }),
    );
  });

  it("opens a window after its epoch and closes it after its last block", () => {
    const { epoch, firstBlock, lastBlock } = windowOf(130, TIER, 2);
    expect([epoch, firstBlock, lastBlock]).to.deep.equal([230, 231, 240]);
    const seen = [230, 231, 240, 241].map((at) => [openAt(130, TIER, 2, at), closedAt(130, TIER, 2, at)]);
    expect(seen).to.deep.equal([
      [0, 1],
      [2, 1],
      [2, 1],
      [0, 2],
    ]);
  });

  it("has no window after the last period", () => {
    expect(openAt(130, TIER, 2, 331)).to.equal(0);
    expect(closedAt(130, TIER, 2, 10_000)).to.equal(2);
  });
});
