/** Plays a history on the contracts and on the model at once, and compares them after each step. */
import { expect } from "chai";
import { dealIdOf } from "../../src/protocol/index.js";
import { type Action, type Attempt, apply } from "./actions.js";
import { callOf, canonicalProof, drawPossession, drawProof, type Proof, withholding } from "./calls.js";
import { snapshot } from "./changes.js";
import { checkAction, checkState, touched } from "./checks.js";
import {
  blockFor,
  Dice,
  drawAmendment,
  drawMigration,
  drawOpening,
  drawOther,
  drawTerms,
  drawVouched,
  type Intent,
  liveDeals,
  openNow,
  pickDeal,
} from "./intents.js";
import { advance, type Deal, openWindow, type State, statusOf } from "./model.js";
import { isBooked } from "./view.js";
import { latestBlock, look, mineTo, type Sent, type Shot, send, skippedIn, type World } from "./world.js";

const MOST_LIVE = 7;

/** What a settlement pattern makes of an intent's settlements and of the spare block after each action. */
export type Pattern = "as drawn" | "never" | "always";

/** How often each kind of action went through, failed, and with which errors. */
export interface Tally {
  readonly done: Map<string, number>;
  readonly errors: Map<string, number>;
}

export const newTally = (): Tally => ({ done: new Map(), errors: new Map() });
const count = (map: Map<string, number>, key: string): void => {
  map.set(key, (map.get(key) ?? 0) + 1);
};

export class History {
  readonly log: string[] = [];
  readonly outcomes: string[] = [];
  state: State;
  shot: Shot | undefined;
  readonly #seen = new Map<bigint, Map<string, string>>();
  readonly #cancelled: Parameters<typeof drawOpening>[1][] = [];
  readonly #world: World;
  readonly #tally: Tally;
  readonly #pattern: Pattern | undefined;
  #salt = 0;

  constructor(world: World, tally: Tally, pattern?: Pattern) {
    this.#world = world;
    this.#tally = tally;
    this.#pattern = pattern;
    this.state = structuredClone(world.state);
  }

  /** Starts from the deployment's own block, whatever was played before. */
  async play(intents: readonly Intent[]): Promise<void> {
    await this.#world.snapshot.restore();
    try {
      for (const intent of intents) await this.#step(intent);
    } catch (error) {
      if (error instanceof Error) error.message = `${error.message}\n\nLast steps:\n${this.log.slice(-25).join("\n")}`;
      throw error;
    }
  }

  async #step(drawn: Intent): Promise<void> {
    const earliest = await this.#nextBlock();
    // A market without deals has little to show.
    const idle = liveDeals(this.state).length < 2 && drawn.when % 4 !== 0 && drawn.kind !== "settle";
    const intent: Intent = idle ? { ...drawn, kind: "open" } : drawn;
    const dice = new Dice(intent.pick);
    const [, deal] = pickDeal(this.state, new Dice(intent.pick));
    const { honest, fraud } = this.#world.accounts;
    const soonest = liveDeals(this.state)
      .map(([, live]) => live)
      .filter(({ terms }) => terms.provider !== honest.address && terms.provider !== fraud.address)
      .sort((a, b) => nextEpoch(a, earliest) - nextEpoch(b, earliest))[0];
    const block = await this.serveHonest(blockFor(intent, deal, earliest, soonest));
    if (this.#pattern !== undefined && intent.kind === "settle") return this.#settlePattern(block, "as drawn");
    await this.#draw(this.stateAt(block), intent, dice, block);
    if (this.#pattern !== undefined) await this.#settlePattern(await this.serveHonest(block + 1), "always");
  }

  /** Under a pattern: everything is settled in this block, or the block passes. */
  async #settlePattern(block: number, when: Pattern): Promise<void> {
    const settles = this.#pattern === "always" || this.#pattern === when;
    if (!settles) return mineTo(block);
    const ids = [...this.state.deals.keys()];
    const by = this.#world.accounts.keeper.address;
    await this.run({ kind: "settle", by, ids, bountyTo: by }, block);
  }

