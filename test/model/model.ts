/**
 * A reference model of the market, written from the definitions of PROTOCOL sections 5, 6 and 8 and not from the
 * contracts: windows are a list, each is looked at when it closes, and every movement of money is an entry. Nothing is
 * derived by formula from counters, so the model can find mistakes in the formulas.
 */
import type { DealTerms, Tier } from "../../src/protocol/index.js";

export interface Config {
  readonly tiers: readonly Tier[];
  /** Those that the chain may prove. */
  readonly chainTiers: readonly number[];
  readonly feeBps: bigint;
  readonly finality: number;
  readonly stakeToken: string;
  readonly minStake: bigint;
  readonly treasury: string;
  /** Vault, registry and market: nobody's accounts. */
  readonly protocol: readonly string[];
}

export type End = "Completed" | "Defaulted" | "Migrated";
export type Outcome = "Open" | "Ending" | End;
export type EntryKind = "payment" | "fee" | "refund" | "bounty" | "compensation" | "returned";

/** What both parties agreed on at once: the terms, or an amendment. */
export interface Commitment {
  readonly root: string;
  readonly leafCount: bigint;
  readonly price: bigint;
}

export interface Window {
  readonly epoch: number;
  readonly last: number;
  /** What it is proven against and costs; windows under one agreement share the object. */
  under: Commitment;
  proven: boolean;
  judged: boolean;
  /** Missed, and its pay given back. */
  returned: boolean;
}

/** Something that happened to a deal's money; it moves when somebody settles. */
export interface Entry {
  readonly kind: EntryKind;
  readonly amount: bigint;
  moved: boolean;
}

export interface Deal {
  readonly terms: DealTerms;
  readonly gift: boolean;
  readonly fundedBy: Map<string, bigint>;
  owner: string;
  owners: string[];
  windows: Window[];
  entries: Entry[];
  funded: bigint;
  bonded: bigint;
  restored: number;
  misses: number;
  /** Windows earned and misses slashed, and how many of each have been moved. */
  earned: number;
  earnedMoved: number;
  slashed: number;
  slashedMoved: number;
  amendments: number;
  /** What was in force when it was booked last. */
  booked: Commitment;
  ending: boolean;
  successor: bigint | undefined;
  end: End | undefined;
}

export interface Stake {
  free: bigint;
  locked: bigint;
}

export interface State {
  block: number;
  /** Claims in the vault by `token|account`. */
  claims: Map<string, bigint>;
  /** What each account has withdrawn less what it has deposited, by `token|account`. */
  gains: Map<string, bigint>;
  /** Stake at the market by `token|provider`. */
  stakes: Map<string, Stake>;
  /** The market's escrow by token. */
  escrow: Map<string, bigint>;
  payees: Map<string, string>;
  signers: Map<string, string>;
  retired: Set<string>;
  operators: Set<string>;
  deals: Map<bigint, Deal>;
  cancelled: Set<bigint>;
}

/** Why an action fails: every name of an error that applies, in no order. */
export class Refused extends Error {
  readonly names: readonly string[];

  constructor(names: readonly string[]) {
    super(names.join(" or "));
    this.names = names;
  }
}

const ZERO = `0x${"0".repeat(40)}`;
export const isAlias = (account: string): boolean => BigInt(account) >> 64n === 0xff0000000000000000000000n;
export const isAccount = (account: string): boolean => account !== ZERO && !isAlias(account);

export function refuse(...faults: readonly (string | false | undefined)[]): void {
  const names = faults.filter((fault) => typeof fault === "string");
  if (names.length > 0) throw new Refused(names);
}

export const emptyState = (): State => ({
  block: 0,
  claims: new Map(),
  gains: new Map(),
  stakes: new Map(),
  escrow: new Map(),
  payees: new Map(),
  signers: new Map(),
  retired: new Set(),
  operators: new Set(),
  deals: new Map(),
  cancelled: new Set(),
});

