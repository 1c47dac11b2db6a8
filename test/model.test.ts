import { expect } from "chai";
import fc from "fast-check";
import { checkColluders, leave } from "./model/ending.js";
import { History, newTally, type Pattern } from "./model/history.js";
import { historyOf, type Intent } from "./model/intents.js";
import { deployWorld, type Totals, type World } from "./model/world.js";
import { runs } from "./support/effort.js";

const LENGTH = 80;
/** The same histories in every run; TEST_SEED and TEST_EFFORT search further. */
const SEED = Number(process.env.TEST_SEED ?? 20_261_122);

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
      }),
      { numRuns: runs(10), seed: SEED },
    );
  });

  it("has done and refused each kind of thing often enough to mean something", () => {
    console.log(tally);
  });

  it("ends in the same totals whenever it is settled", async () => {
    await fc.assert(
      fc.asyncProperty(historyOf(LENGTH), async (intents) => {
        // What may be taken out of the vault depends on what was settled before, so nothing is taken out here.
        const kept = intents.filter(({ kind }) => kind !== "withdraw" && kind !== "unprovision");
        const [drawn, never, always] = [
          await ended(kept, "as drawn"),
          await ended(kept, "never"),
          await ended(kept, "always"),
        ];
        for (const other of [never, always]) {
          expect(other.outcomes.find((outcome, i) => outcome !== drawn.outcomes[i])).to.equal(undefined);
          expect(other.outcomes.length).to.equal(drawn.outcomes.length);
          for (const [i, totals] of drawn.totals.entries()) expect(other.totals[i]).to.deep.equal(totals);
        }
      }),
      { numRuns: runs(3), seed: SEED },
    );
  });

  /** Statuses and totals of all deals after a history under one pattern of settlements. */
  async function ended(
    intents: readonly Intent[],
    pattern: Pattern,
  ): Promise<{ outcomes: string[]; totals: Totals[] }> {
    const history = new History(world, newTally(), pattern);
    await history.play(intents);
    const outcomes = history.outcomes.filter((outcome) => !outcome.includes("settle"));
    await leave(world, history);
    return { outcomes, totals: history.shot?.deals.map(({ settled }) => settled) ?? [] };
  }
});
