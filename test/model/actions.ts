/** What can be done to the market, and what each does to the model: PROTOCOL section 6, entry point by entry point. */
import type { Amendment, DealTerms } from "../../src/protocol/index.js";
import { change } from "./changes.js";
import {
  addClaim,
  advance,
  book,
  type Config,
  claimOf,
  type Deal,
  deposit,
  hold,
  inForce,
  isAccount,
  isAlias,
  lock,
  openWindow,
  Refused,
  refuse,
  type State,
  stakeOf,
  type Window,
  windowsFrom,
} from "./model.js";

/** A proof as it is sent: whether it is the one for the window open then, and whether that seed can be read. */
export interface Attempt {
  readonly id: bigint;
  readonly valid: boolean;
  readonly seedKnown: boolean;
}

export type Action = { readonly by: string } & (
  | {
      readonly kind: "deposit" | "withdraw" | "provision" | "unprovision";
      readonly token: string;
      readonly amount: bigint;
    }
  | { readonly kind: "setPayee"; readonly payee: string }
  | { readonly kind: "setSigner"; readonly signer: string }
  | {
      readonly kind: "open";
      readonly id: bigint;
      readonly terms: DealTerms;
      readonly phase: number;
      /** Who signed as client and as provider; undefined: the signature is empty. */
      readonly clientSigned: string | undefined;
      readonly providerSigned: string | undefined;
    }
  | { readonly kind: "cancel"; readonly id: bigint; readonly terms: DealTerms }
  | ({ readonly kind: "prove" } & Attempt)
  | {
      readonly kind: "proveByChain";
      readonly id: bigint;
      /** What the chain vouches for: of whom, and which piece. */
      readonly vouched: { readonly provider: string; readonly root: string; readonly leafCount: bigint };
    }
  | { readonly kind: "proveMany"; readonly attempts: readonly Attempt[]; readonly malformed: boolean }
  | { readonly kind: "settle"; readonly ids: readonly bigint[]; readonly bountyTo: string }
  | { readonly kind: "extend"; readonly id: bigint; readonly periods: number; readonly maxCost: bigint }
  | { readonly kind: "restore"; readonly id: bigint; readonly n: number }
  | { readonly kind: "terminate"; readonly id: bigint }
  | {
      readonly kind: "amend";
      readonly id: bigint;
      readonly amendment: Amendment;
      /** Who signed as owner and as provider; undefined: the signature is empty. */
      readonly ownerSigned: string | undefined;
      readonly providerSigned: string | undefined;
    }
  | {
      readonly kind: "migrate";
      readonly id: bigint;
      readonly successor: bigint;
      readonly terms: DealTerms;
      readonly phase: number;
      readonly ownerSigned: string | undefined;
      readonly providerSigned: string | undefined;
      /** Whether the proof of possession is right, and whether its seed can be read. */
      readonly valid: boolean;
      readonly seedKnown: boolean;
    }
  | { readonly kind: "transfer"; readonly id: bigint; readonly from: string; readonly to: string }
  | { readonly kind: "transferIf"; readonly id: bigint; readonly to: string; readonly seen: string }
);

export type ActionOf<K extends Action["kind"]> = Extract<Action, { kind: K }>;

/** What an action did: the state after it, or why it failed. In a batch, why each proof was skipped. */
export interface Result {
  readonly state: State;
  readonly refused: readonly string[] | undefined;
  readonly skipped: readonly (readonly string[] | undefined)[];
}

/** The block that an action is in. */
export interface At {
  readonly number: number;
  readonly timestamp: bigint;
}

/** Applies an action to a copy of the state; a refused one leaves only the time that has passed. */
export function apply(before: State, config: Config, action: Action, at: At): Result {
  advance(before, config, at.number);
  const state = structuredClone(before);
  try {
    const skipped = run(state, config, action, at) ?? [];
    return { state, refused: undefined, skipped };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { state: before, refused: error.names, skipped: [] };
  }
}

