import { expect } from "chai";
import { toBeHex, ZeroAddress } from "ethers";
import fc from "fast-check";
import {
  amended,
  amendedFrom,
  type Course,
  commitmentOf,
  current,
  type DealRecord,
  extended,
  feeDown,
  lastClosedProven,
  type Money,
  openAt,
  Stage,
  Status,
  settled,
  standing,
  type Totals,
  terminated,
  totals,
  totalsOf,
  UNREVISED,
} from "../../src/protocol/index.js";
import { runs, seed } from "../support/effort.js";
import { revisionHarness, struct, wide } from "./harness.js";

const FIRST = 1_000;
const FEE_BPS = 100n;
const SEED = 20_261_128;
const TIERS = [
  { period: 20, window: 6, challenges: 1, maxMisses: 3 },
  { period: 16, window: 15, challenges: 1, maxMisses: 1 },
  { period: 18, window: 1, challenges: 1, maxMisses: 6 },
] as const;
type Tier = (typeof TIERS)[number];

/** A deal as a list of windows, each with its own price and root: nothing of it is derived by formula. */
class Deal {
  readonly tier: Tier;
  readonly finality: number;
  windows: { epoch: number; last: number; price: bigint; root: string; proven: boolean }[] = [];
  /** The last windows under commitments that were replaced, or wait to be. */
  ends: number[] = [];
  funded = 0n;
  /** Given back by amendments and endings. */
  back = 0n;
  restored = 0;
  ending = false;

  constructor(tier: Tier, finality: number, periods: number, price: bigint) {
    this.tier = tier;
    this.finality = finality;
    for (let i = 0; i < periods; i++) this.add(price, toBeHex(0, 32));
  }

  add(price: bigint, root: string): void {
    const epoch = FIRST + this.windows.length * this.tier.period;
    this.windows.push({ epoch, last: epoch + this.tier.window, price, root, proven: false });
    this.funded += price;
  }

  /** Misses up to `at`, and how many windows had closed when they were counted: none counts after a default. */
  #judged(at: number): { defaulted: boolean; closed: number } {
    let missed = 0;
    let closed = 0;
    for (const { last, proven } of this.windows) {
      if (last >= at) break;
      closed++;
      if (!proven) missed++;
      if (missed === this.tier.maxMisses + this.restored) return { defaulted: true, closed };
    }
    return { defaulted: false, closed };
  }

  status(at: number): Status {
    const { defaulted, closed } = this.#judged(at);
    if (defaulted) return Status.Defaulted;
    if (closed === this.windows.length) return Status.Completed;
    return this.ending ? Status.Ending : Status.Open;
  }

  waiting(at: number): boolean {
    return (this.ends.at(-1) ?? 0) > this.#judged(at).closed;
  }

  open(at: number) {
    return this.windows.find(({ epoch, last }) => epoch < at && at <= last);
  }

  /** What a settlement at `at` leaves. */
  totals(at: number): Pick<Totals, "funded" | "paid" | "fee" | "refunded" | "escrow"> {
    const { defaulted, closed } = this.#judged(at);
    const over = defaulted || closed === this.windows.length;
    const replaced = Math.max(0, ...this.ends.filter((end) => end <= closed));
    let [paid, fee, refunded] = [0n, 0n, this.back];
    for (const [i, { price, proven }] of this.windows.entries()) {
      const pays = proven && (i < closed || defaulted);
      if (pays) fee += feeDown(price, FEE_BPS);
      if (pays) paid += price - feeDown(price, FEE_BPS);
      if (!pays && (over || i < replaced)) refunded += price;
    }
    return { funded: this.funded, paid, fee, refunded, escrow: this.funded - paid - fee - refunded };
  }

  /** @returns what the owner pays, below zero what comes back; undefined where it can't be amended */
  amend(at: number, price: bigint, root: string): bigint | undefined {
    if (this.status(at) !== Status.Open || this.waiting(at)) return undefined;
    const from = this.windows.findIndex(({ epoch }) => epoch >= at + this.finality);
    if (from === -1) return undefined;
    let cost = 0n;
    for (const window of this.windows.slice(from)) {
      cost += price - window.price;
      window.price = price;
      window.root = root;
    }
    if (cost > 0n) this.funded += cost;
    else this.back -= cost;
    this.ends.push(from);
    return cost;
  }

  terminate(at: number): bigint | undefined {
    if (this.status(at) !== Status.Open) return undefined;
    const gone = this.windows.splice(this.windows.filter(({ epoch }) => epoch < at).length + 1);
    const refund = gone.reduce((sum, { price }) => sum + price, 0n);
    this.back += refund;
    this.ending = true;
    this.ends = this.ends.filter((end) => end < this.windows.length);
    return refund;
  }
}

