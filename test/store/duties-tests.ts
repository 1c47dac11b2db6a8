/** What all duties have to do. */
import { expect } from "chai";
import type { Duties, PlannedDuty } from "../../src/store/duties.js";

export const EPOCH = 100;
export const KEY = "0xaa";
const OTHER_KEY = "0xbb";

/** Duties of one epoch, window 1 each, whose last block is 116. */
export function planned(count: number, changes: Partial<PlannedDuty> = {}): PlannedDuty[] {
  // As large as ids are.
  const id = (i: number) => 2n ** 255n + BigInt(i);
  return Array.from({ length: count }, (_, i) => ({ id: id(i), window: 1, epoch: EPOCH, lastBlock: 116, ...changes }));
}

/** What a claim of a worker gives, in ascending order. */
export async function claimed(duties: Duties, limit = 100, head = EPOCH + 1, key = KEY): Promise<bigint[]> {
  const claims = await duties.claim({ epoch: EPOCH, key, head, limit });
  return claims.map(({ id }) => id).sort((a, b) => (a < b ? -1 : 1));
}

export function dutiesTests(open: () => Promise<Duties>): void {
  let duties: Duties;
  beforeEach(async () => {
    duties = await open();
    await duties.beat();
  });
  const ids = planned(5).map(({ id }) => id);

  async function drawn(count = 5): Promise<void> {
    await duties.plan(planned(count));
    await duties.draw(EPOCH, KEY);
  }

  it("gives each duty once, in portions", async () => {
    await drawn();
    const portions = [await claimed(duties, 2), await claimed(duties, 2), await claimed(duties, 2)];
    expect(portions.map(({ length }) => length)).to.deep.equal([2, 2, 1]);
    expect(portions.flat().sort((a, b) => (a < b ? -1 : 1))).to.deep.equal(ids);
    expect(await claimed(duties)).to.deep.equal([]);
  });

  it("knows duties ahead, and gives none before the block of their epoch is named, or after their last", async () => {
    await duties.plan(planned(5));
    expect(await claimed(duties)).to.deep.equal([]);
    await duties.draw(EPOCH, KEY);
    expect(await claimed(duties, 100, 116)).to.deep.equal([]);
    expect(await claimed(duties, 100, 115, OTHER_KEY)).to.deep.equal([]);
    expect(await claimed(duties, 100, 115)).to.deep.equal(ids);
  });

  it("keeps what is planned again as it is", async () => {
    await drawn();
    await duties.done(EPOCH, await claimed(duties, 2), 102);
    await drawn();
    expect(await claimed(duties)).to.have.length(3);
    expect(await claimed(duties)).to.deep.equal([]);
  });

  it("has everything done anew where the epoch's block is another one, and nothing where it is the same", async () => {
    await drawn();
    const first = await claimed(duties, 3);
    await duties.done(EPOCH, first.slice(0, 1), 102);
    await duties.draw(EPOCH, KEY);
    expect(await duties.held(EPOCH, KEY, first)).to.have.members(first.slice(1));
    await duties.draw(EPOCH, OTHER_KEY);
    expect(await duties.held(EPOCH, KEY, first)).to.deep.equal([]);
    expect(await duties.held(EPOCH, OTHER_KEY, first)).to.deep.equal([]);
    expect(await claimed(duties)).to.deep.equal([]);
    expect(await claimed(duties, 100, EPOCH + 1, OTHER_KEY)).to.deep.equal(ids);
  });

  it("lets nobody take what was given back before its head", async () => {
    await drawn();
    const got = await claimed(duties);
    await duties.release(EPOCH, got.slice(0, 2), 104);
    expect(await duties.held(EPOCH, KEY, got)).to.have.members(got.slice(2));
    expect(await claimed(duties, 100, 103)).to.deep.equal([]);
    expect(await claimed(duties, 100, 104)).to.deep.equal(got.slice(0, 2));
  });

  it("takes again what the chain has forgotten, and not what is not done", async () => {
    await drawn();
    const got = await claimed(duties);
    await duties.done(EPOCH, got.slice(0, 2), 102);
    await duties.reopen(EPOCH, got.slice(0, 1));
    expect(await claimed(duties)).to.deep.equal(got.slice(0, 1));
  });

  it("keeps epochs apart", async () => {
    await drawn();
    await duties.plan(planned(5, { epoch: 200, lastBlock: 216, window: 2 }));
    await duties.draw(200, OTHER_KEY);
    await duties.done(200, ids);
    expect(await claimed(duties)).to.deep.equal(ids);
  });

  it("tells of each miss once", async () => {
    const misses = [
      { id: ids[0]!, window: 1 },
      { id: ids[0]!, window: 3 },
      { id: ids[1]!, window: 1 },
    ];
    expect(await duties.tellMisses(misses.slice(0, 2))).to.deep.equal(misses.slice(0, 2));
    expect(await duties.tellMisses(misses)).to.deep.equal(misses.slice(2));
    expect(await duties.missesTold()).to.deep.equal(
      new Map([
        [ids[0], 2],
        [ids[1], 1],
      ]),
    );
  });

  it("forgets what is over, and gives back what it has at its end", async () => {
    await drawn();
    await claimed(duties, 3);
    await duties.leave();
    await duties.beat();
    expect(await claimed(duties)).to.deep.equal(ids);
    await duties.forget(116);
    expect(await duties.held(EPOCH, KEY, ids)).to.have.length(5);
    await duties.forget(117);
    expect(await duties.held(EPOCH, KEY, ids)).to.deep.equal([]);
  });
}
