import { expect } from "chai";
import type { Result } from "ethers";
import { addProvider, amendmentFor, movedTerms, sendAmendment, sendMigration } from "../support/changes.js";
import { runs } from "../support/effort.js";
import {
  balance,
  epoch,
  latest,
  makePiece,
  NO_BOUNTY,
  networkHelpers,
  type OpenedDeal,
  openDeal,
  type Piece,
  plain,
  proofNow,
  Status,
  standardMarket,
  type World,
} from "../support/market.js";

/** The same plans in every run; TEST_SEED draws others, TEST_EFFORT more of them. */
const SEED = Number(process.env.TEST_SEED ?? 20_261_122);

/** What somebody tries in a period, at a distance from its challenge. */
interface Act {
  readonly period: number;
  readonly at: number;
  readonly kind: "prove" | "amend" | "extend" | "terminate" | "restore" | "transfer" | "migrate";
  /** Of an amendment. */
  readonly price?: bigint;
}

interface Plan {
  readonly name: string;
  readonly acts: readonly Act[];
}

/** When somebody settles besides: at these distances from each challenge. */
const PATTERNS: Record<string, (period: number) => readonly number[]> = {
  never: () => [],
  "once each window has closed": () => [9],
  "in the window, at its end and between": () => [1, 8, 20],
  "now and then": (period) => [[], [15], [], [3, 9], [25]][period % 5] as number[],
};

/** Hot: 32 blocks a period, windows of 8. One transaction a block: the places of acts and settlements differ. */
const PERIODS = 6;
const LAST = 12;
const PRICES = [1n, 999n, 1_000n, 1_001n, 3_333n];

const act = (period: number, at: number, kind: Act["kind"], price?: bigint): Act =>
  price === undefined ? { period, at, kind } : { period, at, kind, price };
const proofs = (...periods: number[]): Act[] => periods.map((period) => act(period, 2, "prove"));
const all = proofs(...Array.from({ length: LAST }, (_, i) => i + 1));
const miss = (...missed: number[]): Act[] => all.filter(({ period }) => !missed.includes(period));

const PLANS: readonly Plan[] = [
  { name: "a higher price, everything proven", acts: [...all, act(2, 5, "amend", 3_333n)] },
  { name: "a lower price, everything proven", acts: [...all, act(2, 5, "amend", 1n)] },
  { name: "misses before and after", acts: [...miss(1, 4), act(2, 5, "amend", 1_001n)] },
  { name: "the last window of the old commitment missed", acts: [...miss(2), act(2, 5, "amend", 3_333n)] },
  { name: "the first window of the new one missed", acts: [...miss(3), act(2, 5, "amend", 3_333n)] },
  { name: "before the first window", acts: [...miss(3), act(0, 5, "amend", 999n)] },
  { name: "between two windows", acts: [...miss(1, 5), act(2, 12, "amend", 3_333n)] },
  {
    name: "just before a challenge: a whole window still under the old one",
    acts: [...miss(3), act(2, 30, "amend", 7n)],
  },
  { name: "a default before it takes effect", acts: [...proofs(4), act(3, 5, "amend", 3_333n)] },
  { name: "a default with the last window of the old one", acts: [...proofs(1, 3), act(4, 30, "amend", 3_333n)] },
  { name: "a default after it took effect", acts: [...proofs(1), act(2, 5, "amend", 3_333n)] },
  { name: "a default two windows after", acts: [...proofs(1, 3), act(2, 5, "amend", 1n)] },
  {
    name: "ended while it waits, beyond the new end",
    acts: [...all, act(2, 28, "amend", 3_333n), act(2, 31, "terminate")],
  },
  {
    name: "ended while it waits, within the new end",
    acts: [...miss(2), act(2, 3, "amend", 3_333n), act(2, 6, "terminate")],
  },
  { name: "ended after it took effect", acts: [...miss(2), act(2, 5, "amend", 3_333n), act(3, 5, "terminate")] },
  {
    name: "ended in the gap before anybody settled",
    acts: [...miss(2), act(2, 5, "amend", 1n), act(2, 10, "terminate")],
  },
  { name: "extended while it waits", acts: [...miss(2), act(2, 5, "amend", 3_333n), act(2, 7, "extend")] },
  {
    name: "extended before and after",
    acts: [...all, act(1, 5, "extend"), act(2, 5, "amend", 1n), act(4, 5, "extend")],
  },
  {
    name: "one after another",
    acts: [...miss(2, 5), act(1, 5, "amend", 3_333n), act(3, 5, "amend", 1n), act(4, 12, "amend")],
  },
  { name: "twice in a gap", acts: [...miss(2), act(2, 11, "amend", 3_333n), act(2, 13, "amend", 1n)] },
  { name: "restored while it waits", acts: [...proofs(1, 6), act(2, 5, "amend", 1_001n), act(2, 6, "restore")] },
  {
    name: "handed over while it waits",
    acts: [...miss(2), act(2, 5, "amend", 3_333n), act(2, 6, "transfer"), act(3, 12, "terminate")],
  },
  { name: "moved while it waits", acts: [...miss(2), act(2, 28, "amend", 3_333n), act(2, 31, "migrate")] },
  {
    name: "moved after it took effect, unsettled",
    acts: [...miss(2), act(2, 5, "amend", 3_333n), act(2, 12, "migrate")],
  },
];

