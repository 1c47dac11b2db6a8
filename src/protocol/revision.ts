import {
  book,
  type Course,
  type Due,
  due,
  endedPeriods,
  feeDown,
  type Money,
  type Revision,
  Stage,
  type Standing,
  Status,
  standing,
  type Totals,
  totals,
  UNREVISED,
} from "./ledger.js";
import { startedAt, type Tier } from "./schedule.js";

/** All that is stored of a deal, its owner aside. Root, leafCount and price are those of the current commitment. */
export interface DealRecord {
  readonly root: string;
  readonly course: Course;
  readonly money: Money;
  readonly revision: Revision;
}

/** A root with its leaves, and what a window under it costs in base units. */
export interface Commitment {
  readonly root: string;
  readonly leafCount: bigint;
  readonly price: bigint;
}

/** What the replacement of a commitment moves, in base units; `windows` is a count. All zero where nothing is replaced. */
export interface Moved {
  readonly windows: number;
  readonly payment: bigint;
  readonly fee: bigint;
  readonly refund: bigint;
}

/** A deal brought to a block: the record as it is then, and what that moves before `due` of the record. */
export interface Current {
  readonly record: DealRecord;
  readonly standing: Standing;
  readonly moved: Moved;
}

const NOTHING: Moved = { windows: 0, payment: 0n, fee: 0n, refund: 0n };

/**
 * k*: the first window that an amendment accepted at block `at` can apply to, the first with
 * e_k ≥ at + challengeFinality (PROTOCOL section 6). The deal must have that window.
 *
 * @param at - the block that the amendment would be in
 * @param finality - of the market, in epochs
 * @example
 * amendedFrom(course, tier, block, 150) <= course.periods; // whether it is in time
 */
export function amendedFrom(course: Course, tier: Tier, at: number, finality: number): number {
  return startedAt(course.firstEpoch, tier.period, at + finality) + 1;
}

/**
 * The commitment under which window k is or was proven, so far as the record still tells: undefined for windows of
 * commitments before the current one.
 *
 * @param k - window, from 1
 * @example
 * commitmentOf(current(record, tier, block, 50n).record, window)?.root;
 */
export function commitmentOf({ root, course, money, revision }: DealRecord, k: number): Commitment | undefined {
  if (revision.from !== 0 && k >= revision.from) {
    return { root: revision.root, leafCount: revision.leafCount, price: revision.price };
  }
  if (k <= revision.since) return undefined;
  return { root, leafCount: course.leafCount, price: money.price };
}

/**
 * Brings a deal to block `at`. An amendment that waits replaces commitment and price as soon as the last window before
 * it has closed; a deal that defaulted by then drops it. Both follow from the clock, whoever settles when.
 *
 * @param at - a block number; for a transaction sent now, one after the latest
 * @param feeBps - of the market
 * @example
 * const { record, standing } = current(stored, tier, block, 50n);
 * record.root; // of the commitment in force
 */
export function current(record: DealRecord, tier: Tier, at: number, feeBps: bigint): Current {
  const now = standing(record.course, tier, at);
  const { course, revision } = record;
  const live = course.stage === Stage.Open || course.stage === Stage.Ending;
  if (revision.from === 0 || !live) return { record, standing: now, moved: NOTHING };
  const old = standing({ ...course, periods: revision.from - 1 }, tier, at);
  if (old.status === Status.Defaulted) {
    const { record: dropped, refund } = drop(record);
    return { record: dropped, standing: old, moved: { ...NOTHING, refund } };
  }
  if (now.closed < revision.from - 1) return { record, standing: now, moved: NOTHING };
  return { ...turn(record, feeBps), standing: now };
}

/** The current commitment is booked whole, and the one that waits takes its place. */
function turn({ course, money, revision }: DealRecord, feeBps: bigint): { record: DealRecord; moved: Moved } {
  const last = revision.from - 1;
  const proven = course.proven - (revision.since - revision.lapsed);
  const each = feeDown(money.price, feeBps);
  const windows = course.proven - course.paid;
  const refund = BigInt(money.fundedPeriods - proven) * money.price;
  const record: DealRecord = {
    root: revision.root,
    course: { ...course, leafCount: revision.leafCount, paid: course.proven },
    money: { ...money, price: revision.price, fundedPeriods: course.periods - last },
    revision: {
      ...UNREVISED,
      nonce: revision.nonce,
      since: last,
      lapsed: last - course.proven,
      paid: revision.paid + BigInt(proven) * (money.price - each),
      fee: revision.fee + BigInt(proven) * each,
      refunded: revision.refunded + refund,
    },
  };
  const fee = BigInt(windows) * each;
  return { record, moved: { windows, payment: BigInt(windows) * money.price - fee, fee, refund } };
}

