/** Histories as fast-check draws and shrinks them: what to try next, in numbers that any state can make sense of. */
import { toBeHex, ZeroHash } from "ethers";
import fc from "fast-check";
import { type Amendment, type DealTerms, dealIdOf } from "../../src/protocol/index.js";
import type { Action } from "./actions.js";
import { claimOf, type Deal, inForce, isLive, openWindow, type State, stakeOf } from "./model.js";
import { ALIAS, CLIENTS, type Name, PROVIDERS, phaseFor, TIERS, type World } from "./world.js";

/** `pick` are arbitrary numbers, read modulo whatever is there to choose from. */
export interface Intent {
  readonly kind: Action["kind"];
  readonly when: number;
  readonly pick: readonly number[];
}

const WEIGHTS: Readonly<Record<Action["kind"], number>> = {
  open: 16,
  prove: 20,
  proveByChain: 10,
  proveMany: 24,
  settle: 10,
  extend: 8,
  restore: 9,
  terminate: 6,
  amend: 14,
  migrate: 10,
  transfer: 8,
  transferIf: 7,
  cancel: 6,
  deposit: 2,
  withdraw: 4,
  provision: 3,
  unprovision: 3,
  setPayee: 3,
  setSigner: 3,
};

const intent: fc.Arbitrary<Intent> = fc.record({
  kind: fc.oneof(
    ...Object.entries(WEIGHTS).map(([kind, weight]) => ({
      weight,
      arbitrary: fc.constant(kind as Action["kind"]),
    })),
  ),
  when: fc.nat(999),
  pick: fc.array(fc.nat(9_999), { minLength: 10, maxLength: 10 }),
});

/** Histories of up to `most` intents; they shrink to the few that matter, and to low numbers. */
export const historyOf = (most: number): fc.Arbitrary<Intent[]> =>
  fc.noBias(fc.array(intent, { maxLength: most, size: "max" }));

/** Reads choices off an intent one after the other. */
export class Dice {
  #at = 0;
  readonly #pick: readonly number[];

  constructor(pick: readonly number[]) {
    this.#pick = pick;
  }