/** Plans that nobody thought of. */
function drawn(random: () => number): Plan {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const acts = all.filter(() => random() < 0.7);
  const kinds = ["amend", "amend", "amend", "amend", "extend", "restore", "transfer", "terminate", "migrate"] as const;
  const places = new Set<string>();
  for (let i = 0; i < 6; i++) {
    const [period, at] = [Math.floor(random() * 8), pick([4, 5, 6, 7, 10, 12, 14, 18, 27, 28, 30, 31])];
    if (!places.has(`${period} ${at}`)) acts.push(act(period, at, pick(kinds), pick(PRICES)));
    places.add(`${period} ${at}`);
  }
  return { name: acts.map(({ period, at, kind, price }) => `${kind} ${period}+${at} ${price ?? ""}`).join(", "), acts };
}

/** Numbers in [0, 1), the same for the same seed. */
function numbers(from: number): () => number {
  let state = from;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

describe("StorageMarket: amended deals, whoever settles when", () => {
  const setup = async () => {
    const world = await standardMarket();
    await addProvider(world);
    const deal = await openDeal(world, { periods: PERIODS, maxPeriods: LAST });
    const pieces = await Promise.all([deal.piece, makePiece(70, 7), makePiece(3_000, 8), makePiece(5_000, 9)]);
    return { world, deal, pieces };
  };

  const reach = async (block: number): Promise<void> => {
    if ((await latest()) < block) await networkHelpers.mineUpTo(block);
  };

  /** The name of the error that a call was refused with, "" where it was not. */
  async function outcome(call: Promise<unknown>): Promise<string> {
    try {
      await call;
      return "";
    } catch (error) {
      const name = /custom error '(\w+)\(/.exec(String((error as Error).message))?.[1];
      if (name === undefined) throw error;
      return name;
    }
  }

  const pieceOf = async (world: World, deal: OpenedDeal, pieces: readonly Piece[]): Promise<Piece> => {
    const { root } = await world.lens.dealOf(deal.id);
    const piece = pieces.find(({ commitment }) => Buffer.from(commitment.root).toString("hex") === root.slice(2));
    if (piece === undefined) throw new Error(`the deal asks for a piece that nobody has, ${root}`);
    return piece;
  };

  async function attempt(
    world: World,
    deal: OpenedDeal,
    pieces: readonly Piece[],
    { kind, price }: Act,
  ): Promise<unknown> {
    const { market, client, stranger, keeper, provider } = world;
    const piece = await pieceOf(world, deal, pieces);
    if (kind === "prove") return market.prove(deal.id, await proofNow(world, { id: deal.id, piece }).catch(() => "0x"));
    if (kind === "extend") return market.connect(stranger).extend(deal.id, 2, 100_000n);
    if (kind === "restore") return market.connect(provider).restore(deal.id, 1);
    if (kind === "terminate") return market.connect(client).terminate(deal.id);
    if (kind === "transfer") return market.connect(client).transferFrom(client, client, deal.id);
    if (kind === "migrate") {
      const terms = movedTerms(world, piece, keeper.address, { salt: deal.terms.root });
      return sendMigration(world, { id: deal.id, piece }, terms, keeper);
    }
    const next = pieces[(pieces.indexOf(piece) + 1) % pieces.length] as Piece;
    const changes = price === undefined ? {} : { pricePerPeriod: price };
    return sendAmendment(world, await amendmentFor(world, deal, next, changes));
  }

  /** All that anybody can see of the deal and of the money, that must not depend on who settled when. */
  async function sight(world: World, deal: OpenedDeal) {
    const { market, lens } = world;
    const pieceId = await market.pieceIdOf(deal.id);
    const { revision, ...view } = ((await lens.dealOf(deal.id)) as unknown as Result).toObject();
    const { root, leafCount, price, periods, standing } = view;
    return {
      pieceId,
      seen: [root, leafCount, price, periods, plain(standing), plain(revision)],
      state: await market.stateHash(deal.id),
      proven: await market.isProven(deal.id, pieceId),
      totals: plain(await lens.totalsNow(deal.id)),
      ended: plain(await lens.terminationOf(deal.id)),
      extension: plain(await lens.extensionOf(deal.id)),
    };
  }

  async function play({ world, deal, pieces }: Awaited<ReturnType<typeof setup>>, plan: Plan, pattern: string) {
    const seen: unknown[] = [];
    for (let period = 0; period <= LAST + 1; period++) {
      const settles = (PATTERNS[pattern] as (typeof PATTERNS)[string])(period);
      const mine = plan.acts.filter((candidate) => candidate.period === period);
      const places = [...new Set([...settles, ...mine.map(({ at }) => at)])].sort((a, b) => a - b);
      for (const at of places) {
        const block = epoch(deal, period) + at;
        if (block <= (await latest())) continue;
        await reach(block - 1);
        if (settles.includes(at)) await world.market.settle([deal.id], NO_BOUNTY);
        for (const todo of mine.filter((candidate) => candidate.at === at)) {
          // A view sees the latest block, a proof is for the one after.
          if (todo.kind === "prove") await reach(block);
          seen.push([period, at, todo.kind, await outcome(attempt(world, deal, pieces, todo))]);
        }
      }
      await reach(epoch(deal, period) + 31);
      seen.push(await sight(world, deal));
    }
    await world.market.settle([deal.id], NO_BOUNTY);
    const totals = await world.lens.totalsOf(deal.id);
    const accounts = [world.client, world.provider, world.treasury, world.stranger, world.keeper];
    const claims = await Promise.all(accounts.map((account) => balance(world, account)));
    return { seen, totals: plain(totals), claims };
  }

  /** @returns what became of each act. */
  async function compare(plan: Plan): Promise<readonly unknown[]> {
    const fixture = await networkHelpers.loadFixture(setup);
    const { world, deal } = fixture;
    const start = await networkHelpers.takeSnapshot();
    let first: Awaited<ReturnType<typeof play>> | undefined;
    for (const pattern of Object.keys(PATTERNS)) {
      await start.restore();
      const end = await play(fixture, plan, pattern);
      first ??= end;
      expect(end, `settled ${pattern}`).to.deep.equal(first);
      const t = await world.lens.totalsOf(deal.id);
      expect([t.escrow, t.stake]).to.deep.equal([0n, 0n]);
      expect(t.paid + t.fee + t.refunded).to.equal(t.funded);
      const successor = await world.market.successorOf(deal.id);
      const left = successor === 0n ? 0n : (await world.lens.totalsOf(successor)).escrow;
      expect(await world.vault.escrowOf(world.marketAddress, world.tokenAddress)).to.equal(left);
      expect(await world.market.statusOf(deal.id)).to.be.greaterThanOrEqual(Status.Completed);
    }
    return first?.seen ?? [];
  }

  for (const plan of PLANS) {
    it(`comes to the same: ${plan.name}`, async () => {
      const outcomes = (await compare(plan)).filter((seen): seen is unknown[] => Array.isArray(seen));
      const refused = outcomes.filter(([, , kind, error]) => kind !== "prove" && error !== "");
      expect(refused, "what the plan is about came to pass").to.deep.equal([]);
    });
  }

  it("comes to the same in plans that nobody thought of", async () => {
    const random = numbers(SEED);
    for (let i = 0; i < runs(8); i++) {
      const plan = drawn(random);
      try {
        await compare(plan);
      } catch (error) {
        throw new Error(`plan: ${plan.name}`, { cause: error });
      }
    }
  });
});