/** The commitment that waits never comes: its windows leave the deal. */
function drop(record: DealRecord): { record: DealRecord; refund: bigint } {
  const { course, revision } = record;
  const last = revision.from - 1;
  const refund = BigInt(course.periods - last) * revision.price;
  const { since, lapsed, paid, fee, refunded, nonce } = revision;
  return {
    record: {
      ...record,
      course: { ...course, periods: last },
      revision: { ...UNREVISED, nonce, since, lapsed, paid, fee, refunded: refunded + refund },
    },
    refund,
  };
}

/**
 * What a settlement at block `at` moves, the replacement of a commitment included, and the record after it.
 *
 * @param at - the block of the settlement
 * @param feeBps - of the market
 * @example
 * const { record, due } = settled(stored, tier, block, 50n);
 * totalsOf(record, tier, 50n); // what the lens calls `totalsNow`
 */
export function settled(
  stored: DealRecord,
  tier: Tier,
  at: number,
  feeBps: bigint,
): { readonly record: DealRecord; readonly due: Due } {
  const { record, standing: now, moved } = current(stored, tier, at, feeBps);
  const rest = due(record.course, record.money, tier, now, feeBps, record.revision);
  return {
    record: { ...record, course: book(record.course, rest) },
    due: {
      ...rest,
      windows: rest.windows + moved.windows,
      payment: rest.payment + moved.payment,
      fee: rest.fee + moved.fee,
      refund: rest.refund + moved.refund,
    },
  };
}

/**
 * The totals as booked, of a deal amended or not. For those that a settlement now would leave, `settled` first.
 *
 * @param feeBps - of the market
 * @example
 * const { paid, fee, refunded, escrow, funded } = totalsOf(record, tier, 50n);
 * paid + fee + refunded + escrow === funded; // true, always
 */
export function totalsOf({ course, money, revision }: DealRecord, tier: Tier, feeBps: bigint): Totals {
  return totals(course, money, tier, feeBps, revision);
}

/** A change of a deal: the record after it, what it takes into escrow and what it gives back, in base units. */
export interface Change {
  readonly record: DealRecord;
  readonly cost: bigint;
  readonly refund: bigint;
}

/**
 * An amendment accepted by both parties: windows from `from` on move to the new price. What that adds is held from the
 * owner at once, what it saves goes back.
 *
 * @param record - open, settled for the block of the amendment, and none waiting
 * @param from - from {@link amendedFrom}, at most `periods`
 * @example
 * const { cost, refund } = amended(record, amendedFrom(course, tier, block, finality), { root, leafCount, price });
 */
export function amended(record: DealRecord, from: number, next: Commitment): Change {
  const { course, money, revision } = record;
  const moving = course.periods - (from - 1);
  const change = BigInt(moving) * (next.price - money.price);
  const [cost, refund] = change > 0n ? [change, 0n] : [0n, -change];
  const { root, leafCount, price } = next;
  return {
    record: {
      ...record,
      course: { ...course, amended: true },
      money: { ...money, fundedPeriods: money.fundedPeriods - moving },
      revision: {
        ...revision,
        nonce: revision.nonce + 1,
        from,
        root,
        leafCount,
        price,
        refunded: revision.refunded + refund,
      },
    },
    cost,
    refund,
  };
}

/**
 * Windows added at the end, each at the price of the commitment that they will be under.
 *
 * @param record - settled for the block of the extension
 * @example
 * extended(record, 4).cost; // what `extend` takes
 */
export function extended(record: DealRecord, periods: number): Change {
  const { course, money, revision } = record;
  const waiting = revision.from !== 0;
  const after = { ...course, periods: course.periods + periods };
  const funded = waiting ? money : { ...money, fundedPeriods: money.fundedPeriods + periods };
  const price = waiting ? revision.price : money.price;
  return { record: { ...record, course: after, money: funded }, cost: BigInt(periods) * price, refund: 0n };
}

/**
 * The deal ended by its owner in block `at`: the period in progress is still owed, an amendment that lies beyond it is
 * dropped, and the rest is refunded (PROTOCOL section 6, `terminate`).
 *
 * @param record - settled for that block
 * @example
 * terminated(record, tier, block).refund;
 */
export function terminated(record: DealRecord, tier: Tier, at: number): Change {
  const periods = endedPeriods(record.course, tier, at);
  const beyond = record.revision.from > periods;
  const { record: left, refund: dropped } = beyond ? drop(record) : { record, refund: 0n };
  const { course, money, revision } = left;
  const waiting = revision.from !== 0;
  const refund = BigInt(course.periods - periods) * (waiting ? revision.price : money.price);
  return {
    record: {
      ...left,
      course: { ...course, periods, stage: Stage.Ending },
      revision: waiting ? { ...revision, refunded: revision.refunded + refund } : revision,
    },
    cost: 0n,
    refund: dropped + refund,
  };
}