const start = (tier: Tier, periods: number, price: bigint): DealRecord => {
  const course: Course = {
    provider: ZeroAddress,
    leafCount: 1n,
    firstEpoch: FIRST,
    periods,
    proven: 0,
    lastProven: 0,
    restored: 0,
    demandMisses: 0,
    paid: 0,
    slashed: 0,
    tier: 0,
    stage: Stage.Open,
    gift: false,
    provenBefore: false,
    amended: false,
    migrated: false,
  };
  const collateral = BigInt(tier.maxMisses) * 7n + 1n;
  const money: Money = { token: ZeroAddress, maxPeriods: 60, fundedPeriods: periods, price, collateral };
  return { root: toBeHex(0, 32), course, money, revision: UNREVISED };
};

/** A proof: it books the replacement of a commitment where one is due, and nothing else. */
function prove(stored: DealRecord, tier: Tier, at: number): DealRecord {
  const { record } = current(stored, tier, at, FEE_BPS);
  const { course } = record;
  const window = openAt(course.firstEpoch, tier, course.periods, at);
  const provenBefore = course.lastProven + 1 === window;
  return { ...record, course: { ...course, proven: course.proven + 1, lastProven: window, provenBefore } };
}

interface Step {
  readonly kind: "pass" | "prove" | "settle" | "amend" | "extend" | "terminate" | "restore";
  readonly x: number;
  readonly price: bigint;
}

const step = (amends: boolean): fc.Arbitrary<Step> =>
  fc.record({
    kind: fc.oneof(
      { weight: 6, arbitrary: fc.constant("pass" as const) },
      { weight: 12, arbitrary: fc.constant("prove" as const) },
      { weight: 4, arbitrary: fc.constant("settle" as const) },
      { weight: amends ? 5 : 0, arbitrary: fc.constant("amend" as const) },
      { weight: 2, arbitrary: fc.constant("extend" as const) },
      { weight: 2, arbitrary: fc.constant("terminate" as const) },
      { weight: 2, arbitrary: fc.constant("restore" as const) },
    ),
    x: fc.nat(999),
    price: fc.oneof(fc.bigInt({ min: 0n, max: 999n }), fc.bigInt({ min: 0n, max: 1n << 100n })),
  });

const life = (amends: boolean) =>
  fc.record({
    tier: fc.constantFrom(...TIERS),
    // Often long: an amendment then waits for the window after the next, and a deal can be ended before it.
    finality: fc.oneof(fc.integer({ min: 1, max: 15 }), fc.integer({ min: 12, max: 15 })),
    periods: fc.integer({ min: 6, max: 12 }),
    price: fc.bigInt({ min: 0n, max: 999n }),
    steps: fc.array(step(amends), { minLength: 1, maxLength: 50, size: "max" }),
  });

/** Two records of one deal, one settled at random and the other only where it is changed, beside the list of windows. */
class Twins {
  readonly deal: Deal;
  eager: DealRecord;
  lazy: DealRecord;
  at = FIRST - 30;
  readonly seen: Map<string, number>;

