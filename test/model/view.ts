/** What the chain shows of a deal, worked out from the model: the same members as `MarketProbe` has. */
import { Status } from "../../src/protocol/index.js";
import {
  allowanceOf,
  type Config,
  type Deal,
  type EntryKind,
  inForce,
  isLive,
  openWindow,
  shareOf,
  statusOf,
  sumOf,
} from "./model.js";

const count = (deal: Deal, test: (window: Deal["windows"][number]) => boolean): bigint =>
  BigInt(deal.windows.filter(test).length);

function totalsOf(deal: Deal, booked: boolean) {
  const sum = (...kinds: EntryKind[]): bigint => sumOf(deal, kinds, booked ? true : undefined);
  const [paid, fee, refunded] = [sum("payment"), sum("fee"), sum("refund")];
  const [bounty, compensation, returned] = [sum("bounty"), sum("compensation"), sum("returned")];
  return {
    funded: deal.funded,
    paid,
    fee,
    refunded,
    escrow: deal.funded - paid - fee - refunded,
    bonded: deal.bonded,
    slashed: bounty + compensation,
    bounty,
    compensation,
    returned,
    stake: deal.bonded - bounty - compensation - returned,
  };
}

function dueOf(deal: Deal) {
  const sum = (kind: EntryKind): bigint => sumOf(deal, [kind], false);
  return {
    windows: BigInt(deal.earned - deal.earnedMoved),
    misses: BigInt(deal.slashed - deal.slashedMoved),
    payment: sum("payment"),
    fee: sum("fee"),
    refund: sum("refund"),
    bounty: sum("bounty"),
    compensation: sum("compensation"),
    returned: sum("returned"),
    closes: !isLive(deal) && !isBooked(deal),
  };
}

export const isBooked = (deal: Deal): boolean => !isLive(deal) && deal.entries.every((entry) => entry.moved);

const standingOf = (deal: Deal, config: Config, block: number) => ({
  closed: count(deal, (window) => window.last < block),
  open: BigInt(deal.windows.indexOf(openWindow(deal, block) as Deal["windows"][number]) + 1),
  provenClosed: count(deal, (window) => window.last < block && window.proven),
  missed: BigInt(deal.misses),
  allowance: BigInt(allowanceOf(deal, config)),
  status: BigInt(Status[statusOf(deal)]),
});

/** Whether the deal is live and the last window that closed was proven, under what is in force. */
function isProven(deal: Deal, block: number): boolean {
  const last = deal.windows.filter((window) => window.last < block).at(-1);
  return isLive(deal) && last?.proven === true && last.under === inForce(deal);
}

/** Proven windows under agreements that were replaced: their books are closed, whether or not anybody has settled. */
const replacedWindows = (deal: Deal): number =>
  deal.windows
    .slice(
      0,
      deal.windows.findIndex((window) => window.under === inForce(deal)),
    )
    .filter((w) => w.proven).length;

export function viewOf(deal: Deal, config: Config, block: number) {
  const status = statusOf(deal);
  const kept = Math.min(count0(deal, block) + 1, deal.windows.length);
  const ended = status === "Open" ? kept : deal.windows.length;
  const lastEpoch = deal.windows.at(-1)?.epoch as number;
  const extendable = status === "Open" && block < lastEpoch;
  const { root, leafCount, price } = inForce(deal);
  const share = isLive(deal) ? shareOf(deal, config) : 0n;
  return {
    owner: deal.owner,
    root,
    leafCount,
    price,
    gift: deal.gift,
    firstEpoch: BigInt(deal.windows[0]?.epoch as number),
    periods: BigInt(deal.windows.length),
    proven: count(deal, (window) => window.proven),
    lastProven: BigInt(deal.windows.findLastIndex((window) => window.proven) + 1),
    restored: BigInt(deal.restored),
    paidWindows: BigInt(Math.max(deal.earnedMoved, replacedWindows(deal))),
    slashedMisses: BigInt(deal.slashedMoved),
    stage: isBooked(deal) ? 4n : deal.ending ? 3n : 2n,
    standing: standingOf(deal, config, block),
    booked: totalsOf(deal, true),
    settled: totalsOf(deal, false),
    due: dueOf(deal),
    isProven: isProven(deal, block),
    endedPeriods: BigInt(ended),
    endedRefund: deal.windows.slice(ended).reduce((sum, { under }) => sum + under.price, 0n),
    extendLast: extendable ? BigInt(lastEpoch - 1) : 0n,
    extendRoom: extendable ? BigInt(deal.terms.maxPeriods - deal.windows.length) : 0n,
    extendPrice: extendable ? (deal.windows.at(-1) as Deal["windows"][number]).under.price : 0n,
    successor: deal.successor ?? 0n,
    share,
    restoreRoom: share === 0n ? 0n : BigInt(deal.terms.maxPeriods - deal.restored),
  };
}

const count0 = (deal: Deal, block: number): number => deal.windows.filter((window) => window.epoch < block).length;
