import { ZeroHash } from "ethers";
import { closedAt, openAt, startedAt, type Tier } from "./schedule.js";

/** What a deal is at a block; the last three are for ever (PROTOCOL section 6). Numbers as in the contracts. */
export const Status = { None: 0, Open: 1, Ending: 2, Completed: 3, Defaulted: 4, Migrated: 5 } as const;
export type Status = (typeof Status)[keyof typeof Status];

/** What has been written of a deal's life; the rest is computed. Numbers as in the contracts. */
export const Stage = { None: 0, Cancelled: 1, Open: 2, Ending: 3, Closed: 4 } as const;
export type Stage = (typeof Stage)[keyof typeof Stage];

/** Parts of a whole that `feeBps` and {@link BOUNTY_BPS} count in. */
export const BPS = 10_000n;

/** The part of each slashed share that goes to whoever settles. */
export const BOUNTY_BPS = 500n;

/** The part of a deal that proofs and time move: counters of windows and misses, epochs; never amounts. */
export interface Course {
  readonly provider: string;
  readonly leafCount: bigint;
  /** e_1. */
  readonly firstEpoch: number;
  /** N, the windows this deal has. */
  readonly periods: number;
  /** Windows proven, the open one included. */
  readonly proven: number;
  /** The latest proven window, 0 before the first. */
  readonly lastProven: number;
  /** Shares bonded after the opening. */
  readonly restored: number;
  /** Misses for unanswered demands. */
  readonly demandMisses: number;
  /** Proven windows already paid for. */
  readonly paid: number;
  /** Misses already slashed. */
  readonly slashed: number;
  /** Row of the market's table. */
  readonly tier: number;
  readonly stage: Stage;
  /** The client did not sign. */
  readonly gift: boolean;
  /** The window before `lastProven` was proven too. */
  readonly provenBefore: boolean;
  /** It was amended, so it has a {@link Revision}. */
  readonly amended: boolean;
  /** Its owner moved it to another provider. */
  readonly migrated: boolean;
}

/** The part of a deal that prices it. Amounts in base units of `token`. */
export interface Money {
  readonly token: string;
  readonly maxPeriods: number;
  /** All periods ever paid in: at the opening and by extensions. */
  readonly fundedPeriods: number;
  readonly price: bigint;
  readonly collateral: bigint;
}

/**
 * The part of a deal that only amended deals have: the amendment that waits, and the books of the commitments that were
 * replaced (PROTOCOL section 6, `amend`). Amounts in base units; windows and counts are numbers.
 */
export interface Revision {
  /** Amendments accepted so far. */
  readonly nonce: number;
  /** k*: the first window under the amendment that waits; 0 where none does. */
  readonly from: number;
  /** Commitment and price that wait. */
  readonly root: string;
  readonly leafCount: bigint;
  readonly price: bigint;
  /** The last window of the commitments before the current one; 0 where there was none. */
  readonly since: number;
  /** How many windows up to `since` were missed. */
  readonly lapsed: number;
  /** Paid, kept as fee and refunded for windows up to `since`, and for windows that left the deal since it was amended. */
  readonly paid: bigint;
  readonly fee: bigint;
  readonly refunded: bigint;
}

/** Of a deal that was never amended. */
export const UNREVISED: Revision = {
  nonce: 0,
  from: 0,
  root: ZeroHash,
  leafCount: 0n,
  price: 0n,
  since: 0,
  lapsed: 0,
  paid: 0n,
  fee: 0n,
  refunded: 0n,
};

/** Where a deal stands at a block, all of it derived. */
export interface Standing {
  /** Windows closed. */
  readonly closed: number;
  /** The window open now, 0 where none is. */
  readonly open: number;
  /** Proven windows among the closed ones. */
  readonly provenClosed: number;
  /** Misses up to now, at most `allowance`. */
  readonly missed: number;
  /** maxMisses + restored. */
  readonly allowance: number;
  readonly status: Status;
}

/** What `settle` would move, in base units; `windows` and `misses` are counts. */
export interface Due {
  /** Windows newly paid for. */
  readonly windows: number;
  /** Misses newly slashed. */
  readonly misses: number;
  /** To the provider's payee. */
  readonly payment: bigint;
  /** To the treasury. */
  readonly fee: bigint;
  /** To the owner, out of the escrow. */
  readonly refund: bigint;
  /** To whom the settler names, out of the stake. */
  readonly bounty: bigint;
  /** To the owner, out of the stake. */
  readonly compensation: bigint;
  /** Back to the provider's free stake. */
  readonly returned: bigint;
  /** The deal ends with this. */
  readonly closes: boolean;
}