  below(count: number): number {
    const roll = this.#pick[this.#at++ % this.#pick.length] as number;
    return count <= 0 ? 0 : Math.floor(roll / (1 + (this.#at > this.#pick.length ? 7 : 0))) % count;
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  /** True once in `count` times. */
  once(count: number): boolean {
    return this.below(count) === count - 1;
  }

  upTo(most: bigint): bigint {
    return most <= 0n ? 0n : BigInt(this.below(10_000)) % (most + 1n);
  }
}

export const addressOf = (world: World, name: Name): string => world.accounts[name].address;
export const liveDeals = (state: State): [bigint, Deal][] => [...state.deals].filter(([, deal]) => isLive(deal));

/** A deal, live more often than not; where there is none, an id that does not exist. */
export function pickDeal(state: State, dice: Dice): [bigint, Deal | undefined] {
  const live = liveDeals(state);
  const all = [...state.deals];
  const list = live.length > 0 && !dice.once(8) ? live : all;
  return list.length === 0 || dice.once(60) ? [1n, undefined] : (dice.of(list) as [bigint, Deal]);
}

/** The block that an intent is for: the next one, some blocks on, or an edge of the window that a deal meets next. */
export function blockFor(intent: Intent, deal: Deal | undefined, earliest: number, soonest: Deal | undefined): number {
  const proof = ["prove", "proveByChain", "proveMany"].includes(intent.kind);
  const of = intent.kind === "proveMany" ? soonest : deal;
  const window = of?.windows.find((candidate) => candidate.last >= earliest && !(proof && candidate.proven));
  const way = intent.when % 10;
  const end = deal?.windows.at(-1)?.epoch ?? 0;
  // The last challenge is an extension's own edge.
  if (intent.kind === "extend" && way > 4 && end > earliest) return end + ((intent.when % 3) - 1);
  if (!window || (!proof && way < 6)) return earliest + (way === 0 ? intent.when % 13 : 0);
  const { epoch, last } = window;
  const middle = epoch + 1 + (intent.when % (last - epoch));
  const places = proof
    ? [epoch, epoch + 1, epoch + 1, middle, middle, middle, last, last, last, last + 1]
    : [0, 0, 0, 0, 0, 0, epoch, epoch + 1, last, last + 1];
  return Math.max(places[way] as number, earliest);
}

/** Terms that somebody might offer, sound except once in eleven times. */
export function drawTerms(world: World, dice: Dice, salt: number): DealTerms {
  const tier = dice.below(TIERS.length);
  const { maxMisses } = TIERS[tier] as (typeof TIERS)[number];
  const { commitment, root } = dice.of(world.pieces);
  const periods = maxMisses + dice.below(5);
  const terms: DealTerms = {
    client: addressOf(world, dice.of(CLIENTS)),
    provider: addressOf(world, dice.of(PROVIDERS)),
    root,
    leafCount: commitment.leafCount,
    tier,
    periods,
    maxPeriods: periods + dice.below(9),
    token: dice.of(world.tokens),
    pricePerPeriod: dice.once(8) ? 0n : BigInt(1 + dice.below(2_999)),
    collateral: dice.once(6) ? 0n : BigInt(maxMisses + dice.below(5_000)),
    egressPricePerGiB: 0n,
    validUntil: 1n << 40n,
    salt: toBeHex(salt, 32),
  };
  return dice.once(11) ? spoil(world, terms, dice.below(11)) : terms;
}

function spoil(world: World, terms: DealTerms, way: number): DealTerms {
  const changes: Partial<DealTerms>[] = [
    { validUntil: 1n },
    { tier: TIERS.length },
    { client: ALIAS },
    { provider: world.marketAddress },
    { leafCount: 0n },
    { root: `${ZeroHash.slice(0, -2)}80` },
    { periods: terms.maxPeriods + 1 },
    { periods: 0 },
    { collateral: 1n, tier: 0 },
    { collateral: 1n << 96n },
    { pricePerPeriod: 1n << 127n },
  ];
  return { ...terms, ...changes[way] };
}

/** Who sends terms and who has signed them; most ways are right, some are not. */
export function drawOpening(world: World, terms: DealTerms, dice: Dice): Action {
  const [client, provider] = [terms.client, terms.provider];
  const [keeper, signer, stranger] = (["keeper", "signer", "stranger"] as const).map((name) => addressOf(world, name));
  const ways: [string | undefined, string | undefined, string | undefined][] = [
    [client, undefined, provider],
    [client, undefined, signer],
    [provider, client, undefined],
    [keeper, client, provider],
    [keeper, undefined, provider],
    [provider, undefined, undefined],
    [signer, client, undefined],
    [stranger, undefined, provider],
    [keeper, stranger, provider],
    [keeper, client, client],
    [client, undefined, undefined],
  ];
  const [by, clientSigned, providerSigned] = ways[dice.once(4) ? dice.below(ways.length) : dice.below(6)]!;
  const known = Object.values(world.accounts).some((account) => account.address === by);
  return {
    kind: "open",
    by: known ? (by as string) : (keeper as string),
    id: dealIdOf(world.domain, terms),
    terms,
    phase: phaseFor(terms),
    clientSigned,
    providerSigned,
  };
}

/** Who sends a change and who has signed it, as owner and as provider; most ways are right, some are not. */
function drawConsent(world: World, owner: string, provider: string, dice: Dice) {
  const [keeper, signer, stranger] = (["keeper", "signer", "stranger"] as const).map((name) => addressOf(world, name));
  const ways: [string | undefined, string | undefined, string | undefined][] = [
    [owner, undefined, provider],
    [provider, owner, undefined],
    [keeper, owner, provider],
    [owner, undefined, signer],
    [signer, owner, undefined],
    [keeper, undefined, provider],
    [keeper, stranger, provider],
    [owner, undefined, undefined],
    [owner, undefined, stranger],
    [provider, provider, undefined],
  ];
  const [by, ownerSigned, providerSigned] = ways[dice.once(4) ? dice.below(ways.length) : dice.below(3)]!;
  const known = Object.values(world.accounts).some((account) => account.address === by);
  return { by: known ? (by as string) : (keeper as string), ownerSigned, providerSigned };
}

/** Another piece, another price, or both; sound except once in seven times. */
export function drawAmendment(world: World, id: bigint, deal: Deal, dice: Dice): Action {
  const { commitment, root } = dice.of(world.pieces);
  const before = deal.windows.at(-1)!.under.price;
  const prices = [before, before + BigInt(dice.below(900)), before / 2n, BigInt(dice.below(2_999)), 0n];
  const amendment: Amendment = {
    dealId: id,
    root,
    leafCount: commitment.leafCount,
    pricePerPeriod: dice.of(prices),
    nonce: deal.amendments,
    validUntil: 1n << 40n,
  };
  const spoils: Partial<Amendment>[] = [
    { validUntil: 1n },
    { nonce: deal.amendments + 1 },
    { nonce: 0 },
    { leafCount: 0n },
    { root: `${ZeroHash.slice(0, -2)}40` },
    { pricePerPeriod: (1n << 128n) - 1n },
  ];
  const changed = { ...amendment, ...(dice.once(7) ? dice.of(spoils) : {}) };
  return { kind: "amend", id, amendment: changed, ...drawConsent(world, deal.owner, deal.terms.provider, dice) };
}

/** Terms for the same piece with somebody else, or nearly. */
export function drawMigration(
  world: World,
  id: bigint,
  deal: Deal,
  dice: Dice,
  salt: number,
): Omit<Extract<Action, { kind: "migrate" }>, "valid" | "seedKnown"> {
  const wrong = dice.below(12);
  const { root, leafCount } = inForce(deal);
  const drawn = drawTerms(world, dice, salt);
  const token = dice.once(3) ? drawn.token : deal.terms.token;
  const sound = { ...drawn, client: deal.owner, root, leafCount, token };
  const terms =
    [
      { ...sound, root: drawn.root, leafCount: drawn.leafCount },
      { ...sound, client: addressOf(world, "keeper") },
    ][wrong] ?? sound;
  return {
    kind: "migrate",
    id,
    successor: dealIdOf(world.domain, terms),
    terms,
    phase: phaseFor(terms),
    ...drawConsent(world, deal.owner, terms.provider, dice),
  };
}

/** What the chain is said to vouch for: mostly the piece that is asked for, sometimes the first one, or another provider's. */
export function drawVouched(world: World, state: State, block: number, dice: Dice): Action {
  const [id, deal] = pickDeal(state, dice);
  const asked = (deal && openWindow(deal, block)) ?? deal?.windows.at(-1);
  const way = dice.below(6);
  const { root, leafCount } = (way === 0 ? deal?.windows[0] : asked)?.under ?? { root: ZeroHash, leafCount: 1n };
  const keeper = addressOf(world, "keeper");
  const provider = way === 1 ? keeper : (deal?.terms.provider ?? keeper);
  return { kind: "proveByChain", by: keeper, id, vouched: { provider, root, leafCount } };
}

/** Everything but opening and proving. */
export function drawOther(world: World, state: State, intent: Intent, dice: Dice): Action {
  const named = (name: Name): string => addressOf(world, name);
  const [id, deal] = pickDeal(state, new Dice(intent.pick));
  dice.below(1);
  const owner = deal && !dice.once(10) ? deal.owner : named("stranger");
  const provider = deal && !dice.once(10) ? deal.terms.provider : named("keeper");
  const token = dice.of(world.tokens);
  switch (intent.kind) {
    case "settle":
      return {
        kind: "settle",
        by: named("keeper"),
        ids: drawIds(state, dice),
        bountyTo: dice.of([named("keeper"), ALIAS, owner]),
      };
    case "extend": {
      const periods = dice.once(8) ? 0 : 1 + dice.below(3);
      const cost = (deal?.windows.at(-1)?.under.price ?? 0n) * BigInt(periods);
      return {
        kind: "extend",
        by: dice.of([owner, named("keeper"), named("stranger")]),
        id,
        periods,
        maxCost: dice.once(6) && cost > 0n ? cost - 1n : cost,
      };
    }
    case "restore":
      return { kind: "restore", by: provider, id, n: dice.below(dice.once(5) ? 12 : 3) };
    case "terminate":
      return { kind: "terminate", by: owner, id };
    case "transfer": {
      const to = dice.of([...CLIENTS.map(named), named("keeper"), ALIAS, world.marketAddress]);
      return { kind: "transfer", by: owner, id, from: dice.once(10) ? named("stranger") : (deal?.owner ?? owner), to };
    }
    case "deposit":
    case "withdraw": {
      const by = dice.of(Object.values(world.accounts)).address;
      const tooMuch = intent.kind === "withdraw" && dice.once(8);
      return { kind: intent.kind, by, token, amount: tooMuch ? claimOf(state, token, by) + 1n : dice.upTo(9_999n) };
    }
    case "provision":
    case "unprovision": {
      const by = named(dice.of(PROVIDERS));
      const { free } = stakeOf(state, token, by);
      return {
        kind: intent.kind,
        by,
        token,
        amount: dice.once(5) ? free + 1n : dice.once(3) ? free : dice.upTo(3_000n),
      };
    }
    case "setPayee":
      return {
        kind: "setPayee",
        by: named(dice.of(PROVIDERS)),
        payee: dice.of([named("payee"), named("fraud"), ALIAS]),
      };
    default:
      return {
        kind: "setSigner",
        by: named(dice.of(PROVIDERS)),
        signer: dice.of([named("signer"), named("keeper"), named("payee"), ALIAS]),
      };
  }
}

/** Ids for a settlement: all, some, one twice, one that does not exist. */
function drawIds(state: State, dice: Dice): bigint[] {
  const all = [...state.deals.keys()];
  const way = dice.below(5);
  if (way === 0) return all;
  const some = all.filter((_, i) => (dice.below(10_000) >> i) % 2 === 0);
  return way === 1 ? [...some, ...some, 1n] : some;
}

export const openNow = (state: State, block: number): [bigint, Deal][] =>
  [...state.deals].filter(([, deal]) => isLive(deal) && openWindow(deal, block)?.proven === false);
