import { expect } from "chai";
import fc from "fast-check";
import { checkColluders, leave } from "./model/ending.js";
import { History, newTally, type Pattern } from "./model/history.js";
import { historyOf, type Intent } from "./model/intents.js";
import { deployWorld, type Totals, type World } from "./model/world.js";
import { runs, seed } from "./support/effort.js";

const LENGTH = 70;
/** The same histories in every run; TEST_SEED draws others, TEST_EFFORT more of them. */
const SEED = seed(20_261_122);
/** A failing history is made smaller for this long at most, in ms. */
const PATIENCE = runs(600_000);

/** Least counts of what the histories did, well below what they do. */
const DONE: Readonly<Record<string, number>> = {
  open: 60,
  "open as a gift": 20,
  "proveMany with a proof": 60,
  prove: 10,
  proveByChain: 10,
  settle: 60,
  extend: 3,
  restore: 6,
  terminate: 8,
  amend: 12,
  migrate: 4,
  transfer: 4,
  transferIf: 6,
  cancel: 5,
  withdraw: 60,
  unprovision: 20,
  provision: 3,
  deposit: 2,
  setPayee: 2,
  setSigner: 3,
  "a deal Completed": 20,
  "a deal Defaulted": 20,
  "a deal Completed, ended by its owner": 4,
  "a deal Completed, restored before": 2,
  "a deal Completed, amended before": 3,
  "a deal Defaulted, amended before": 1,
  "a deal Migrated, ended by its owner": 3,
};

/** Refusals that have to occur at least once; there are more. */
const REFUSED = [
  ...["DealExists", "TermsCancelled", "TermsExpired", "InvalidAccount", "InvalidPeriods"].map((name) => `open ${name}`),
  ...["InvalidClientSignature", "InvalidProviderSignature", "InsufficientStake"].map((name) => `open ${name}`),
  ...["NoOpenWindow", "AlreadyProven", "InvalidProof", "WrongStatus", "SeedUnavailable"].map((name) => `prove ${name}`),
  ...["NoOpenWindow", "AlreadyProven", "InvalidProof", "WrongStatus", "NotByChain"].map(
    (name) => `proveByChain ${name}`,
  ),
  ...["AlreadyProven", "InvalidProof", "UnknownDeal", "SeedUnavailable"].map((name) => `proveMany skips ${name}`),
  ...["WrongStatus", "BeyondMaxPeriods", "CostTooHigh", "ZeroAmount"].map((name) => `extend ${name}`),
  ...["WrongStatus", "BeyondMaxPeriods", "NotProvider", "NothingToRestore", "ZeroAmount"].map(
    (name) => `restore ${name}`,
  ),
  ...["WrongStatus", "NotOwner"].map((name) => `terminate ${name}`),
  ...["AmendmentExpired", "AmendmentPending", "WrongNonce", "TooLate", "WrongStatus", "InvalidRoot"].map(
    (name) => `amend ${name}`,
  ),
  ...["InvalidClientSignature", "InvalidProviderSignature"].flatMap((name) => [`amend ${name}`, `migrate ${name}`]),
  ...["NotOwner", "PieceMismatch", "InvalidPossession", "WrongStatus"].map((name) => `migrate ${name}`),
  ...["ERC721IncorrectOwner", "ERC721InsufficientApproval", "InvalidAccount"].map((name) => `transfer ${name}`),
  "transferIf StateChanged",
  "cancel NotAParty",
  "proveMany MalformedBatch",
  "withdraw ERC6909InsufficientBalance",
  "unprovision InsufficientStake",
];

describe("the market beside its reference model", function () {
  this.timeout(0);
  let world: World;
  const tally = newTally();

  before(async () => {
    world = await deployWorld();
  });

  it("does the same, step by step, over long random histories, and lets everybody leave", async () => {
    await fc.assert(
      fc.asyncProperty(historyOf(2 * LENGTH), async (intents) => {
        const history = new History(world, tally);
        await history.play(intents);
        await leave(world, history);
        checkColluders(world, history);
        history.countEnds();
      }),
      { numRuns: runs(30), seed: SEED, interruptAfterTimeLimit: PATIENCE },
    );
  });

  it("has done and refused each kind of thing often enough to mean something", () => {
    for (const [what, least] of Object.entries(DONE)) expect(tally.done.get(what) ?? 0, what).to.be.at.least(least);
    expect(REFUSED.filter((what) => !tally.errors.has(what))).to.deep.equal([]);
  });

  it("ends in the same totals whenever it is settled", async () => {
    await fc.assert(
      fc.asyncProperty(historyOf(LENGTH), async (intents) => {
        // What can be taken out of the vault, and which states a buyer has looked at, hangs on earlier settlements.
        const kept = intents.filter(({ kind }) => !["withdraw", "unprovision", "transferIf"].includes(kind));
        const drawn = await ended(kept, "as drawn");
        for (const other of [await ended(kept, "never"), await ended(kept, "always")]) {
          expect(other.outcomes.find((outcome, i) => outcome !== drawn.outcomes[i])).to.equal(undefined);
          expect(other.outcomes.length).to.equal(drawn.outcomes.length);
          for (const [i, totals] of drawn.totals.entries()) expect(other.totals[i]).to.deep.equal(totals);
        }
      }),
      { numRuns: runs(4), seed: SEED, interruptAfterTimeLimit: PATIENCE },
    );
  });

  /** What came of each action but settlements, and the totals of all deals at the end, under one pattern. */
  async function ended(
    intents: readonly Intent[],
    pattern: Pattern,
  ): Promise<{ outcomes: string[]; totals: Totals[] }> {
    const history = new History(world, newTally(), pattern);
    await history.play(intents);
    const outcomes = history.outcomes.filter((outcome) => !outcome.includes("settle"));
    await leave(world, history);
    return { outcomes, totals: [...(history.shot?.deals.values() ?? [])].map(({ settled }) => settled) };
  }
});
