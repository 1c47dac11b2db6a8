/** What every journal has to do. */
import { expect } from "chai";
import type { Intent, Journal, JournalEntry, SignedAttempt } from "../../src/chain/journal.js";

const FROM = "0x52908400098527886E0F7030069857D2E4169EE7";
const OTHER = "0x8617E340B3D01FA5F11F306F4090FD50E238070D";

let hashes = 0;

/** An attempt as no signer would make it, but of the same form, with a hash of its own. */
export function attempt(): SignedAttempt {
  const hash = `0x${(++hashes).toString(16).padStart(64, "0")}`;
  // More wei than 64 bits hold.
  return { hash, raw: `0x02${hash.slice(2)}`, fees: { maxFeePerGas: 10n ** 21n, maxPriorityFeePerGas: 1n } };
}

export function intent(changes: Partial<Intent> = {}): Intent {
  const call = { to: OTHER, data: "0x1234", value: 10n ** 30n };
  return { from: FROM, call, doing: "pay", gasLimit: 21_000n, guards: [], ...changes };
}

/** Records with the nonce that follows, or that the chain counts. */
export async function record(journal: Journal, changes: Partial<Intent> = {}, counted = 0): Promise<JournalEntry> {
  const recorded = await journal.record(
    intent(changes),
    (next) => Math.max(next ?? 0, counted),
    async () => attempt(),
  );
  if ("guardedBy" in recorded) throw new Error(`guarded by ${recorded.guardedBy.id}`);
  return recorded.entry;
}

