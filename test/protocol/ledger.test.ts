import { expect } from "chai";
import fc from "fast-check";
import {
  bonded,
  book,
  bountyDown,
  due,
  endedPeriods,
  feeDown,
  lastClosedProven,
  Stage,
  Status,
  share,
  slashedFor,
  standing,
  totals,
} from "../../src/protocol/index.js";
import { runs, seed } from "../support/effort.js";
import { type LedgerCase, ledgerCase } from "./arbitraries.js";
import { ledgerHarness, struct, wide } from "./harness.js";

function mirror({ course, money, tier, at, feeBps, misses }: LedgerCase) {
  const now = standing(course, tier, at);
  const moved = due(course, money, tier, now, feeBps);
  const booked = book(course, moved);
  return {
    standing: now,
    lastClosedProven: lastClosedProven(course, now),
    endedPeriods: endedPeriods(course, tier, at),
    share: share(money, tier),
    fee: feeDown(money.price, feeBps),
    bonded: bonded(course, money, tier),
    ...slashedFor(course, money, tier, misses),
    due: moved,
    booked,
    totals: totals(course, money, tier, feeBps),
    totalsBooked: totals(booked, money, tier, feeBps),
  };
}

describe("protocol: ledger", () => {
  it("agrees with the contracts on thousands of records", async () => {
    const harness = await ledgerHarness();
    const seen = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(fc.array(ledgerCase, { minLength: 20, maxLength: 20 }), async (cases) => {
        const answers = (await harness.ledgers(cases)).map(struct);
        const mirrored = cases.map(mirror);
        expect(mirrored.map(wide)).to.deep.equal(answers);
        for (const { standing: now, due: moved } of mirrored) {
          const kind = `${now.status}${moved.closes ? " closes" : ""}${moved.misses > 0 ? " slashes" : ""}`;
          seen.set(kind, (seen.get(kind) ?? 0) + 1);
        }
      }),
      { numRuns: runs(100), seed: seed(20_261_128) },
    );
    const { None, Open, Ending, Completed, Defaulted, Migrated } = Status;
    const kinds = [
      None,
      Open,
      `${Open} slashes`,
      Ending,
      `${Ending} slashes`,
      Completed,
      `${Completed} closes`,
      Migrated,
    ];
    for (const kind of [...kinds, `${Completed} closes slashes`, Defaulted, `${Defaulted} closes slashes`]) {
      expect(seen.get(`${kind}`) ?? 0, `records of kind ${kind}`).to.be.greaterThan(5);
    }
  });

  it("leaves every base unit accounted for, and nothing due after booking", () => {
    fc.assert(
      fc.property(ledgerCase, (drawn) => {
        const { course, money, tier, at, feeBps } = drawn;
        if (course.stage !== Stage.Open && course.stage !== Stage.Ending) return;
        const { booked, totalsBooked: t } = mirror(drawn);
        expect(t.paid + t.fee + t.refunded + t.escrow).to.equal(t.funded);
        expect(t.bounty + t.compensation + t.returned + t.stake).to.equal(t.bonded);
        expect([t.escrow, t.stake].every((left) => left >= 0n)).to.equal(true);
        if (booked.stage === Stage.Closed) expect([t.escrow, t.stake]).to.deep.equal([0n, 0n]);
        const again = due(booked, money, tier, standing(booked, tier, at), feeBps);
        const { closes: _, ...amounts } = again;
        expect(Object.values(amounts).every((amount) => BigInt(amount) === 0n)).to.equal(true);
      }),
      { numRuns: runs(1_000) },
    );
  });

  it("moves the same in two steps as in one", () => {
    fc.assert(
      fc.property(ledgerCase, fc.nat(), (drawn, back) => {
        const { course, money, tier, at, feeBps } = drawn;
        if (course.stage !== Stage.Open || course.proven > 0) return;
        const fresh = { ...course, paid: 0, slashed: 0 };
        const to = (c: typeof fresh, block: number) => book(c, due(c, money, tier, standing(c, tier, block), feeBps));
        const direct = to(fresh, at);
        const between = to(fresh, at - (back % (at + 1)));
        const through = between.stage === Stage.Closed ? between : to(between, at);
        expect(totals(through, money, tier, feeBps)).to.deep.equal(totals(direct, money, tier, feeBps));
      }),
      { numRuns: runs(1_000) },
    );
  });

  it("rounds fee and bounty down", () => {
    expect([feeDown(199n, 100n), feeDown(99n, 100n), feeDown(10_000n, 0n)]).to.deep.equal([1n, 0n, 0n]);
    expect([bountyDown(39n), bountyDown(40n), bountyDown(19n)]).to.deep.equal([1n, 2n, 0n]);
  });

  it("lets the last miss of the allowance take what is left", () => {
    const tier = { period: 100, window: 10, challenges: 3, maxMisses: 3 };
    const drawn = fc.sample(ledgerCase, 1)[0] as LedgerCase;
    const course = { ...drawn.course, restored: 1 };
    const money = { ...drawn.money, collateral: 3_002n };
    const steps = [0, 1, 2, 3, 4].map((misses) => slashedFor(course, money, tier, misses));
    expect(steps.map(({ slashed }) => slashed)).to.deep.equal([0n, 1_000n, 2_000n, 3_000n, 4_002n]);
    expect(steps.map(({ bounty }) => bounty)).to.deep.equal([0n, 50n, 100n, 150n, 200n]);
  });
});