  constructor(deal: Deal, price: bigint, seen: Map<string, number>) {
    this.deal = deal;
    this.eager = start(deal.tier, deal.windows.length, price);
    this.lazy = this.eager;
    this.seen = seen;
  }

  each(change: (record: DealRecord) => DealRecord): void {
    this.eager = change(this.eager);
    this.lazy = change(this.lazy);
  }

  settledThen(change: (record: DealRecord) => DealRecord): void {
    this.each((stored) => change(settled(stored, this.deal.tier, this.at, FEE_BPS).record));
  }

  count(what: string): void {
    this.seen.set(what, (this.seen.get(what) ?? 0) + 1);
  }

  play({ kind, x, price }: Step): void {
    const { deal } = this;
    // Mostly to the next edge of a window, some of the time anywhere.
    if (kind === "pass") this.at += x % 5 === 0 ? 1 + (x % 41) : 1;
    const next = deal.windows.find(({ last, proven }) => last >= this.at && !proven);
    if (kind === "prove" && next && x % 7 > 0) this.at = Math.max(this.at, next.epoch + 1 + (x % deal.tier.window));
    const status = deal.status(this.at);
    if (kind === "prove") this.prove();
    if (kind === "settle") this.eager = settled(this.eager, deal.tier, this.at, FEE_BPS).record;
    if (kind === "amend") this.amend(price, toBeHex(x + 1, 32));
    if (kind === "extend" && status === Status.Open && this.at < deal.windows.at(-1)!.epoch) this.extend(1 + (x % 3));
    if (kind === "terminate") this.terminate();
    if (kind === "restore" && (status === Status.Open || status === Status.Ending)) {
      deal.restored++;
      this.settledThen((record) => ({ ...record, course: { ...record.course, restored: record.course.restored + 1 } }));
    }
  }

  prove(): void {
    const window = this.deal.open(this.at);
    if (!window || window.proven || this.deal.status(this.at) === Status.Defaulted) return;
    window.proven = true;
    this.each((record) => prove(record, this.deal.tier, this.at));
  }

  amend(price: bigint, root: string): void {
    const { deal, at } = this;
    const { record } = current(this.eager, deal.tier, at, FEE_BPS);
    const from = amendedFrom(record.course, deal.tier, at, deal.finality);
    const possible = deal.status(at) === Status.Open && record.revision.from === 0 && from <= record.course.periods;
    const cost = deal.amend(at, price, root);
    expect(possible, "whether it can be amended").to.equal(cost !== undefined);
    if (cost === undefined) return;
    this.count(cost > 0n ? "dearer" : "cheaper");
    this.settledThen((settledRecord) => {
      const change = amended(settledRecord, from, { root, leafCount: 1n, price });
      expect(change.cost - change.refund).to.equal(cost);
      return change.record;
    });
  }

  extend(periods: number): void {
    const { price, root } = this.deal.windows.at(-1)!;
    if (this.deal.waiting(this.at)) this.count("extended while one waits");
    for (let i = 0; i < periods; i++) this.deal.add(price, root);
    this.settledThen((record) => {
      const change = extended(record, periods);
      expect(change.cost).to.equal(BigInt(periods) * price);
      return change.record;
    });
  }

  terminate(): void {
    const waits = this.deal.waiting(this.at);
    const refund = this.deal.terminate(this.at);
    if (refund === undefined) return;
    if (waits) this.count(this.deal.waiting(this.at) ? "ended beyond the amendment" : "ended before the amendment");
    this.settledThen((record) => {
      const change = terminated(record, this.deal.tier, this.at);
      expect(change.refund).to.equal(refund);
      return change.record;
    });
  }