function run(state: State, config: Config, action: Action, at: At): Result["skipped"] | undefined {
  switch (action.kind) {
    case "deposit":
      refuse(action.amount === 0n && "ZeroAmount");
      deposit(state, action.token, action.by, action.amount);
      return;
    case "withdraw":
      refuse(action.amount === 0n && "ZeroAmount", short(state, action) && "ERC6909InsufficientBalance");
      deposit(state, action.token, action.by, -action.amount);
      return;
    case "provision":
      refuse(action.amount === 0n && "ZeroAmount", short(state, action) && "ERC6909InsufficientBalance");
      addClaim(state, action.token, action.by, -action.amount);
      stakeOf(state, action.token, action.by).free += action.amount;
      return;
    case "unprovision": {
      const stake = stakeOf(state, action.token, action.by);
      refuse(action.amount === 0n && "ZeroAmount", stake.free < action.amount && "InsufficientStake");
      stake.free -= action.amount;
      addClaim(state, action.token, action.by, action.amount);
      return;
    }
    case "setPayee":
      refuse(!isAccount(action.payee) && "InvalidAccount");
      state.payees.set(action.by, action.payee);
      return;
    case "setSigner":
      return setSigner(state, action);
    case "open":
      return open(state, config, action, at);
    case "cancel":
      return cancel(state, action);
    case "prove":
      refuse(...proofFaults(state, action));
      mark(state, config, action.id, true);
      return;
    case "proveByChain":
      return proveByChain(state, config, action);
    case "proveMany":
      refuse(action.malformed && "MalformedBatch");
      return action.attempts.map((attempt) => proveItem(state, config, attempt));
    case "settle":
      for (const id of action.ids) {
        const deal = state.deals.get(id);
        if (deal) book(state, config, deal, action.bountyTo);
      }
      return;
    default:
      change(state, config, action, at);
      return;
  }
}

const short = (state: State, { token, by, amount }: { token: string; by: string; amount: bigint }): boolean =>
  claimOf(state, token, by) < amount;

function setSigner(state: State, { by, signer }: ActionOf<"setSigner">): undefined {
  const old = state.signers.get(by);
  if (signer === old) return;
  refuse(
    (signer === by || isAlias(signer)) && "InvalidAccount",
    state.retired.has(`${by}|${signer}`) && "SignerRetired",
  );
  if (old) state.retired.add(`${by}|${old}`);
  state.signers.set(by, signer);
}

// Opening

function open(state: State, config: Config, action: ActionOf<"open">, at: At): undefined {
  const { id, terms, by } = action;
  const gift = action.clientSigned === undefined && by !== terms.client;
  const signer = state.signers.get(terms.provider);
  const accepted =
    [terms.provider, signer].includes(by) || [terms.provider, signer].includes(action.providerSigned ?? "");
  refuse(
    state.deals.has(id) && "DealExists",
    state.cancelled.has(id) && "TermsCancelled",
    at.timestamp > terms.validUntil && "TermsExpired",
    ...termsFaults(config, terms),
    !gift && by !== terms.client && action.clientSigned !== terms.client && "InvalidClientSignature",
    !accepted && "InvalidProviderSignature",
  );
  const payer = gift ? by : terms.client;
  const cost = terms.pricePerPeriod * BigInt(terms.periods);
  const own = stakeOf(state, config.stakeToken, terms.provider);
  refuse(
    own.free + own.locked < config.minStake && "StakeBelowMinimum",
    ...faultsOf(() => hold(state, terms.token, payer, cost)),
    ...faultsOf(() => lock(state, terms.token, terms.provider, terms.collateral)),
  );
  state.deals.set(id, newDeal(config, action, at, gift, new Map([[payer, cost]])));
}

export function newDeal(
  config: Config,
  { terms, phase }: { terms: DealTerms; phase: number },
  at: At,
  gift: boolean,
  fundedBy: Map<string, bigint>,
): Deal {
  const under = { root: terms.root, leafCount: terms.leafCount, price: terms.pricePerPeriod };
  return {
    terms,
    gift,
    fundedBy,
    owner: terms.client,
    owners: [terms.client],
    windows: windowsFrom(config.tiers[terms.tier]!, phase, at.number + config.finality, terms.periods, under),
    entries: [],
    funded: terms.pricePerPeriod * BigInt(terms.periods),
    bonded: terms.collateral,
    restored: 0,
    misses: 0,
    earned: 0,
    earnedMoved: 0,
    slashed: 0,
    slashedMoved: 0,
    amendments: 0,
    booked: under,
    ending: false,
    successor: undefined,
    end: undefined,
  };
}