// Money

export const claimOf = (state: State, token: string, account: string): bigint =>
  state.claims.get(`${token}|${account}`) ?? 0n;

export function addClaim(state: State, token: string, account: string, amount: bigint): void {
  state.claims.set(`${token}|${account}`, claimOf(state, token, account) + amount);
}

/** Tokens of an account enter the vault, or leave it where the amount is negative. */
export function deposit(state: State, token: string, account: string, amount: bigint): void {
  const key = `${token}|${account}`;
  addClaim(state, token, account, amount);
  state.gains.set(key, (state.gains.get(key) ?? 0n) - amount);
}

export function stakeOf(state: State, token: string, provider: string): Stake {
  const key = `${token}|${provider}`;
  const stake = state.stakes.get(key) ?? { free: 0n, locked: 0n };
  state.stakes.set(key, stake);
  return stake;
}

const addEscrow = (state: State, token: string, amount: bigint): void => {
  state.escrow.set(token, (state.escrow.get(token) ?? 0n) + amount);
};

/** Takes money from an account into the market's escrow. */
export function hold(state: State, token: string, from: string, amount: bigint): void {
  if (amount === 0n) return;
  refuse(
    !state.operators.has(from) && "ERC6909InsufficientAllowance",
    claimOf(state, token, from) < amount && "ERC6909InsufficientBalance",
  );
  addClaim(state, token, from, -amount);
  addEscrow(state, token, amount);
}

export function payFromEscrow(state: State, token: string, to: string, amount: bigint): void {
  addEscrow(state, token, -amount);
  addClaim(state, token, to, amount);
}

export function lock(state: State, token: string, provider: string, amount: bigint): void {
  if (amount === 0n) return;
  const stake = stakeOf(state, token, provider);
  refuse(stake.free < amount && "InsufficientStake");
  stake.free -= amount;
  stake.locked += amount;
}

// A deal's life

export const sumOf = (deal: Deal, kinds: readonly EntryKind[], moved?: boolean): bigint =>
  deal.entries
    .filter((entry) => kinds.includes(entry.kind) && (moved === undefined || entry.moved === moved))
    .reduce((sum, entry) => sum + entry.amount, 0n);

export const shareOf = (deal: Deal, config: Config): bigint =>
  deal.terms.collateral / BigInt(tierOf(deal, config).maxMisses);

export const tierOf = (deal: Deal, config: Config): Tier => config.tiers[deal.terms.tier] as Tier;
export const allowanceOf = (deal: Deal, config: Config): number => tierOf(deal, config).maxMisses + deal.restored;

export const statusOf = (deal: Deal): Outcome => deal.end ?? (deal.ending ? "Ending" : "Open");
export const isLive = (deal: Deal): boolean => deal.end === undefined;

const note = (deal: Deal, kind: EntryKind, amount: bigint): void => {
  deal.entries.push({ kind, amount, moved: false });
};

function earn(deal: Deal, config: Config, { under: { price } }: Window): void {
  const fee = (price * config.feeBps) / 10_000n;
  note(deal, "payment", price - fee);
  note(deal, "fee", fee);
  deal.earned++;
}

/** The window closes without a proof: one share goes, the last of the allowance takes all that is left. */
function miss(deal: Deal, config: Config): void {
  deal.misses++;
  const last = deal.misses === allowanceOf(deal, config);
  const slash = last ? deal.bonded - sumOf(deal, ["bounty", "compensation"]) : shareOf(deal, config);
  const bounty = (slash * 5n) / 100n;
  note(deal, "bounty", bounty);
  note(deal, "compensation", slash - bounty);
  deal.slashed++;
  if (last) finish(deal, "Defaulted");
}

