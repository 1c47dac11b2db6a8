/** Plays a history of requests on the contracts and on the model at once, and compares them after each deed. */
import { expect } from "chai";
import fc from "fast-check";
import type { Action } from "../actions.js";
import { canonicalProof, drawPossession, drawProof, type Proof } from "../calls.js";
import { Dice, drawAmendment, drawMigration, drawOther, openNow } from "../intents.js";
import { advance, claimOf, type Deal, isLive, stakeOf, statusOf } from "../model.js";
import { isBooked, viewOf } from "../view.js";
import { FINALITY, latestBlock, mineTo, networkHelpers, send } from "../world.js";
import { transactionOf } from "./calls.js";
import { drawFill, drawOnReplica, drawPost, drawTakingBack, KINDS, type Kind } from "./draw.js";
import { type Books, type Deed, isOnOffer, type Posting, perform, waiting } from "./model.js";
import { holders, look, type RequestsWorld, stakeKeys } from "./world.js";

export interface Intent {
  readonly kind: Kind;
  readonly when: number;
  readonly pick: readonly number[];
}

const intent: fc.Arbitrary<Intent> = fc.record({
  kind: fc.oneof(...Object.entries(KINDS).map(([kind, weight]) => ({ weight, arbitrary: fc.constant(kind as Kind) }))),
  when: fc.nat(999),
  pick: fc.array(fc.nat(9_999), { minLength: 12, maxLength: 12 }),
});

/** Histories of `length` intents, fewer where fast-check makes a failing one smaller. */
export const historyOf = (length: number): fc.Arbitrary<Intent[]> =>
  fc.noBias(fc.array(intent, { minLength: Math.floor(length * 0.9), maxLength: length, size: "max" }));

/** How often each thing was done, and refused with which error. */
export type Tally = Map<string, number>;
const count = (tally: Tally, what: string): void => void tally.set(what, (tally.get(what) ?? 0) + 1);

const MOST_WANTED = 4;

export class History {
  books: Books;
  readonly log: string[] = [];
  readonly #world: RequestsWorld;
  readonly #tally: Tally;
  #salt = 0;

  constructor(world: RequestsWorld, tally: Tally) {
    this.#world = world;
    this.#tally = tally;
    this.books = structuredClone(world.books);
  }

  async play(intents: readonly Intent[]): Promise<void> {
    await this.#world.snapshot.restore();
    try {
      for (const drawn of intents) await this.#step(drawn);
    } catch (error) {
      if (error instanceof Error) error.message = `${error.message}\n\nLast steps:\n${this.log.slice(-25).join("\n")}`;
      throw error;
    }
  }