/**
 * Cumulative totals of a deal as booked, in base units: paid + fee + refunded + escrow = funded, and
 * bounty + compensation + returned + stake = bonded (PROTOCOL section 12, 2 and 3).
 */
export interface Totals {
  readonly funded: bigint;
  readonly paid: bigint;
  readonly fee: bigint;
  readonly refunded: bigint;
  readonly escrow: bigint;
  readonly bonded: bigint;
  readonly slashed: bigint;
  readonly bounty: bigint;
  readonly compensation: bigint;
  readonly returned: bigint;
  readonly stake: bigint;
}

const NOTHING: Due = {
  windows: 0,
  misses: 0,
  payment: 0n,
  fee: 0n,
  refund: 0n,
  bounty: 0n,
  compensation: 0n,
  returned: 0n,
  closes: false,
};

/**
 * Where a deal stands at block `at` (PROTOCOL sections 5 and 6).
 *
 * @param at - a block number; for a transaction sent now, one after the latest
 * @example
 * const { status, missed, allowance } = standing(course, tier, await provider.getBlockNumber());
 */
export function standing(course: Course, tier: Tier, at: number): Standing {
  const closed = closedAt(course.firstEpoch, tier, course.periods, at);
  const open = openAt(course.firstEpoch, tier, course.periods, at);
  const provenClosed = course.proven - (open !== 0 && course.lastProven === open ? 1 : 0);
  const allowance = tier.maxMisses + course.restored;
  const missed = Math.min(closed - provenClosed + course.demandMisses, allowance);
  return { closed, open, provenClosed, missed, allowance, status: statusOf(course, closed, missed === allowance) };
}

function statusOf(course: Course, closed: number, defaulted: boolean): Status {
  if (course.stage < Stage.Open) return Status.None;
  if (defaulted) return Status.Defaulted;
  if (closed === course.periods) return course.migrated ? Status.Migrated : Status.Completed;
  return course.stage === Stage.Ending ? Status.Ending : Status.Open;
}

/**
 * Whether the last closed window was proven, under the current commitment; with a live status, what `isProven` says of
 * the right piece.
 *
 * @param revision - of a deal that was amended
 * @example
 * lastClosedProven(course, standing(course, tier, block));
 */
export function lastClosedProven(course: Course, now: Standing, revision: Revision = UNREVISED): boolean {
  if (now.closed <= revision.since) return false;
  return course.lastProven === now.closed || (course.lastProven === now.closed + 1 && course.provenBefore);
}

/**
 * N after the owner ends the deal at block `at`: min(N, 1 + |{k : e_k < at}|), so the period in progress is still owed
 * (PROTOCOL section 12, 17).
 *
 * @param at - the block of the termination
 * @example
 * const refund = BigInt(course.periods - endedPeriods(course, tier, block)) * money.price;
 */
export function endedPeriods(course: Course, tier: Tier, at: number): number {
  return Math.min(course.periods, 1 + startedAt(course.firstEpoch, tier.period, at));
}

/**
 * What one miss costs and one restored miss bonds, in base units: ⌊collateral / maxMisses⌋ (PROTOCOL section 6).
 *
 * @example
 * share(money, tier) * 2n; // what restore(id, 2) locks
 */
export function share(money: Pick<Money, "collateral">, tier: Tier): bigint {
  return money.collateral / BigInt(tier.maxMisses);
}

/**
 * The fee within the price of one period, in base units, rounded down (PROTOCOL section 6).
 *
 * @param price - base units a period
 * @param feeBps - of the market, at most 100
 * @example
 * feeDown(199n, 100n); // 1n
 */
export function feeDown(price: bigint, feeBps: bigint): bigint {
  return (price * feeBps) / BPS;
}

/**
 * The bounty within one slashed share, 5 %, in base units, rounded down (PROTOCOL section 6).
 *
 * @example
 * bountyDown(39n); // 1n
 */
export function bountyDown(slashed: bigint): bigint {
  return (slashed * BOUNTY_BPS) / BPS;
}

/**
 * All stake ever bonded to a deal, in base units: collateral + restored · share.
 *
 * @example
 * bonded(course, money, tier) - totals(course, money, tier, feeBps).stake; // what has left
 */
export function bonded(course: Pick<Course, "restored">, money: Pick<Money, "collateral">, tier: Tier): bigint {
  return money.collateral + BigInt(course.restored) * share(money, tier);
}