  compare(): void {
    const { deal, at } = this;
    const records = [this.eager, this.lazy].map((record) => settled(record, deal.tier, at, FEE_BPS));
    const [mirror, twin] = records.map(({ record }) => totalsOf(record, deal.tier, FEE_BPS)) as [Totals, Totals];
    expect(twin).to.deep.equal(mirror);
    expect(mirror).to.deep.include(deal.totals(at));
    for (const stored of [this.eager, this.lazy]) {
      const { paid, fee, refunded, escrow, funded, ...booked } = totalsOf(stored, deal.tier, FEE_BPS);
      expect(paid + fee + refunded + escrow).to.equal(funded);
      expect(booked.bounty + booked.compensation + booked.returned + booked.stake).to.equal(booked.bonded);
      expect(escrow >= 0n && booked.stake >= 0n && refunded >= 0n).to.equal(true);
      this.#compareDue(stored, mirror);
      this.#compareView(stored);
    }
  }

  /** What is due takes the books from as they are to as they would be settled. */
  #compareDue(stored: DealRecord, after: Totals): void {
    const { tier } = this.deal;
    const before = totalsOf(stored, tier, FEE_BPS);
    const { due } = settled(stored, tier, this.at, FEE_BPS);
    expect([before.paid + due.payment, before.fee + due.fee, before.refunded + due.refund]).to.deep.equal([
      after.paid,
      after.fee,
      after.refunded,
    ]);
    expect(after.escrow).to.equal(before.escrow - due.payment - due.fee - due.refund);
  }

  #compareView(stored: DealRecord): void {
    const { deal, at } = this;
    const { record, standing: now } = current(stored, deal.tier, at, FEE_BPS);
    expect(now).to.deep.equal(standing(record.course, deal.tier, at));
    expect(now.status).to.equal(deal.status(at));
    if (now.status === Status.Defaulted) return;
    const window = deal.windows[Math.min(now.closed, deal.windows.length - 1)]!;
    expect(record.root, "commitment in force").to.equal(window.root);
    for (let k = record.revision.since + 1; k <= deal.windows.length; k++) {
      const { root, price } = deal.windows[k - 1]!;
      expect(commitmentOf(record, k)).to.deep.equal({ root, leafCount: 1n, price });
    }
    const last =
      now.closed > (deal.ends.filter((end) => end <= now.closed).at(-1) ?? 0) && deal.windows[now.closed - 1];
    expect(lastClosedProven(record.course, now, record.revision)).to.equal(last ? last.proven : false);
  }
}

