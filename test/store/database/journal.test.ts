import { expect } from "chai";
import { sql } from "kysely";
import { type Database, DatabaseJournal } from "../../../src/store/database/index.js";
import { attempt, intent, journalTests, record } from "../../chain/journal-tests.js";
import { describeDatabases } from "../../support/databases.js";
import { failure } from "../../support/failure.js";

const FROM = intent().from;

function gate() {
  let resolve = () => {};
  const promise = new Promise<void>((go) => {
    resolve = go;
  });
  return { promise, resolve };
}

describeDatabases("DatabaseJournal", (databases) => {
  journalTests(async () => new DatabaseJournal(await databases.empty(), 31_337));

  it("is there when it is opened again", async () => {
    const where = await databases.create();
    const first = await databases.open(where);
    const entry = await record(new DatabaseJournal(first, 1), { guards: ["g"] });
    if (!databases.isShared) await first.destroy();
    const journal = new DatabaseJournal(await databases.open(where), 1);
    expect(await journal.live(FROM)).to.deep.equal([entry]);
  });

  it("gives what another process has mined lately, until it is seen in its block here as well", async () => {
    const database = await databases.empty();
    const [other, here] = [new DatabaseJournal(database, 1), new DatabaseJournal(database, 1)];
    const first = await record(other, { guards: ["a", "b"] });
    await other.mined(first.id, 100);
    const again = (guards: string[]) =>
      here.record(
        intent({ guards }),
        () => 1,
        async () => attempt(),
      );
    const recorded = await again(["b", "c"]);
    expect("guardedBy" in recorded && recorded.guardedBy.id, "it may have been taken back").to.equal(first.id);
    expect(await here.live(FROM)).to.deep.equal([]);
    await here.mined(first.id, 101);
    expect(await again(["b", "c"])).to.have.property("entry");
  });

  it("lets be done again what was mined long ago, or by another account, or is seen to be gone for good", async () => {
    const database = await databases.empty();
    const [other, here] = [new DatabaseJournal(database, 1), new DatabaseJournal(database, 1)];
    await other.mined((await record(other, { guards: ["old"] })).id, 100);
    await other.mined((await record(other, { guards: ["dropped"] }, 1)).id, 164);
    const [dropped] = await other.minedAfter(FROM, 163);
    await other.drop(dropped!.id);
    await other.mined((await record(other, { guards: ["new"] }, 2)).id, 164);
    for (const guard of ["old", "dropped"]) await record(here, { guards: [guard] }, 3);
    await record(here, { guards: ["new"], from: `0x${"12".repeat(20)}` });
  });

  it("drops what is live of an account that is abandoned, and frees what that guards", async () => {
    const database = await databases.empty();
    const [journal, elsewhere] = [new DatabaseJournal(database, 1), new DatabaseJournal(database, 2)];
    const [heir, bystander] = [`0x${"12".repeat(20)}`, `0x${"34".repeat(20)}`];
    const mined = await record(journal, { guards: ["mined"] });
    await journal.mined(mined.id, 100);
    const left = [await record(journal, { guards: ["a", "b"] }, 1), await record(journal, { guards: ["c"] })];
    const others = await record(journal, { from: bystander, guards: ["d"] });
    await record(elsewhere, { guards: ["a"] });
    const take = (guard: string) => record(journal, { from: heir, guards: [guard] });
    expect(await failure(take("b"))).to.contain({ message: `guarded by ${left[0]!.id}` });
    expect((await journal.abandon(FROM)).map(({ id, nonce, attempts }) => ({ id, nonce, attempts }))).to.deep.equal(
      left.map(({ id, nonce, attempts }) => ({ id, nonce, attempts })),
    );
    expect(await journal.live(FROM)).to.deep.equal([]);
    expect(await journal.nonces(FROM, 0), "what was mined stays").to.deep.equal([0]);
    for (const guard of ["a", "b", "c"]) await take(guard);
    expect(await failure(take("d")), "another's").to.contain({ message: `guarded by ${others.id}` });
    expect(await elsewhere.live(FROM), "on another chain").to.have.length(1);
    expect(await journal.abandon(FROM), "a second time").to.deep.equal([]);
    // A sender that has not heard of it may still see one in its block: what it does is another's by now.
    await journal.mined(left[0]!.id, 101);
    expect(await journal.live(heir)).to.have.length(3);
  });

  it("keeps chains apart", async () => {
    const database = await databases.empty();
    const [one, other] = [new DatabaseJournal(database, 1), new DatabaseJournal(database, 2)];
    await record(one, { guards: ["g"] });
    expect((await record(other, { guards: ["g"] })).nonce).to.equal(0);
    expect(await other.live(FROM)).to.have.length(1);
  });

  it("lets no program give two live transactions one nonce", async () => {
    const database = await databases.empty();
    const journal = new DatabaseJournal(database, 1);
    await record(journal);
    const same = journal.record(
      intent(),
      () => 0,
      async () => attempt(),
    );
    expect(await same.catch(({ code }: { code: string }) => code)).to.equal("23505");
    expect(await journal.live(FROM)).to.have.length(1);
  });

  it("leaves the bytes of what was mined with it: where a reorganisation took it back, it is that one which is sent again", async () => {
    const journal = new DatabaseJournal(await databases.empty(), 1);
    const signed = attempt();
    const take = () =>
      journal.record(
        intent(),
        () => 7,
        async () => signed,
      );
    const first = await take();
    if (!("entry" in first)) throw new Error("it is guarded");
    await journal.mined(first.entry.id, 100);
    expect(await take().catch(({ code }: { code: string }) => code)).to.equal("23505");
    expect((await journal.find(first.entry.id))?.attempts).to.deep.equal([signed]);
    const [back] = await journal.reopen(FROM, 99);
    expect(back?.attempts).to.deep.equal([signed]);
  });

  it("holds the nonces of processes apart that share it", async function () {
    if (!databases.isShared) this.skip();
    const where = await databases.create();
    const journals = await Promise.all(
      [0, 1, 2].map(async () => new DatabaseJournal(await databases.open(where), 31_337)),
    );
    await Promise.all(
      Array.from({ length: 60 }, (_, i) =>
        record(journals[i % 3]!, { guards: [`deal ${i % 50}`] }).catch(() => undefined),
      ),
    );
    const live = await journals[0]!.live(FROM);
    expect(live.map(({ nonce }) => nonce)).to.deep.equal(Array.from({ length: 50 }, (_, i) => i));
    expect(new Set(live.flatMap(({ guards }) => guards)).size).to.equal(50);
  });

  /** Has the account's lock, and signs no sooner than it is let go. */
  const hangingRecord = async (database: Database) => {
    const [locked, letGo] = [gate(), gate()];
    const hanging = new DatabaseJournal(database, 1).record(
      intent(),
      () => 0,
      async () => {
        locked.resolve();
        await letGo.promise;
        return attempt();
      },
    );
    await locked.promise;
    return { hanging, letGo };
  };

  it("frees the account where the one that has its lock stands still", async function () {
    if (!databases.isShared) this.skip();
    const where = await databases.create();
    const [frozen, other] = [await databases.open({ ...where, idleMs: 500 }), await databases.open(where)];
    const { hanging, letGo } = await hangingRecord(frozen);
    expect((await record(new DatabaseJournal(other, 1))).nonce).to.equal(0);
    letGo.resolve();
    expect(await failure(hanging), "nothing of it is kept").to.be.instanceOf(Error);
    expect(await new DatabaseJournal(other, 1).live(FROM)).to.have.length(1);
  });

  it("frees the account where the one that had its lock is gone", async function () {
    if (!databases.isShared) this.skip();
    const where = await databases.create();
    const [dying, other] = [await databases.open(where), await databases.open(where)];
    const { hanging, letGo } = await hangingRecord(dying);
    const waiting = record(new DatabaseJournal(other, 1));
    // As when the machine of the first one is cut off.
    await sql`select pg_terminate_backend(pid) from pg_stat_activity where state = 'idle in transaction'`.execute(
      other,
    );
    expect((await waiting).nonce).to.equal(0);
    letGo.resolve();
    expect(await failure(hanging)).to.be.instanceOf(Error);
    expect(await new DatabaseJournal(other, 1).live(FROM)).to.have.length(1);
  });
});
