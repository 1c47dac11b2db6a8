/** What changes a deal: each entry point brings it up to date first, bounties to the owner. PROTOCOL section 6. */
import { type ActionOf, type At, canReceive, faultsOf, newDeal, termsFaults } from "./actions.js";
import {
  book,
  type Config,
  cut,
  type Deal,
  hold,
  inForce,
  isLive,
  isWaiting,
  lock,
  payFromEscrow,
  Refused,
  refuse,
  replace,
  type State,
  shareOf,
  stakeOf,
  statusOf,
  windowAt,
} from "./model.js";

type Change = ActionOf<"extend" | "restore" | "terminate" | "amend" | "migrate" | "transfer" | "transferIf">;

export function change(state: State, config: Config, action: Change, at: At): void {
  const deal = state.deals.get(action.id);
  const receiver = action.kind === "transfer" && !canReceive(config, action.to) && "InvalidAccount";
  if (!deal) throw new Refused(["UnknownDeal", ...(receiver ? [receiver] : [])]);
  if (action.kind === "transferIf") refuse(snapshot(deal) !== action.seen && "StateChanged");
  book(state, config, deal, deal.owner);
  if (action.kind === "extend") extend(state, config, deal, action);
  else if (action.kind === "restore") restore(state, config, deal, action);
  else if (action.kind === "terminate") terminate(state, deal, action);
  else if (action.kind === "amend") amend(state, config, deal, action, at);
  else if (action.kind === "migrate") migrate(state, config, deal, action, at);
  else transfer(config, deal, action);
}

/** A new window costs what the last one costs: an amendment that waits holds for all that come. */
function extend(state: State, config: Config, deal: Deal, action: ActionOf<"extend">): void {
  const { periods, by } = action;
  const { token, maxPeriods } = deal.terms;
  const last = deal.windows.at(-1)!;
  const cost = last.under.price * BigInt(periods);
  refuse(
    statusOf(deal) !== "Open" && "WrongStatus",
    periods === 0 && "ZeroAmount",
    state.block >= last.epoch && "TooLate",
    deal.windows.length + periods > maxPeriods && "BeyondMaxPeriods",
    cost > action.maxCost && "CostTooHigh",
  );
  hold(state, token, by, cost);
  const tier = config.tiers[deal.terms.tier]!;
  for (let i = 1; i <= periods; i++) deal.windows.push(windowAt(tier, last.epoch + i * tier.period, last.under));
  fund(deal, by, cost);
}

function fund(deal: Deal, by: string, cost: bigint): void {
  deal.funded += cost;
  deal.fundedBy.set(by, (deal.fundedBy.get(by) ?? 0n) + cost);
}

/** Gives the owner back what was never used, at once. */
function giveBack(state: State, deal: Deal, amount: bigint): void {
  deal.entries.push({ kind: "refund", amount, moved: true });
  payFromEscrow(state, deal.terms.token, deal.owner, amount);
}

function restore(state: State, config: Config, deal: Deal, action: ActionOf<"restore">): void {
  const share = shareOf(deal, config);
  refuse(
    action.by !== deal.terms.provider && "NotProvider",
    !isLive(deal) && "WrongStatus",
    action.n === 0 && "ZeroAmount",
    share === 0n && "NothingToRestore",
    deal.restored + action.n > deal.terms.maxPeriods && "BeyondMaxPeriods",
  );
  const amount = share * BigInt(action.n);
  lock(state, deal.terms.token, deal.terms.provider, amount);
  deal.restored += action.n;
  deal.bonded += amount;
}

function terminate(state: State, deal: Deal, action: ActionOf<"terminate">): void {
  refuse(action.by !== deal.owner && "NotOwner", statusOf(deal) !== "Open" && "WrongStatus");
  giveBack(state, deal, end(state, deal));
}

/** The windows whose challenge was drawn stay, and one more: the period in progress. What the others cost is free. */
function end(state: State, deal: Deal): bigint {
  deal.ending = true;
  return cut(deal, deal.windows.filter((window) => window.epoch < state.block).length + 1);
}