  async #step({ kind, when, pick }: Intent): Promise<void> {
    const dice = new Dice(pick);
    const kinds = this.#sensible(kind, when, BigInt(await networkHelpers.time.latest()));
    const block = await this.#blockFor(kinds, when);
    const now = BigInt(await networkHelpers.time.latest()) + BigInt(block - (await latestBlock()));
    const { state } = this.books;
    advance(state, this.#world.config, block);
    switch (kinds) {
      case "post":
        return this.run(drawPost(this.#world, this.books, dice, ++this.#salt, now), block);
      case "fill":
        return this.run(drawFill(this.#world, this.books, dice, block, now, ++this.#salt), block);
      case "cancel":
      case "refund":
      case "refundSlot":
        return this.run(drawTakingBack(this.#world, this.books, dice, kinds, now), block);
      case "repair":
      case "collect":
      case "terminate":
      case "release":
      case "unlock":
        return this.run(drawOnReplica(this.#world, this.books, dice, kinds), block);
      case "prove":
        return this.#prove(dice, block);
      case "amend":
      case "migrate":
        return this.#change(kinds, dice, block);
      default:
        return this.#other(kinds, { when, pick }, dice, block);
    }
  }

  /** Where there is nothing to be had, something is posted; where nothing has failed, something is filled. */
  #sensible(kind: Kind, when: number, now: bigint): Kind {
    const { postings, state } = this.books;
    const wanted = [...postings.values()].filter((posting) => isOnOffer(posting, now)).length;
    if (wanted === 0 || postings.size < 2) return "post";
    if (kind === "post" && wanted >= MOST_WANTED) return "fill";
    const failed = [...postings.values()]
      .filter(({ request }) => request.repair)
      .flatMap(({ replicas }) => [...replicas.values()])
      .some(({ dealId, closed }) => !closed && state.deals.get(dealId)?.end === "Defaulted");
    // What failed long ago has too few periods left to be posted again.
    if (failed && when % 2 === 0) return "repair";
    return kind === "repair" && !failed && when % 4 !== 0 ? "fill" : kind;
  }

  /** The next block, or where a deal's window opens or closes, or further on. */
  async #blockFor(kind: Kind, when: number): Promise<number> {
    const next = (await latestBlock()) + 1;
    advance(this.books.state, this.#world.config, next);
    const way = when % 10;
    const windows = [...this.books.state.deals.values()].filter(isLive).flatMap((deal) => deal.windows);
    const coming = windows.filter((window) => window.last >= next && !(kind === "prove" && window.proven));
    const soonest = coming.sort((a, b) => a.last - b.last)[0];
    if (kind === "prove" && soonest) return Math.max(next, way < 8 ? soonest.epoch + 1 : soonest.last);
    const posted = [...this.books.postings.values()].filter(({ unfilled }) => unfilled > 0).map((one) => one.posted);
    const ready = (Math.floor((Math.max(0, ...posted) + FINALITY - 1) / 64) + 1) * 64 + 1;
    if (kind === "fill" && way < 4) return Math.max(next, ready);
    if (way < 6) return next;
    if (way < 9 && soonest) return Math.max(next, soonest.last + 1);
    return next + (when % 40);
  }

  /** A batch of proofs for everybody who proves, or one that may be wrong. */
  async #prove(dice: Dice, block: number): Promise<void> {
    const world = this.#world;
    const { fraud, keeper } = world.accounts;
    const due = openNow(this.books.state, block).filter(([, { terms }]) => terms.provider !== fraud.address);
    if (due.length > 0 && dice.once(6)) {
      const [id, deal] = dice.of(due);
      const proof = await drawProof(world, id, deal, block, undefined);
      const bytes = dice.once(2) ? proof.bytes : proof.bytes.subarray(32);
      const sent = { ...proof, bytes, valid: bytes === proof.bytes };
      return this.#onMarket({ kind: "prove", by: keeper.address, ...sent }, block, [sent]);
    }
    const proofs: Proof[] = [];
    for (const [id, deal] of due) if (!dice.once(3)) proofs.push(await canonicalProof(world, id, deal, block));
    const attempts = proofs.map(({ id }) => ({ id, valid: true, seedKnown: true }));
    await this.#onMarket({ kind: "proveMany", by: keeper.address, attempts, malformed: false }, block, proofs);
  }

  /** Amends or migrates a deal that its client owns, by the request or by its release. */
  async #change(kind: "amend" | "migrate", dice: Dice, block: number): Promise<void> {
    const world = this.#world;
    const all = [...this.books.state.deals].filter(([, { owner }]) => owner !== world.requestsAddress);
    const open = all.filter(([, deal]) => statusOf(deal) === "Open");
    if (all.length === 0) return mineTo(block);
    const [id, deal] = dice.of(open.length > 0 ? open : all);
    if (kind === "amend") return this.#onMarket(drawAmendment(world, id, deal, dice), block);
    const drawn = drawMigration(world, id, deal, dice, 1_000_000 + ++this.#salt);
    const proof = await drawPossession(world, id, drawn.terms, block, new Dice([0]));
    await this.#onMarket({ ...drawn, valid: proof.valid, seedKnown: true }, block, [proof]);
  }

  async #other(
    kind: "settle" | "extend" | "restore" | "withdraw",
    by: Omit<Intent, "kind">,
    dice: Dice,
    block: number,
  ) {
    const drawn = drawOther(this.#world, this.books.state, { kind, ...by }, dice);
    // The contract owns deals, and sends nothing by itself.
    const sender = drawn.by === this.#world.requestsAddress ? this.#world.accounts.keeper.address : drawn.by;
    await this.#onMarket({ ...drawn, by: sender }, block);
  }

  #onMarket(action: Action, block: number, proofs: readonly Proof[] = []): Promise<void> {
    return this.run({ kind: "market", by: action.by, action }, block, proofs);
  }

  /** One deed on both sides, then everything compared. */
  async run(deed: Deed, block: number, proofs: readonly Proof[] = []): Promise<void> {
    const world = this.#world;
    const sent = await send(world, block, await transactionOf(world, deed, block, proofs));
    const before = this.books;
    const { books, refused } = perform(before, world.config, deed, { number: block, timestamp: sent.timestamp });
    const name = deed.kind === "market" ? `market's ${deed.action.kind}` : deed.kind;
    this.log.push(`block ${block}: ${name} ${describe(deed)} → ${sent.error ?? "done"}`);
    if (refused) expect(sent.error, `the model refuses: ${refused.join(" or ")}`).to.be.oneOf([...refused]);
    else expect(sent.error, "the contracts refused what the model allows").to.equal(undefined);
    this.books = books;
    count(this.#tally, sent.error ? `${name} ${sent.error}` : name);
    if (!sent.error) this.#note(deed, before, books);
    await this.compare("id" in deed ? deed.id : undefined);
  }

  /** Counts what a deed led to. */
  #note(deed: Deed, before: Books, { postings, state }: Books): void {
    if (deed.kind === "market") {
      const id = "id" in deed.action ? deed.action.id : 0n;
      const released = [...postings.values()]
        .flatMap(({ replicas }) => [...replicas.values()])
        .find((r) => r.dealId === id);
      const repaired = [...postings.values()].some(
        ({ request, replicas }) => request.repair && [...replicas.values()].includes(released!),
      );
      if (released && repaired && state.deals.get(id)?.owner !== this.#world.requestsAddress) {
        count(this.#tally, `${deed.action.kind} of a released deal`);
      }
    }
    if (deed.kind === "repair") {
      const { replicas, slots } = postings.get(deed.id) as Posting;
      const { dealId, generation } = replicas.get(deed.provider)!;
      count(this.#tally, slots.has(dealId) ? `posted again, generation ${generation + 1}` : "repaired without a slot");
    }
    if (deed.kind === "fill") {
      const { generation } = postings.get(deed.id)!.replicas.get(deed.terms.provider)!;
      count(this.#tally, `filled, generation ${generation}`);
      if (deed.request.minStake > 0n) count(this.#tally, "filled with stake");
      if (deed.request.regions.length > 0) count(this.#tally, "filled by region");
      if (!deed.request.repair) count(this.#tally, "filled without repair");
    }
    if (deed.kind === "collect") {
      const { token, client } = deed.request;
      if (claimOf(state, token, client) > claimOf(before.state, token, client))
        count(this.#tally, "collect of something");
    }
  }

  /** All money, all deals that still move, and the request that was touched; every request where none is named. */
  async compare(touched?: bigint): Promise<Awaited<ReturnType<typeof look>>> {
    const world = this.#world;
    const { state, postings } = this.books;
    const ids = [...state.deals].filter(([, deal]) => !isBooked(deal)).map(([id]) => id);
    const shot = await look(world, ids);
    advance(state, world.config, shot.number);
    for (const [i, id] of ids.entries()) {
      const { record, ...seen } = shot.deals[i]!;
      const flat: Record<string, unknown> = { ...record, ...seen };
      const expected = viewOf(state.deals.get(id) as Deal, world.config, shot.number);
      const known = Object.fromEntries(Object.keys(expected).map((key) => [key, flat[key]]));
      expect(known, `deal ${id}`).to.deep.equal(expected);
    }
    this.#compareMoney(shot);
    for (const [id, posting] of postings) {
      if (touched === undefined || touched === id) await this.#compareRequest(id, posting);
    }
    return shot;
  }

  #compareMoney(shot: Awaited<ReturnType<typeof look>>): void {
    const world = this.#world;
    const { state, stakes } = this.books;
    const noStake = { free: 0n, locked: 0n };
    expect(shot.stakes, "stake at the requests").to.deep.equal(
      stakeKeys(world).map(([token, provider]) => stakes.get(`${token}|${provider}`) ?? noStake),
    );
    for (const [t, token] of world.tokens.entries()) {
      const money = shot.money[t]!;
      const all = holders(world);
      expect(money.claims, "claims").to.deep.equal(all.map((at) => claimOf(state, token, at)));
      expect(money.free, "free stake").to.deep.equal(all.map((at) => stakeOf(state, token, at).free));
      expect(money.locked, "locked stake").to.deep.equal(all.map((at) => stakeOf(state, token, at).locked));
      expect(money.marketEscrow, "the market's escrow").to.equal(state.escrow.get(token) ?? 0n);
      expect(shot.escrows[t], "escrow of the requests").to.equal(waiting(this.books, token));
      const owed = [...money.claims, money.marketEscrow, money.registryEscrow, shot.escrows[t]!];
      expect(
        owed.reduce((sum, amount) => sum + amount),
        "the vault holds what it owes",
      ).to.equal(money.held);
    }
  }

  async #compareRequest(
    id: bigint,
    { request, posted, time, unfilled, lastBlock, replicas, slots }: Posting,
  ): Promise<void> {
    const { requests, config } = this.#world;
    const state = await requests.stateOf(id);
    const { challenges } = config.tiers[request.tier]!;
    const expected = [posted, time, unfilled, lastBlock ?? 0, challenges].map(BigInt);
    expect([...state], "state of a request").to.deep.equal(expected);
    for (const [provider, { dealId, locked, collected, ended, closed }] of replicas) {
      expect(await requests.dealOf(id, provider), "a provider's deal").to.equal(dealId);
      const unlocked = request.minStake > 0n && locked === 0n;
      const seen = [...(await requests.replicaOf(dealId))];
      expect(seen, "a replica").to.deep.equal([collected, ended, closed, unlocked]);
      const slot = slots.get(dealId);
      const again = slot ? [BigInt(slot.posted), slot.expires, BigInt(slot.periods), slot.maxPrice] : [0n, 0n, 0n, 0n];
      expect([...(await requests.slotOf(id, dealId))], "a slot").to.deep.equal(again);
    }
  }

  /** Time passes until every window has closed. */
  async outlast(): Promise<number> {
    const ends = [...this.books.state.deals.values()].flatMap(({ windows }) => windows.map(({ last }) => last));
    await mineTo(Math.max(await latestBlock(), ...ends) + 1);
    return (await latestBlock()) + 1;
  }
}

function describe(deed: Deed): string {
  return JSON.stringify(deed, (_, value: unknown) => {
    if (typeof value !== "bigint") return value;
    return value > 1n << 64n ? `${value.toString(16).slice(0, 6)}…` : value.toString();
  });
}