export function journalTests(open: () => Promise<Journal>): void {
  let journal: Journal;
  beforeEach(async () => {
    journal = await open();
  });
  const nonces = async (from = FROM) => (await journal.live(from)).map(({ nonce }) => nonce);

  it("keeps what was signed, as it was, until it is mined or dropped", async () => {
    const first = await record(journal, { guards: ["a", "b"] }, 7);
    const [kept] = await journal.live(FROM);
    expect({ ...kept, guards: [...kept!.guards].sort() }).to.deep.equal({ ...first, guards: ["a", "b"] });
    const second = attempt();
    await journal.add(first.id, second);
    // The same bytes again are the same attempt.
    if (first.attempts[0]) expect((await journal.live(FROM))[0]?.attempts).to.deep.equal([first.attempts[0], second]);
    await journal.mined(first.id, 100);
    expect(await journal.live(FROM)).to.deep.equal([]);
    const third = await record(journal, {}, 8);
    await journal.drop(third.id);
    expect(await journal.live(FROM)).to.deep.equal([]);
  });

  it("takes the very bytes again that were dropped: the same call, at the same nonce and fees", async () => {
    const signed = attempt();
    const take = () =>
      journal.record(
        intent({ guards: ["a"] }),
        () => 7,
        async () => signed,
      );
    const first = await take();
    if (!("entry" in first)) throw new Error("it is guarded");
    await journal.drop(first.entry.id);
    const again = await take();
    if (!("entry" in again)) throw new Error("it is guarded");
    expect((await journal.live(FROM)).map(({ id, attempts }) => ({ id, attempts }))).to.deep.equal([
      { id: again.entry.id, attempts: [signed] },
    ]);
    expect(await journal.find(first.entry.id)).to.equal(undefined);
  });

  it("keeps what a call is worth for a unit of gas", async () => {
    const call = { ...intent().call, maxFeePerGas: 10n ** 21n };
    const { id } = await record(journal, { call });
    await record(journal);
    expect((await journal.live(FROM)).map(({ call: { maxFeePerGas } }) => maxFeePerGas)).to.deep.equal([
      call.maxFeePerGas,
      undefined,
    ]);
    expect((await journal.find(id))?.call).to.deep.equal(call);
  });

  it("finds an entry with all that was signed for it, and knows the nonces that are its own", async () => {
    const first = await record(journal, { guards: ["a"] }, 7);
    const more = attempt();
    await journal.add(first.id, more);
    expect((await journal.find(first.id))?.attempts).to.deep.equal([first.attempts[0], more]);
    await journal.mined(first.id, 100);
    expect(await journal.find(first.id)).to.include({ id: first.id, block: 100 });
    const dropped = await record(journal, {}, 8);
    await record(journal);
    await record(journal, { from: OTHER }, 9);
    await journal.drop(dropped.id);
    expect(await journal.find(dropped.id)).to.equal(undefined);
    expect(await journal.nonces(FROM, 0)).to.deep.equal([7, 9]);
    expect(await journal.nonces(FROM, 8)).to.deep.equal([9]);
  });

  it("counts on from what is live, and by the chain where nothing is", async () => {
    const entries = [await record(journal, {}, 5), await record(journal), await record(journal)];
    expect(await nonces()).to.deep.equal([5, 6, 7]);
    await journal.drop(entries[2]!.id);
    expect((await record(journal)).nonce).to.equal(7);
    expect((await record(journal, { from: OTHER })).nonce, "another account").to.equal(0);
    for (const { id } of await journal.live(FROM)) await journal.mined(id, 9);
    expect((await record(journal, {}, 3)).nonce).to.equal(3);
  });

  it("gives each of many at once a nonce of its own, without a gap", async () => {
    await Promise.all(Array.from({ length: 25 }, () => record(journal)));
    expect(await nonces()).to.deep.equal(Array.from({ length: 25 }, (_, i) => i));
  });

  it("keeps nothing where signing fails, and gives the nonce to the next", async () => {
    const failing = journal.record(
      intent({ guards: ["g"] }),
      () => 0,
      () => Promise.reject(new Error("no key")),
    );
    expect(await failing.catch((error: Error) => error.message)).to.equal("no key");
    expect((await record(journal, { guards: ["g"] })).nonce).to.equal(0);
  });

  it("has no two on their way that do the same, whoever pays", async () => {
    const first = await record(journal, { guards: ["deal 1", "deal 2"] });
    for (const from of [FROM, OTHER]) {
      const recorded = await journal.record(
        intent({ from, guards: ["deal 3", "deal 2"] }),
        () => 1,
        async () => attempt(),
      );
      expect("guardedBy" in recorded && recorded.guardedBy.id).to.equal(first.id);
    }
    await record(journal, { guards: ["deal 3"] });
    await journal.mined(first.id, 4);
    await record(journal, { guards: ["deal 2"] });
    await journal.drop(first.id);
    const both = await Promise.all(
      [FROM, OTHER].map((from) =>
        journal.record(
          intent({ from, guards: ["deal 4"] }),
          (next = 0) => next,
          async () => attempt(),
        ),
      ),
    );
    expect(both.filter((recorded) => "entry" in recorded)).to.have.length(1);
  });

  it("makes what a reorganisation took out of its block live again", async () => {
    const [kept, gone, dropped] = [
      await record(journal),
      await record(journal, { guards: ["g"] }),
      await record(journal),
    ];
    await journal.mined(kept.id, 10);
    await journal.mined(gone.id, 11);
    await journal.drop(dropped.id);
    expect((await journal.reopen(FROM, 10)).map(({ id }) => id)).to.deep.equal([gone.id]);
    expect(await nonces()).to.deep.equal([1]);
    const recorded = await journal.record(
      intent({ guards: ["g"] }),
      () => 2,
      async () => attempt(),
    );
    expect(recorded, "it does again what it did").to.have.property("guardedBy");
    expect(await journal.reopen(FROM, 10)).to.deep.equal([]);
  });

  it("forgets what is old, and nothing that is live", async () => {
    const [old, late, live] = [await record(journal), await record(journal), await record(journal)];
    await journal.mined(old.id, 10);
    await journal.mined(late.id, 11);
    await journal.forget(FROM, 10);
    expect((await journal.reopen(FROM, 0)).map(({ id }) => id)).to.deep.equal([late.id]);
    expect((await journal.live(FROM)).map(({ id }) => id)).to.deep.equal([late.id, live.id]);
  });
}
