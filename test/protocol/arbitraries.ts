import { getAddress, toBeHex } from "ethers";
import fc from "fast-check";
import {
  type Course,
  closedAt,
  type DealTerms,
  type Money,
  openAt,
  type Revision,
  Stage,
  startedAt,
  type Tier,
  UNREVISED,
  windowOf,
} from "../../src/protocol/index.js";

export const hex = (bytes: number): fc.Arbitrary<string> =>
  fc.bigInt({ min: 0n, max: (1n << BigInt(8 * bytes)) - 1n }).map((value) => toBeHex(value, bytes));
export const address: fc.Arbitrary<string> = hex(20).map((value) => getAddress(value));
const nat = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max });

/** Tiers as the market's construction allows them, small ones more often. */
export const tier: fc.Arbitrary<Tier> = fc
  .record({
    period: fc.oneof(fc.integer({ min: 16, max: 40 }), fc.integer({ min: 16, max: 2 ** 20 })),
    part: fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 0, max: 1, noNaN: true })),
    challenges: fc.integer({ min: 1, max: 255 }),
    maxMisses: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 2 ** 24 - 1 })),
  })
  .map(({ period, part, ...rest }) => ({ period, window: 1 + Math.floor((period - 2) * part), ...rest }));

/** Blocks around a schedule: before it, at the edges of one of its windows, anywhere, after it. */
export function blockNear(first: number, t: Tier, periods: number): fc.Arbitrary<number> {
  const edge = fc.tuple(nat(periods + 1), nat(5)).map(([k, place]) => {
    const { epoch, lastBlock } = windowOf(first, t, Math.max(k, 1));
    return [epoch - 1, epoch, epoch + 1, lastBlock, lastBlock + 1, lastBlock + 2][place] as number;
  });
  return fc.oneof(edge, fc.integer({ min: 0, max: first + (periods + 2) * t.period }));
}

export interface LedgerCase {
  readonly course: Course;
  readonly money: Money;
  readonly revision: Revision;
  readonly tier: Tier;
  readonly at: number;
  readonly feeBps: bigint;
  readonly misses: number;
}

const periodsOf = (t: Tier): fc.Arbitrary<{ periods: number; maxPeriods: number; fundedPeriods: number }> =>
  fc.record({ periods: fc.oneof(nat(12), nat(2 ** 24 - 1)), extra: nat(9), room: nat(9) }).map((draw) => {
    const periods = Math.max(1, Math.min(draw.periods, 2 ** 24 - 18));
    const fundedPeriods = Math.max(t.maxMisses, periods + draw.extra);
    return { periods, fundedPeriods, maxPeriods: fundedPeriods + draw.room };
  });

/** Records that a deal's life can lead to, each with a block at which to look at it. */
export const ledgerCase: fc.Arbitrary<LedgerCase> = tier
  .chain((t) =>
    fc.record({ tier: fc.constant(t), firstEpoch: fc.integer({ min: 1, max: 2 ** 40 }), counts: periodsOf(t) }),
  )
  .chain(({ tier: t, firstEpoch, counts }) =>
    fc.record({
      tier: fc.constant(t),
      firstEpoch: fc.constant(firstEpoch),
      counts: fc.constant(counts),
      at: blockNear(firstEpoch, t, counts.periods),
      part: fc.tuple(
        ...Array.from({ length: 4 }, () => fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 0, max: 1, noNaN: true }))),
      ),
      restored: fc.oneof(fc.constant(0), nat(4)),
      demandMisses: fc.oneof(fc.constant(0), nat(2)),
      stage: fc.constantFrom(...Object.values(Stage)),
      flags: fc.tuple(fc.boolean(), fc.boolean(), fc.boolean(), fc.boolean()),
      parties: fc.tuple(address, address),
      leafCount: fc.bigInt({ min: 1n, max: 1n << 40n }),
      price: fc.oneof(fc.bigInt({ min: 0n, max: 1_000n }), fc.bigInt({ min: 0n, max: (1n << 103n) - 1n })),
      collateral: fc.oneof(fc.bigInt({ min: 0n, max: 5_000n }), fc.bigInt({ min: 0n, max: (1n << 103n) - 1n })),
      feeBps: fc.bigInt({ min: 0n, max: 100n }),
    }),
  )
  .map((draw) => reachable(draw));

interface Draw {
  readonly tier: Tier;
  readonly firstEpoch: number;
  readonly counts: { periods: number; maxPeriods: number; fundedPeriods: number };
  readonly at: number;
  readonly part: readonly number[];
  readonly restored: number;
  readonly demandMisses: number;
  readonly stage: Stage;
  readonly flags: readonly boolean[];
  readonly parties: readonly string[];
  readonly leafCount: bigint;
  readonly price: bigint;
  readonly collateral: bigint;
  readonly feeBps: bigint;
}

/** Turns parts of a whole into counters that fit each other. */
function reachable(draw: Draw): LedgerCase {
  const { tier: t, firstEpoch, counts, at, part, restored, demandMisses } = draw;
  const started = Math.min(startedAt(firstEpoch, t.period, at), counts.periods);
  const closed = closedAt(firstEpoch, t, counts.periods, at);
  const of = (whole: number, i: number): number => Math.round(whole * (part[i] as number));
  const openProven = openAt(firstEpoch, t, counts.periods, at) !== 0 && draw.flags[0] === true;
  const provenClosed = of(closed, 0);
  const proven = provenClosed + (openProven ? 1 : 0);
  const lastProven = openProven ? started : provenClosed === 0 ? 0 : Math.max(provenClosed, of(closed, 1));
  const allowance = t.maxMisses + restored;
  const missed = Math.min(closed - provenClosed + demandMisses, allowance);
  return {
    course: {
      provider: draw.parties[0] as string,
      leafCount: draw.leafCount,
      firstEpoch,
      periods: counts.periods,
      proven,
      lastProven,
      restored,
      demandMisses,
      paid: of(provenClosed, 2),
      slashed: of(missed, 3),
      tier: 3,
      stage: draw.stage,
      gift: draw.flags[1] as boolean,
      provenBefore: draw.flags[2] as boolean,
      amended: false,
      migrated: draw.flags[3] as boolean,
    },
    money: {
      token: draw.parties[1] as string,
      maxPeriods: counts.maxPeriods,
      fundedPeriods: counts.fundedPeriods,
      price: draw.price,
      collateral: draw.collateral,
    },
    revision: UNREVISED,
    tier: t,
    at,
    feeBps: draw.feeBps,
    misses: of(allowance, 1),
  };
}

/** Terms of any values that fit their types. */
export const anyTerms: fc.Arbitrary<DealTerms> = fc.record({
  client: address,
  provider: address,
  root: hex(32),
  leafCount: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  tier: nat(255),
  periods: nat(2 ** 32 - 1),
  maxPeriods: nat(2 ** 32 - 1),
  token: address,
  pricePerPeriod: fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }),
  collateral: fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }),
  egressPricePerGiB: fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }),
  validUntil: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  salt: hex(32),
});