  async #draw(state: State, intent: Intent, dice: Dice, block: number): Promise<void> {
    const world = this.#world;
    if (intent.kind === "open" || intent.kind === "cancel") return this.#drawTerms(intent, dice, block);
    if (intent.kind === "prove") {
      const [id, deal] = pickDeal(state, dice);
      const proof = await drawProof(world, id, deal, block, dice);
      const epoch = proof.seedKnown || !deal ? undefined : openWindow(deal, block)?.epoch;
      const action: Action = { kind: "prove", by: world.accounts.keeper.address, ...proof };
      return withholding(world, epoch, () => this.run(action, block, [proof]));
    }
    if (intent.kind === "proveByChain") return this.run(drawVouched(world, state, block, dice), block);
    if (intent.kind === "proveMany") return this.#drawBatch(state, dice, block);
    if (intent.kind === "transferIf") return this.#drawTransferIf(state, dice, block);
    if (intent.kind === "amend" || intent.kind === "migrate") return this.#drawChange(state, intent.kind, dice, block);
    return this.run(drawOther(world, state, intent, dice), block);
  }

  async #drawTerms(intent: Intent, dice: Dice, block: number): Promise<void> {
    const world = this.#world;
    const crowded = liveDeals(this.state).length >= MOST_LIVE;
    const again = dice.once(15) ? dice.of([...this.state.deals.values()])?.terms : undefined;
    const void_ = dice.once(12) ? dice.of(this.#cancelled) : undefined;
    const terms = void_ ?? again ?? drawTerms(world, dice, ++this.#salt);
    if (intent.kind === "open" && (!crowded || again || void_)) return this.run(drawOpening(world, terms, dice), block);
    const by = dice.of([terms.client, terms.provider, "stranger", "signer"] as const);
    const known = Object.values(world.accounts).find(({ address }) => address === by)?.address;
    this.#cancelled.push(terms);
    const sender = known ?? world.accounts[by === "signer" ? "signer" : "stranger"].address;
    return this.run({ kind: "cancel", by: sender, id: dealIdOf(world.domain, terms), terms }, block);
  }

  /** A keeper's batch: every deal with an open window, or some of them with junk between. */
  async #drawBatch(state: State, dice: Dice, block: number): Promise<void> {
    const world = this.#world;
    const due = openNow(state, block).filter(([, { terms }]) => terms.provider !== world.accounts.fraud.address);
    const proofs: Proof[] = [];
    const thorough = !dice.once(3);
    for (const [id, deal] of due) {
      if (thorough || !dice.once(3)) proofs.push(await drawProof(world, id, deal, block, thorough ? undefined : dice));
    }
    if (!thorough) proofs.push({ ...(await drawProof(world, 1n, undefined, block, undefined)) });
    if (proofs.length > 1 && !thorough) proofs.push(proofs[0] as Proof);
    const epochOf = (id: bigint): number | undefined => {
      const deal = state.deals.get(id);
      return deal && openWindow(deal, block)?.epoch;
    };
    const hidden = dice.once(4) ? epochOf(dice.of(proofs)?.id ?? 0n) : undefined;
    const known = (id: bigint): boolean => hidden === undefined || epochOf(id) !== hidden;
    const attempts = proofs.map(({ id, valid }) => ({ id, valid, seedKnown: known(id) }));
    const action: Action = { kind: "proveMany", by: world.accounts.keeper.address, attempts, malformed: dice.once(15) };
    await withholding(world, hidden, () => this.run(action, block, proofs));
  }

  /** An amendment or a migration; where there is no deal, of one that does not exist. */
  async #drawChange(state: State, kind: "amend" | "migrate", dice: Dice, block: number): Promise<void> {
    const world = this.#world;
    const [any, found] = pickDeal(state, dice);
    const open = [...state.deals].filter(([, candidate]) => statusOf(candidate) === "Open");
    // Most deals are soon ending or over, and then there is one reason for all refusals.
    const [id, deal] = open.length > 0 && !dice.once(5) ? dice.of(open) : [any, found ?? [...state.deals.values()][0]];
    if (!deal) return;
    if (kind === "amend") return this.run(drawAmendment(world, id, deal, dice), block);
    const drawn = drawMigration(world, id, deal, dice, ++this.#salt);
    const proof = await drawPossession(world, id, drawn.terms, block, dice);
    const hidden = proof.seedKnown ? undefined : proof.epoch;
    const action: Action = { ...drawn, valid: proof.valid, seedKnown: proof.seedKnown };
    await withholding(world, hidden, () => this.run(action, block, [proof]));
  }

  async #drawTransferIf(state: State, dice: Dice, block: number): Promise<void> {
    const [id, deal] = pickDeal(state, dice);
    const seen = [...(this.#seen.get(id) ?? [["", `0x${"00".repeat(32)}`]])];
    const [looked, hash] = (dice.once(3) ? dice.of(seen) : seen.at(-1)) as [string, string];
    const [keeper, cat] = [this.#world.accounts.keeper.address, this.#world.accounts.cat.address];
    const action: Action = { kind: "transferIf", by: deal?.owner ?? keeper, id, to: cat, seen: looked };
    await this.run(action, block, [], hash);
  }

  /**
   * Proves each open window of the honest provider before it closes, in a block of its own before `target`.
   *
   * @returns the block left for the action: `target`, or the one after where a proof had to take it
   */
  async serveHonest(target: number): Promise<number> {
    const honest = this.#world.accounts.honest.address;
    for (;;) {
      const earliest = await this.#nextBlock();
      const mine = liveDeals(this.state).filter(([, { terms }]) => terms.provider === honest);
      const windows = mine.flatMap(([, deal]) => deal.windows.filter((w) => !w.proven && w.last >= earliest));
      const urgent = windows.sort((a, b) => a.last - b.last)[0];
      // A proof may have taken the block meant for the action, and the one left may be a window's last.
      const left = Math.max(target, earliest);
      if (!urgent || urgent.last > left) return left;
      const first = Math.max(urgent.epoch + 1, earliest);
      const block = target % 2 === 0 ? first : urgent.last;
      const proofs: Proof[] = [];
      for (const [id, deal] of mine) {
        const window = openWindow(deal, block);
        if (window && !window.proven) proofs.push(await canonicalProof(this.#world, id, deal, block));
      }
      const attempts: Attempt[] = proofs.map(({ id }) => ({ id, valid: true, seedKnown: true }));
      await this.run({ kind: "proveMany", by: honest, attempts, malformed: false }, block, proofs);
    }
  }

  /** The block that the next transaction can be in; the model's time has passed up to it. */
  async #nextBlock(): Promise<number> {
    const block = (await latestBlock()) + 1;
    advance(this.state, this.#world.config, block);
    return block;
  }

  /** The model's state once time has passed to `block`. */
  stateAt(block: number): State {
    const state = structuredClone(this.state);
    advance(state, this.#world.config, block);
    return state;
  }

  /** One action on both sides, then everything compared. */
  async run(action: Action, block: number, proofs: readonly Proof[] = [], hash?: string): Promise<void> {
    const world = this.#world;
    const sent = await send(world, block, await callOf(world, action, proofs, hash));
    const before = this.state;
    const result = apply(before, world.config, action, { number: block, timestamp: sent.timestamp });
    this.log.push(`block ${block}: ${describe(action)} → ${sent.error ?? "done"}`);
    this.outcomes.push(`${block} ${action.kind} ${sent.error ?? "done"}`);
    expectSame(sent, result.refused);
    this.#count(action, sent);
    if (action.kind === "proveMany" && sent.hash)
      await this.#compareSkipped(action.attempts, result.skipped, sent.hash);
    this.state = result.state;
    const last = this.shot;
    const shot = await this.#compare((id, deal) => !isBooked(deal) || touched(action).includes(id));
    if (last) checkAction(world, action, sent, last, shot);
  }

  /** Compares every deal with the model, also those that were booked to their end long ago. */
  compareAll(): Promise<Shot> {
    return this.#compare(() => true);
  }

  /** Compares all money and some deals with the model; one that is booked to its end moves no more. */
  async #compare(worth: (id: bigint, deal: Deal) => boolean): Promise<Shot> {
    const ids = [...this.state.deals].filter(([id, deal]) => worth(id, deal)).map(([id]) => id);
    const shot = await look(this.#world, ids);
    advance(this.state, this.#world.config, shot.number);
    checkState(this.#world, this.state, shot, this.shot);
    this.#compareHashes(shot);
    this.shot = shot;
    return shot;
  }

  /** Counts how the deals of this history ended. */
  countEnds(): void {
    for (const { end, ending, restored, amendments } of this.state.deals.values()) {
      count(this.#tally.done, `a deal ${end}`);
      if (ending) count(this.#tally.done, `a deal ${end}, ended by its owner`);
      if (amendments > 0) count(this.#tally.done, `a deal ${end}, amended before`);
      if (restored > 0) count(this.#tally.done, `a deal ${end}, restored before`);
    }
  }

  #count(action: Action, sent: Sent): void {
    if (sent.error) count(this.#tally.errors, `${action.kind} ${sent.error}`);
    else count(this.#tally.done, action.kind);
    const gift = action.kind === "open" && action.clientSigned === undefined && action.by !== action.terms.client;
    if (gift && !sent.error) count(this.#tally.done, "open as a gift");
  }

  async #compareSkipped(
    attempts: readonly Attempt[],
    skipped: readonly (readonly string[] | undefined)[],
    hash: string,
  ): Promise<void> {
    const events = await skippedIn(this.#world, hash);
    const expected = attempts.map(({ id }, i) => ({ id, faults: skipped[i] })).filter(({ faults }) => faults);
    expect(events.map(({ id }) => id)).to.deep.equal(expected.map(({ id }) => id));
    for (const [i, { reason }] of events.entries()) {
      expect(reason).to.be.oneOf([...(expected[i]?.faults ?? [])]);
      count(this.#tally.errors, `proveMany skips ${reason}`);
    }
    count(this.#tally.done, events.length < attempts.length ? "proveMany with a proof" : "proveMany without one");
  }

  /** The state's hash changes when what a buyer relies on changes, and only then. */
  #compareHashes(shot: Shot): void {
    for (const [id, { stateHash: hash }] of shot.deals) {
      const known = this.#seen.get(id) ?? new Map<string, string>();
      const looked = snapshot(this.state.deals.get(id) as Deal);
      for (const [other, otherHash] of known) expect(hash === otherHash).to.equal(looked === other);
      known.delete(looked);
      this.#seen.set(id, known.set(looked, hash));
    }
  }
}

const nextEpoch = (deal: Deal, earliest: number): number =>
  deal.windows.find((window) => window.last >= earliest && !window.proven)?.epoch ?? Number.MAX_SAFE_INTEGER;

function expectSame(sent: Sent, refused: readonly string[] | undefined): void {
  if (refused === undefined) expect(sent.error, "the contracts refused what the model allows").to.equal(undefined);
  else expect(sent.error, `the model refuses: ${refused.join(" or ")}`).to.be.oneOf([...refused]);
}

function describe(action: Action): string {
  const short = (_: string, value: unknown): unknown => {
    if (typeof value === "bigint") return value > 1n << 64n ? `${value.toString(16).slice(0, 6)}…` : value.toString();
    return value;
  };
  return JSON.stringify(action, short);
}