function finish(deal: Deal, end: End): void {
  deal.end = end;
  // What was not in force before a default never will be.
  const last = deal.windows.findLast((window) => window.judged) as Window;
  deal.windows = deal.windows.filter((window) => window.judged || window.under === last.under);
  note(deal, "refund", deal.funded - sumOf(deal, ["payment", "fee", "refund"]));
  note(deal, "returned", deal.bonded - sumOf(deal, ["bounty", "compensation"]));
}

/** Lets time pass for one deal: looks at each window once, as it closes. */
function age(deal: Deal, config: Config, block: number): void {
  for (const window of deal.windows) {
    if (!isLive(deal)) return;
    if (window.judged || window.last >= block) continue;
    window.judged = true;
    if (window.proven) earn(deal, config, window);
    else miss(deal, config);
    if (isLive(deal)) replace(deal);
  }
  if (isLive(deal) && deal.windows.every((window) => window.judged)) {
    finish(deal, deal.successor === undefined ? "Completed" : "Migrated");
  }
}

/** Where every window of an agreement has closed and another one follows, what it kept for missed windows goes back. */
export function replace(deal: Deal): void {
  const now = inForce(deal);
  for (const window of deal.windows) {
    if (window.under === now) return;
    if (window.proven || window.returned) continue;
    window.returned = true;
    note(deal, "refund", window.under.price);
  }
}

/** What the first window that has not closed is under, or the last one where none is left. */
export const inForce = (deal: Deal): Commitment =>
  (deal.windows.find((window) => !window.judged) ?? (deal.windows.at(-1) as Window)).under;

/** Whether an amendment was agreed on that is not in force yet. */
export const isWaiting = (deal: Deal): boolean => deal.windows.at(-1)?.under !== inForce(deal);

/** Lets time pass up to `block`. */
export function advance(state: State, config: Config, block: number): void {
  if (block < state.block) throw new Error("time does not run backwards");
  state.block = block;
  for (const deal of state.deals.values()) age(deal, config, block);
}

/** Moves what has happened to a deal and was not moved yet. */
export function book(state: State, config: Config, deal: Deal, bountyTo: string): void {
  const { token, provider } = deal.terms;
  const stake = stakeOf(state, token, provider);
  const receivers: Record<EntryKind, string> = {
    payment: state.payees.get(provider) ?? provider,
    fee: config.treasury,
    refund: deal.owner,
    bounty: isAccount(bountyTo) ? bountyTo : deal.owner,
    compensation: deal.owner,
    returned: provider,
  };
  for (const entry of deal.entries) {
    if (entry.moved) continue;
    entry.moved = true;
    const { kind, amount } = entry;
    const to = receivers[kind];
    if (kind === "payment" || kind === "fee" || kind === "refund") payFromEscrow(state, token, to, amount);
    else stake.locked -= amount;
    if (kind === "returned") stake.free += amount;
    if (kind === "bounty" || kind === "compensation") addClaim(state, token, to, amount);
  }
  deal.booked = inForce(deal);
  deal.earnedMoved = deal.earned;
  deal.slashedMoved = deal.slashed;
}

/** e_1 … e_n as a search: the first block of the provider's phase that is far enough away, then every period. */
export function windowsFrom(tier: Tier, phase: number, earliest: number, count: number, under: Commitment): Window[] {
  let epoch = earliest;
  while (epoch % tier.period !== phase) epoch++;
  return Array.from({ length: count }, (_, i) => windowAt(tier, epoch + i * tier.period, under));
}

export const windowAt = (tier: Tier, epoch: number, under: Commitment): Window => ({
  epoch,
  last: epoch + tier.window,
  under,
  proven: false,
  judged: false,
  returned: false,
});

/** Takes windows off the end, and says what they would have cost. */
export function cut(deal: Deal, kept: number): bigint {
  return deal.windows.splice(kept).reduce((sum, { under }) => sum + under.price, 0n);
}

export const openWindow = (deal: Deal, block: number): Window | undefined =>
  deal.windows.find((window) => window.epoch < block && block <= window.last);