/**
 * What `misses` misses cost in all, and the bounty within, in base units. Each costs a share; the last one of the
 * allowance takes what is left (PROTOCOL section 6).
 *
 * @param misses - 0 to the allowance
 * @example
 * slashedFor(course, money, tier, 1).slashed; // one share, unless it is the only miss allowed
 */
export function slashedFor(
  course: Pick<Course, "restored">,
  money: Pick<Money, "collateral">,
  tier: Tier,
  misses: number,
): { readonly slashed: bigint; readonly bounty: bigint } {
  const each = share(money, tier);
  const allowance = tier.maxMisses + course.restored;
  if (misses < allowance) return { slashed: BigInt(misses) * each, bounty: BigInt(misses) * bountyDown(each) };
  const before = BigInt(allowance - 1);
  const slashed = bonded(course, money, tier);
  return { slashed, bounty: before * bountyDown(each) + bountyDown(slashed - before * each) };
}

/**
 * What `settle` would move for a deal that stands at `now`; all zero once it is booked to its end.
 *
 * A default pays every proven window, also one still open. The refund at the end is all that is left of the escrow.
 *
 * @param now - from {@link standing}, for the block of the settlement
 * @param feeBps - of the market
 * @param revision - of a deal that was amended, and that is current: see `settled`
 * @example
 * const { bounty } = due(course, money, tier, standing(course, tier, block), 50n);
 */
export function due(
  course: Course,
  money: Money,
  tier: Tier,
  now: Standing,
  feeBps: bigint,
  revision: Revision = UNREVISED,
): Due {
  if (course.stage < Stage.Open || course.stage === Stage.Closed) return NOTHING;
  const closes = now.status >= Status.Completed;
  const payable = now.status === Status.Defaulted ? course.proven : now.provenClosed;
  const windows = payable - course.paid;
  const misses = now.missed - course.slashed;
  const fee = BigInt(windows) * feeDown(money.price, feeBps);
  const before = slashedFor(course, money, tier, course.slashed);
  const after = slashedFor(course, money, tier, now.missed);
  const bounty = after.bounty - before.bounty;
  return {
    windows,
    misses,
    payment: BigInt(windows) * money.price - fee,
    fee,
    refund: closes ? BigInt(course.periods - payable - revision.lapsed) * money.price : 0n,
    bounty,
    compensation: after.slashed - before.slashed - bounty,
    returned: closes ? bonded(course, money, tier) - after.slashed : 0n,
    closes,
  };
}

/**
 * The record after `moved` has been settled.
 *
 * @param moved - from {@link due}
 * @example
 * const after = book(course, due(course, money, tier, standing(course, tier, block), feeBps));
 */
export function book(course: Course, moved: Due): Course {
  return {
    ...course,
    paid: course.paid + moved.windows,
    slashed: course.slashed + moved.misses,
    stage: moved.closes ? Stage.Closed : course.stage,
  };
}

/**
 * The totals as booked. For those that a settlement now would leave, {@link book} first.
 *
 * @param feeBps - of the market
 * @param revision - of a deal that was amended
 * @example
 * const { paid, fee, refunded, escrow, funded } = totals(course, money, tier, 50n);
 * paid + fee + refunded + escrow === funded; // true, always
 */
export function totals(
  course: Course,
  money: Money,
  tier: Tier,
  feeBps: bigint,
  revision: Revision = UNREVISED,
): Totals {
  const { price, fundedPeriods } = money;
  const closed = course.stage === Stage.Closed;
  const last = revision.from === 0 ? course.periods : revision.from - 1;
  const windows = course.paid - (revision.since - revision.lapsed);
  const gross = BigInt(windows) * price;
  const kept = BigInt(windows) * feeDown(price, feeBps);
  const fee = revision.fee + kept;
  const paid = revision.paid + gross - kept;
  const refunded = revision.refunded + BigInt(fundedPeriods - (closed ? windows : last - revision.since)) * price;
  const behind = revision.paid + revision.fee + revision.refunded;
  const funded = behind + BigInt(fundedPeriods) * price + BigInt(course.periods - last) * revision.price;
  const bond = bonded(course, money, tier);
  const { slashed, bounty } = slashedFor(course, money, tier, course.slashed);
  const returned = closed ? bond - slashed : 0n;
  return {
    funded,
    paid,
    fee,
    refunded,
    escrow: funded - paid - fee - refunded,
    bonded: bond,
    slashed,
    bounty,
    compensation: slashed - bounty,
    returned,
    stake: bond - slashed - returned,
  };
}