/** Every window that is challenged late enough goes over to the new agreement. */
function amend(state: State, config: Config, deal: Deal, action: ActionOf<"amend">, at: At): void {
  const { amendment, by } = action;
  const { root, leafCount, pricePerPeriod: price } = amendment;
  const { provider, maxPeriods, token } = deal.terms;
  const moving = deal.windows.filter(({ epoch }) => epoch >= state.block + config.finality);
  const owner = [by, action.ownerSigned].includes(deal.owner);
  const accepted = [provider, state.signers.get(provider)].some(
    (account) => account !== undefined && [by, action.providerSigned].includes(account),
  );
  refuse(
    at.timestamp > amendment.validUntil && "AmendmentExpired",
    amendment.nonce !== deal.amendments && "WrongNonce",
    statusOf(deal) !== "Open" && "WrongStatus",
    isLive(deal) && isWaiting(deal) && "AmendmentPending",
    moving.length === 0 && "TooLate",
    !owner && "InvalidClientSignature",
    !accepted && "InvalidProviderSignature",
    (leafCount < 1n || leafCount > 2n ** 40n) && "InvalidLeafCount",
    (BigInt(root) & 0xc0n) !== 0n && "InvalidRoot",
    price * BigInt(maxPeriods) >= 2n ** 128n && "AmountTooLarge",
  );
  const change = moving.reduce((sum, { under }) => sum + price - under.price, 0n);
  if (change > 0n) {
    hold(state, token, deal.owner, change);
    fund(deal, deal.owner, change);
  } else {
    giveBack(state, deal, -change);
  }
  const under = { root, leafCount, price };
  for (const window of moving) window.under = under;
  deal.amendments++;
  // Where no window is left under the old agreement, the new one is in force at once.
  replace(deal);
  book(state, config, deal, deal.owner);
}

/** The deal ends as by its owner's word, and what it frees goes towards the one that takes its place. */
function migrate(state: State, config: Config, deal: Deal, action: ActionOf<"migrate">, at: At): void {
  const { terms, successor, by } = action;
  const { owner } = deal;
  const signer = state.signers.get(terms.provider);
  const { root, leafCount } = inForce(deal);
  const own = stakeOf(state, config.stakeToken, terms.provider);
  const accepted = [terms.provider, signer].some(
    (account) => account !== undefined && [by, action.providerSigned].includes(account),
  );
  refuse(
    statusOf(deal) !== "Open" && "WrongStatus",
    state.deals.has(successor) && "DealExists",
    state.cancelled.has(successor) && "TermsCancelled",
    at.timestamp > terms.validUntil && "TermsExpired",
    ...termsFaults(config, terms),
    terms.client !== owner && "NotOwner",
    (terms.root !== root || terms.leafCount !== leafCount) && "PieceMismatch",
    ![by, action.ownerSigned].includes(owner) && "InvalidClientSignature",
    !accepted && "InvalidProviderSignature",
    !action.seedKnown && "SeedUnavailable",
    !action.valid && "InvalidPossession",
    own.free + own.locked < config.minStake && "StakeBelowMinimum",
  );
  const refund = end(state, deal);
  deal.successor = successor;
  giveBack(state, deal, refund);
  const cost = terms.pricePerPeriod * BigInt(terms.periods);
  // What is freed in the same token need not be the market's to take from the owner's account.
  const carried = terms.token === deal.terms.token ? (refund < cost ? refund : cost) : 0n;
  payFromEscrow(state, terms.token, owner, -carried);
  refuse(
    ...faultsOf(() => hold(state, terms.token, owner, cost - carried)),
    ...faultsOf(() => lock(state, terms.token, terms.provider, terms.collateral)),
  );
  state.deals.set(successor, newDeal(config, action, at, false, new Map([[owner, cost - carried]])));
}

function transfer(config: Config, deal: Deal, action: ActionOf<"transfer" | "transferIf">): void {
  const from = action.kind === "transfer" ? action.from : deal.owner;
  refuse(
    !canReceive(config, action.to) && "InvalidAccount",
    from !== deal.owner && "ERC721IncorrectOwner",
    action.by !== deal.owner && "ERC721InsufficientApproval",
  );
  deal.owner = action.to;
  deal.owners.push(action.to);
}

/** What a buyer of the deal relies on. */
export function snapshot(deal: Deal): string {
  const { windows, restored, misses, amendments } = deal;
  return JSON.stringify([windows.length, deal.funded.toString(), restored, misses, amendments, statusOf(deal)]);
}
