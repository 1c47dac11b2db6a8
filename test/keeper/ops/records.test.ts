import { expect } from "chai";
import type { Deal } from "../../../src/keeper/index.js";
import { DutyRecord } from "../../../src/keeper/ops/duty-record.js";
import { LookRecord } from "../../../src/keeper/ops/look-record.js";
import { Status } from "../../../src/protocol/index.js";

const TIER = { period: 100, window: 10, challenges: 2, maxMisses: 4 };

/** Windows of deal 1 end at 1,010, 1,110, 1,210. */
function dealOf(lastProven: number, changes: Partial<Deal> = {}): Deal {
  const deal = { id: 1n, firstEpoch: 1_000, periods: 3, tier: 0, lastProven, standing: { status: Status.Open } };
  return { ...deal, ...changes } as Deal;
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

  it("asks nothing of deals that have ended, or are in no block any more", () => {
    read(1_010, [dealOf(0)]);
    read(1_300, [dealOf(0, { standing: { status: Status.Defaulted } as Deal["standing"] })]);
    expect(windows(1_300)).to.deep.equal([]);
    read(1_010, [dealOf(0)]);
    read(1_011, [], [1n]);
    expect(windows(1_011)).to.deep.equal([]);
    read(1_010, [dealOf(0)]);
    record.ended(1n);
    expect(windows(1_010)).to.deep.equal([]);
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
