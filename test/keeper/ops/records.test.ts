import { expect } from "chai";
import type { Deal } from "../../../src/keeper/index.js";
import { DutyRecord } from "../../../src/keeper/ops/duty-record.js";
import { LookRecord } from "../../../src/keeper/ops/look-record.js";
import { Status } from "../../../src/protocol/index.js";

const TIER = { period: 100, window: 10, challenges: 2, maxMisses: 4 };

/** Windows of deal 1 end at 1,010, 1,110, 1,210. */
function dealOf(lastProven: number, changes: Partial<Deal> = {}): Deal {
  const deal = {
    id: 1n,
    firstEpoch: 1_000,
    periods: 3,
    tier: 0,
    lastProven,
    demandMisses: 0,
    standing: { status: Status.Open },
  };
  return { ...deal, ...changes } as Deal;
}

/** Of four misses that it may have. */
function ended(status: Status, standing: Partial<Deal["standing"]>, changes: Partial<Deal>): Deal {
  return dealOf(0, { ...changes, standing: { allowance: 4, status, ...standing } as Deal["standing"] });
}

describe("DutyRecord", () => {
  let record: DutyRecord;
  const windows = (head: number) => record.missed(head).map(({ window }) => window);
  const read = (head: number, deals: Deal[], absent: bigint[] = []) => record.read({ head, deals, absent });

  beforeEach(() => {
    record = new DutyRecord([TIER]);
  });

  it("knows a miss by what was read, whoever was told of it", () => {
    read(1_009, [dealOf(0)]);
    expect(windows(1_009)).to.deep.equal([]);
    // The last block has no proof of it: there will be none.
    read(1_010, [dealOf(0)]);
    expect(windows(1_010)).to.deep.equal([1]);
    read(1_105, [dealOf(2)]);
    expect(windows(1_105)).to.deep.equal([]);
  });

  it("goes on counting windows of deals that nobody reads any more", () => {
    read(1_005, [dealOf(1)]);
    expect(windows(1_117)).to.deep.equal([]);
    expect(windows(1_118)).to.deep.equal([2]);
    record.proven({ id: 1n, window: 1 });
    expect(windows(1_118)).to.deep.equal([2]);
    record.proven({ id: 1n, window: 2 });
    expect(windows(1_118)).to.deep.equal([]);
    expect(windows(9_999), "the last one").to.deep.equal([3]);
  });

  it("tells of the last window of a deal that has ended until the next one would be over", () => {
    for (const [closed, lastProven] of [
      [3, 2],
      [1, 0],
    ] as const) {
      const at = 1_011 + 100 * (closed - 1);
      // The read that shows the miss first shows the end as well; another one as late as it may be changes nothing.
      for (const head of [at, at + 98]) {
        read(head, [ended(Status.Completed, { closed, provenClosed: lastProven }, { lastProven, periods: closed })]);
        expect(windows(head)).to.deep.equal([closed]);
        expect(windows(at + 98)).to.deep.equal([closed]);
        expect(windows(at + 99)).to.deep.equal([]);
      }
    }
    read(9_999, [ended(Status.Completed, { closed: 3, provenClosed: 2 }, { lastProven: 2 })]);
    expect(windows(9_999), "long ago").to.deep.equal([]);
  });

  it("tells of the window that a deal defaulted with, and of none after it", () => {
    const defaulted = (closed: number) =>
      ended(Status.Defaulted, { closed, provenClosed: 3, missed: 4 }, { lastProven: 3, periods: 30 });
    read(1_611, [defaulted(7)]);
    expect(windows(1_611)).to.deep.equal([7]);
    read(1_705, [defaulted(7)]);
    expect(windows(1_709)).to.deep.equal([7]);
    read(1_711, [defaulted(8)]);
    expect(windows(1_711)).to.deep.equal([]);
  });

  it("has nothing to tell of an end that all windows were proven up to, whoever brought it about", () => {
    for (const status of [Status.Completed, Status.Migrated]) {
      // Cut to two windows by its owner.
      const at = { closed: 2, provenClosed: 2 };
      read(1_111, [ended(status, at, { lastProven: 2, periods: 2 })]);
      expect(windows(1_111)).to.deep.equal([]);
    }
    // By demands that nobody answered, each of them told of elsewhere.
    for (const closed of [3, 4]) {
      const at = { closed, provenClosed: 3, missed: 4 };
      read(1_311, [ended(Status.Defaulted, at, { lastProven: 3, periods: 30, demandMisses: 4 })]);
      expect(windows(1_311)).to.deep.equal([]);
    }
  });

  it("asks nothing of deals that are in no block any more, and again of those that go on after all", () => {
    read(1_010, [dealOf(0)]);
    read(1_011, [], [1n]);
    expect(windows(1_011)).to.deep.equal([]);
    read(1_211, [ended(Status.Completed, { closed: 3, provenClosed: 2 }, { lastProven: 2 })]);
    read(1_205, [dealOf(2)]);
    expect(windows(1_209)).to.deep.equal([]);
  });
});

describe("LookRecord", () => {
  it("waits for a first look, and is patient after it", () => {
    const record = new LookRecord(5);
    record.expect("proving");
    expect(record.late(100)).to.deep.equal([{ keeper: "proving", at: 0 }]);
    record.looked("proving", 100);
    for (let i = 0; i < 3; i++) record.seen();
    expect(record.late(105)).to.deep.equal([]);
    expect(record.late(106)).to.deep.equal([{ keeper: "proving", at: 100 }]);
    record.looked("proving", 106);
    // So many blocks at once are one head.
    record.seen();
    expect(record.late(200)).to.deep.equal([]);
  });
});
