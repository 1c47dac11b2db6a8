import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { sql } from "kysely";
import { DatabaseDuties, type DatabaseDutiesOptions } from "../../../src/store/database/duties.js";
import type { Database } from "../../../src/store/database/open-node.js";
import { describeDatabases } from "../../support/databases.js";
import { claimed, dutiesTests, EPOCH, KEY, planned } from "../duties-tests.js";

const SCOPE = { chainId: 31_337, market: "0xMarket", provider: "0xProvider" };

describeDatabases("DatabaseDuties", (databases) => {
  dutiesTests(async () => new DatabaseDuties(await databases.empty(), SCOPE));

  async function worker(db: Database, options: Partial<DatabaseDutiesOptions> = {}): Promise<DatabaseDuties> {
    const duties = new DatabaseDuties(db, { ...SCOPE, ...options });
    await duties.beat();
    return duties;
  }

  /** As if a worker had not been heard of for so long, by the database's clock. */
  async function silence(db: Database, { worker }: DatabaseDuties, ms: number): Promise<void> {
    await sql`update workers set seen_at = now() - ${ms}::integer * interval '1 millisecond' where id = ${worker}`.execute(
      db,
    );
  }

  it("lets workers share, and none take what another has", async () => {
    const db = await databases.empty();
    const [one, other] = [await worker(db), await worker(db)];
    expect(await other.beat()).to.equal(2);
    await Promise.all([one.plan(planned(500)), other.plan(planned(500))]);
    await Promise.all([one.draw(EPOCH, KEY), other.draw(EPOCH, KEY)]);
    const got = new Map([one, other].map((each) => [each, [] as bigint[]]));
    const work = async (each: DatabaseDuties) => {
      for (let portion = await claimed(each, 20); portion.length > 0; portion = await claimed(each, 20)) {
        got.get(each)!.push(...portion);
        await sleep(5);
      }
    };
    await Promise.all([work(one), work(other)]);
    const [mine, its] = [got.get(one)!, got.get(other)!];
    expect(new Set([...mine, ...its]).size).to.equal(500);
    expect(mine.length + its.length, "none twice").to.equal(500);
    expect(Math.min(mine.length, its.length), "about evenly").to.be.greaterThan(100);
    expect(await one.held(EPOCH, KEY, its)).to.deep.equal([]);
  });

  it("gives what the dead had to others, after their lease and not before", async () => {
    const db = await databases.empty();
    const [dead, heir] = [await worker(db), await worker(db)];
    await dead.plan(planned(4));
    await dead.draw(EPOCH, KEY);
    const done = await claimed(dead, 1);
    await dead.done(EPOCH, done, 101);
    const had = await claimed(dead, 2);
    await silence(db, dead, 29_000);
    expect(await claimed(heir, 1), "nobody had it").to.have.length(1);
    expect(await claimed(heir)).to.deep.equal([]);
    await silence(db, dead, 31_000);
    expect(await heir.beat()).to.equal(1);
    const claims = await heir.claim({ epoch: EPOCH, key: KEY, head: EPOCH + 1, limit: 10 });
    expect(claims).to.deep.equal(had.map((id) => ({ id, takenOver: true })));
    expect(await heir.finished(EPOCH)).to.deep.equal([{ id: done[0], block: 101 }]);
  });

  it("tells one that was paused what is not its own any more, and keeps for it what nobody took", async () => {
    const db = await databases.empty();
    const [paused, heir] = [await worker(db), await worker(db)];
    await paused.plan(planned(4));
    await paused.draw(EPOCH, KEY);
    const had = await claimed(paused);
    await silence(db, paused, 60_000);
    const taken = await claimed(heir, 3);
    expect(taken).to.have.length(3);
    const left = had.filter((id) => !taken.includes(id));
    expect(await paused.held(EPOCH, KEY, had)).to.deep.equal(left);
    // To ask is to live: what it still has is its own again.
    expect(await claimed(heir)).to.deep.equal([]);
    // What it says too late of others' claims changes nothing.
    await paused.release(EPOCH, had, 0);
    expect(await heir.held(EPOCH, KEY, taken)).to.have.members(taken);
  });

  it("keeps chains, markets and providers apart", async () => {
    const db = await databases.empty();
    const mine = await worker(db);
    await mine.plan(planned(2));
    await mine.draw(EPOCH, KEY);
    for (const change of [{ chainId: 1 }, { market: "0xOther" }, { provider: "0xOther" }]) {
      const other = await worker(db, change);
      await other.plan(planned(1));
      await other.draw(EPOCH, KEY);
      expect(await claimed(other)).to.have.length(1);
      expect(await other.tellMisses([{ id: 1n, window: 1 }])).to.have.length(1);
      await other.forget(1_000);
    }
    expect(await claimed(mine)).to.have.length(2);
  });

  it("tells of each miss once, whoever sees it first", async () => {
    const db = await databases.empty();
    const workers = await Promise.all([0, 1, 2].map(() => worker(db)));
    const misses = Array.from({ length: 50 }, (_, i) => ({ id: BigInt(i), window: 1 + (i % 3) }));
    const told = await Promise.all(workers.map((each, i) => each.tellMisses(i === 1 ? misses.toReversed() : misses)));
    expect(told.flat()).to.have.length(50);
    expect(new Set(told.flat().map(({ id }) => id)).size).to.equal(50);
  });

  it("takes few statements and little time for ten thousand", async function () {
    this.timeout(60_000);
    const db = await databases.empty();
    const duties = await worker(db);
    const many = planned(10_000);
    const began = performance.now();
    await duties.plan(many);
    await duties.draw(EPOCH, KEY);
    let portions = 0;
    for (let got = await claimed(duties, 96); got.length > 0; got = await claimed(duties, 96)) {
      portions++;
      expect(await duties.held(EPOCH, KEY, got)).to.have.length(got.length);
      await duties.done(EPOCH, got, 102);
    }
    const took = performance.now() - began;
    console.log(`      10,000 planned, claimed, held and done in ${Math.round(took)} ms`);
    expect(portions).to.equal(Math.ceil(10_000 / 96));
    expect(took).to.be.lessThan(45_000);
  });
});