describe("protocol: revisions", () => {
  it("come to the totals of the list of windows, whoever settles when", () => {
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(life(true), ({ tier, finality, periods, price, steps }) => {
        const deal = new Deal(tier, finality, periods, price);
        const twins = new Twins(deal, price, seen);
        for (const drawn of steps) {
          twins.play(drawn);
          twins.compare();
        }
        twins.at = FIRST + 100 * tier.period;
        twins.compare();
        const { escrow, stake } = totalsOf(settled(twins.lazy, tier, twins.at, FEE_BPS).record, tier, FEE_BPS);
        expect([escrow, stake]).to.deep.equal([0n, 0n]);
        twins.count(deal.status(twins.at) === Status.Defaulted ? "defaulted" : "completed");
        if (deal.ends.length > 1) twins.count("amended twice");
      }),
      { numRuns: runs(500), seed: seed(SEED) },
    );
    const kinds = ["dearer", "cheaper", "extended while one waits", "ended beyond the amendment"];
    for (const kind of [...kinds, "ended before the amendment", "defaulted", "completed", "amended twice"]) {
      expect(seen.get(kind) ?? 0, kind).to.be.greaterThan(5);
    }
  });

  it("agree with the contracts on every record of such a life", async () => {
    const harness = await revisionHarness();
    const seen = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(life(true), async ({ tier, finality, periods, price, steps }) => {
        const twins = new Twins(new Deal(tier, finality, periods, price), price, seen);
        const cases = steps.flatMap((drawn) => {
          twins.play(drawn);
          return [twins.eager, twins.lazy].map((stored) => ({ stored, tier, at: twins.at, feeBps: FEE_BPS }));
        });
        const answers = (await harness.settlements(cases)).map(struct);
        const mirrored = cases.map(({ stored, at }) => {
          const { record, due } = settled(stored, tier, at, FEE_BPS);
          const now = current(stored, tier, at, FEE_BPS);
          if (now.record !== stored) twins.count(now.record.revision.since > stored.revision.since ? "turn" : "drop");
          return {
            settled: record,
            standing: now.standing,
            due,
            before: totalsOf(stored, tier, FEE_BPS),
            totals: totalsOf(record, tier, FEE_BPS),
            firstAt: amendedFrom(record.course, tier, at, 0),
          };
        });
        expect(mirrored.map(wide)).to.deep.equal(answers);
      }),
      { numRuns: runs(12), seed: seed(SEED) },
    );
    for (const step of ["turn", "drop"]) expect(seen.get(step) ?? 0, step).to.be.greaterThan(0);
  });

  it("leave a deal that is never amended with the totals that it has without them", () => {
    fc.assert(
      fc.property(life(false), ({ tier, finality, periods, price, steps }) => {
        const twins = new Twins(new Deal(tier, finality, periods, price), price, new Map());
        for (const drawn of steps) {
          twins.play(drawn);
          const { course, money, revision } = settled(twins.eager, tier, twins.at, FEE_BPS).record;
          expect(revision).to.deep.equal(UNREVISED);
          expect(totals(course, money, tier, FEE_BPS)).to.deep.include(twins.deal.totals(twins.at));
        }
      }),
      { numRuns: runs(300) },
    );
  });

  it("take the first window that is challengeFinality away", () => {
    const { course } = start(TIERS[0], 6, 1n);
    expect([980, 998, 999, 1_018, 1_019].map((at) => amendedFrom(course, TIERS[0], at, 2))).to.deep.equal([
      1, 1, 2, 2, 3,
    ]);
  });

  it("are in force from the block after the last window of the old commitment, or at once before the first", () => {
    const next = { root: toBeHex(9, 32), leafCount: 5n, price: 4n };
    const before = amended(start(TIERS[0], 6, 10n), 1, next);
    expect([before.cost, before.refund]).to.deep.equal([0n, 36n]);
    expect(current(before.record, TIERS[0], 970, FEE_BPS).record.root).to.equal(next.root);
    const later = amended(start(TIERS[0], 6, 10n), 3, { ...next, price: 11n }).record;
    expect(current(later, TIERS[0], 1_026, FEE_BPS).record.root).to.equal(toBeHex(0, 32));
    // Two misses: none is paid, both come back when the commitment goes.
    const { record, moved } = current(later, TIERS[0], 1_027, FEE_BPS);
    expect(record.root).to.equal(next.root);
    expect(record.course.leafCount).to.equal(5n);
    expect(moved).to.deep.equal({ windows: 0, payment: 0n, fee: 0n, refund: 20n });
    expect(commitmentOf(record, 2)).to.equal(undefined);
    expect(commitmentOf(record, 3)).to.deep.equal({ ...next, price: 11n });
  });

  it("never come into force where the deal has defaulted by then, however late one looks", () => {
    const tier = { ...TIERS[0], maxMisses: 2 };
    const next = { root: toBeHex(9, 32), leafCount: 5n, price: 12n };
    const { record } = amended(start(TIERS[0], 6, 10n), 3, next);
    for (const at of [1_027, 1_060, 2_000]) {
      const seen = current(record, tier, at, FEE_BPS);
      expect([seen.record.root, seen.record.course.periods]).to.deep.equal([toBeHex(0, 32), 2]);
      expect(seen.standing.status).to.equal(Status.Defaulted);
      expect(seen.moved.refund).to.equal(48n);
      expect(settled(record, tier, at, FEE_BPS).due.refund).to.equal(68n);
    }
  });
});