export function faultsOf(step: () => void): readonly string[] {
  try {
    step();
    return [];
  } catch (error) {
    if (error instanceof Refused) return error.names;
    throw error;
  }
}

export const canReceive = (config: Config, account: string): boolean =>
  isAccount(account) && !config.protocol.includes(account);

export function termsFaults(config: Config, terms: DealTerms): (string | false)[] {
  const tier = config.tiers[terms.tier];
  if (!tier) return ["UnknownTier"];
  const fits = tier.maxMisses <= terms.periods && terms.periods <= terms.maxPeriods && terms.maxPeriods <= 2 ** 24;
  const most = BigInt(terms.maxPeriods);
  const bond = terms.collateral + most * (terms.collateral / BigInt(tier.maxMisses));
  return [
    (!canReceive(config, terms.client) || !canReceive(config, terms.provider)) && "InvalidAccount",
    (terms.leafCount < 1n || terms.leafCount > 2n ** 40n) && "InvalidLeafCount",
    (BigInt(terms.root) & 0xc0n) !== 0n && "InvalidRoot",
    !fits && "InvalidPeriods",
    terms.collateral !== 0n && terms.collateral < BigInt(tier.maxMisses) && "InvalidCollateral",
    (terms.pricePerPeriod * most >= 2n ** 128n || bond >= 2n ** 128n) && "AmountTooLarge",
  ];
}

function cancel(state: State, { by, id, terms }: ActionOf<"cancel">): undefined {
  const party = [terms.client, terms.provider, state.signers.get(terms.provider)].includes(by);
  refuse(state.deals.has(id) && "DealExists", state.cancelled.has(id) && "TermsCancelled", !party && "NotAParty");
  state.cancelled.add(id);
}

// Proving

/** Why no proof would do. */
function untimely(state: State, { id }: Pick<Attempt, "id">): (string | false)[] {
  const deal = state.deals.get(id);
  if (!deal) return ["UnknownDeal"];
  const window = openWindow(deal, state.block);
  if (!window) return ["NoOpenWindow", deal.end === "Defaulted" && "WrongStatus"];
  return [deal.end === "Defaulted" && "WrongStatus", window.proven && "AlreadyProven"];
}

function proofFaults(state: State, attempt: Attempt): (string | false)[] {
  const { valid, seedKnown } = attempt;
  return [...untimely(state, attempt), !seedKnown && "SeedUnavailable", !valid && "InvalidProof"];
}

/** It settles first, and asks for no seed. */
function proveByChain(state: State, config: Config, action: ActionOf<"proveByChain">): undefined {
  const { id, vouched } = action;
  refuse(...untimely(state, action));
  const deal = state.deals.get(id) as Deal;
  const window = openWindow(deal, state.block) as Window;
  const { root, leafCount } = window.under;
  const isAsked = vouched.root === root && vouched.leafCount === leafCount && vouched.provider === deal.terms.provider;
  refuse(!config.chainTiers.includes(deal.terms.tier) && "NotByChain", !isAsked && "InvalidProof");
  book(state, config, deal, deal.owner);
  window.proven = true;
}

/** A timely proof books nothing, unless it is the first one under a new agreement: then all is booked before. */
function mark(state: State, config: Config, id: bigint, proven: boolean): void {
  const deal = state.deals.get(id) as Deal;
  if (inForce(deal) !== deal.booked) book(state, config, deal, deal.owner);
  (openWindow(deal, state.block) as Window).proven ||= proven;
}

function proveItem(state: State, config: Config, attempt: Attempt): readonly string[] | undefined {
  const faults = proofFaults(state, attempt).filter((fault) => fault !== false);
  if (!untimely(state, attempt).some((fault) => fault)) mark(state, config, attempt.id, faults.length === 0);
  return faults.length > 0 ? faults : undefined;
}
