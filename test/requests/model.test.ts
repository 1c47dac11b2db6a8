import { expect } from "chai";
import fc from "fast-check";
import { leave } from "../model/requests/ending.js";
import { History, historyOf, type Tally } from "../model/requests/history.js";
import { deployRequestsWorld, type RequestsWorld } from "../model/requests/world.js";
import { runs, seed } from "../support/effort.js";

const LENGTH = 140;
/** The same histories in every run; TEST_SEED draws others, TEST_EFFORT more of them. */
const SEED = seed(20_261_123);
/** A failing history is made smaller for this long at most, in ms. */
const PATIENCE = runs(120_000);

/** Least counts of what the histories did, well below what they do. */
const DONE: Readonly<Record<string, number>> = {
  post: 20,
  "filled, generation 0": 20,
  "filled, generation 1": 5,
  "filled, generation 2": 1,
  "filled with stake": 10,
  "filled by region": 5,
  "filled without repair": 3,
  "posted again, generation 1": 8,
  "posted again, generation 2": 2,
  "repaired without a slot": 2,
  "collect of something": 1,
  terminate: 1,
  release: 1,
  cancel: 2,
  refund: 5,
  refundSlot: 2,
  unlock: 10,
  unprovision: 10,
  "market's proveMany": 40,
  "market's settle": 10,
  "market's extend": 1,
};

/** Refusals that have to occur at least once; there are more. */
const REFUSED = [
  ...["NotClient"].map((name) => `post ${name}`),
  ...["AlreadyFilled", "InvalidPossession", "InvalidProviderSignature", "NothingToFill"].map((name) => `fill ${name}`),
  ...["RegionNotEligible", "RequestExpired", "TermsMismatch", "TooEarly"].map((name) => `fill ${name}`),
  ...["UnknownReplica"].flatMap((name) => [`repair ${name}`, `collect ${name}`]),
  ...["UnknownReplica"].map((name) => `unlock ${name}`),
  ...["terminate UnknownReplica", "release UnknownReplica", "refundSlot NothingToRefund"],
];

describe("requests beside their reference model", function () {
  this.timeout(0);
  let world: RequestsWorld;
  const tally: Tally = new Map();

  before(async () => {
    world = await deployRequestsWorld();
  });

  it("do the same, step by step, over random histories, and let everybody leave", async () => {
    await fc.assert(
      fc.asyncProperty(historyOf(LENGTH), async (intents) => {
        const history = new History(world, tally);
        await history.play(intents);
        await leave(world, history);
      }),
      { numRuns: runs(6), seed: SEED, interruptAfterTimeLimit: PATIENCE },
    );
  });

  it("have done and refused each kind of thing often enough to mean something", () => {
    for (const [what, least] of Object.entries(DONE)) expect(tally.get(what) ?? 0, what).to.be.at.least(least);
    expect(REFUSED.filter((what) => !tally.has(what))).to.deep.equal([]);
  });
});
