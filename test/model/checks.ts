/** What must hold after each step: the model's view, and PROTOCOL section 12 on the chain's own figures. */
import { expect } from "chai";
import { Status } from "../../src/protocol/index.js";
import type { Action } from "./actions.js";
import { claimOf, type Deal, type State, stakeOf, tierOf } from "./model.js";
import { viewOf } from "./view.js";
import type { DealShot, Sent, Shot, World } from "./world.js";

const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((total, amount) => total + amount, 0n);

/** Compares everything with the model, and checks the invariants that hold at any time. */
export function checkState(world: World, state: State, shot: Shot, before: Shot | undefined): void {
  for (const [id, seen] of shot.deals) {
    const deal = state.deals.get(id) as Deal;
    const label = `deal ${id.toString(16).slice(0, 6)}… at block ${shot.number}`;
    const expected = viewOf(deal, world.config, shot.number);
    expect(only(seen, expected), label).to.deep.equal(expected);
    checkDeal(world, deal, seen, before?.deals.get(id), label);
  }
  checkMoney(world, state, shot);
}

/** The members of a shot that the model knows, the record's among them. */
function only(seen: DealShot, expected: object): Record<string, unknown> {
  const flat: Record<string, unknown> = { ...seen.record, ...seen };
  return Object.fromEntries(Object.keys(expected).map((key) => [key, flat[key]]));
}

function checkDeal(world: World, deal: Deal, seen: DealShot, before: DealShot | undefined, label: string): void {
  for (const totals of [seen.booked, seen.settled]) {
    const { paid, fee, refunded, escrow, funded } = totals;
    expect(paid + fee + refunded + escrow, `${label}: invariant 2`).to.equal(funded);
    const { bounty, compensation, returned, stake, bonded } = totals;
    expect(bounty + compensation + returned + stake, `${label}: invariant 3`).to.equal(bonded);
    expect(
      Object.values(totals).every((amount) => amount >= 0n),
      `${label}: no total below zero`,
    ).to.equal(true);
  }
  const { closed, provenClosed, missed, allowance, status } = seen.record.standing;
  const periods = seen.record.periods as bigint;
  expect(provenClosed <= closed && closed <= periods && missed <= allowance, `${label}: invariant 5`).to.equal(true);
  if (before && before.record.standing.status >= Status.Completed) {
    expect(status, `${label}: invariant 9`).to.equal(before.record.standing.status);
  }
  if (deal.terms.provider === world.accounts.honest.address) {
    expect([missed, seen.settled.slashed], `${label}: invariant 13`).to.deep.equal([0n, 0n]);
  }
  const hollow = seen.record.proven === 0n && deal.restored === 0 && !deal.ending;
  if (hollow && closed >= BigInt(tierOf(deal, world.config).maxMisses)) {
    expect(seen.settled.slashed, `${label}: invariant 15`).to.equal(seen.settled.bonded);
  }
}

/** Invariants 1 and 4, and each balance as the model has it. */
function checkMoney(world: World, state: State, shot: Shot): void {
  const accounts = Object.values(world.accounts).map(({ address }) => address);
  for (const [t, token] of world.tokens.entries()) {
    const money = shot.money[t] as Shot["money"][number];
    const of = (pick: (address: string) => bigint): bigint[] => accounts.map(pick);
    expect(money.claims, "claims").to.deep.equal(of((account) => claimOf(state, token, account)));
    expect(money.free, "free stake").to.deep.equal(of((account) => stakeOf(state, token, account).free));
    expect(money.locked, "locked stake").to.deep.equal(of((account) => stakeOf(state, token, account).locked));
    expect(money.marketEscrow, "escrow").to.equal(state.escrow.get(token) ?? 0n);
    const { held, claims, marketEscrow, registryEscrow, free, locked } = money;
    expect(held, "invariant 1: the vault holds its claims").to.equal(sum(claims) + marketEscrow + registryEscrow);
    expect(registryEscrow, "invariant 1: stake").to.equal(sum(free) + sum(locked));
    const deals = [...shot.deals.values()].filter(({ record }) => record.token === token);
    expect(marketEscrow, "invariant 1: escrow").to.equal(sum(deals.map(({ booked }) => booked.escrow)));
    for (const [a, account] of accounts.entries()) {
      const own = deals.filter(({ record }) => record.provider === account);
      expect(locked[a], "invariant 4").to.equal(sum(own.map(({ booked }) => booked.stake)));
    }
  }
}

/** Which deals an action may touch. */
export function touched(action: Action): readonly bigint[] {
  if (action.kind === "settle") return action.ids;
  if (action.kind === "proveMany") return action.attempts.map(({ id }) => id);
  return "id" in action ? [action.id] : [];
}

/** Invariants on a single step: 7, 8 and 10. */
export function checkAction(world: World, action: Action, sent: Sent, before: Shot, after: Shot): void {
  if (action.kind === "settle") expect(sent.error, "invariant 10: settle never reverts").to.equal(undefined);
  const own = touched(action);
  for (const [id, { booked }] of after.deals) {
    const was = before.deals.get(id)?.booked;
    if (was && !own.includes(id)) expect(booked, "invariant 7").to.deep.equal(was);
  }
  const mayFall = [action.by];
  // What an owner signed may take money of theirs, whoever sends it.
  if (action.kind === "amend" || action.kind === "migrate")
    mayFall.push(...(action.ownerSigned ? [action.ownerSigned] : []));
  if (action.kind === "open" && action.clientSigned === action.terms.client) mayFall.push(action.terms.client);
  for (const t of world.tokens.keys()) {
    for (const [a, { address }] of Object.values(world.accounts).entries()) {
      if (mayFall.includes(address)) continue;
      const [was, is] = [before.money[t]?.claims[a] as bigint, after.money[t]?.claims[a] as bigint];
      expect(is >= was, `invariant 8: ${address} lost ${was - is} by ${action.kind}`).to.equal(true);
    }
  }
}
