/**
 * Deals that are open or were: finding them, reading them, and what anybody or their owner may do with them.
 *
 * @packageDocumentation
 */
import { getAddress, type Provider, toBeHex, zeroPadValue } from "ethers";
import type { DealViewStructOutput, TotalsStructOutput } from "../../typechain-types/MarketLens.js";
import { chainError } from "../chain/errors.js";
import { logsBetween } from "../chain/logs.js";
import { HoldfastError } from "../errors.js";
import { Stage, Status, type Totals, windowOf } from "../protocol/index.js";
import { ask, type ChainAccess, fund } from "./funds.js";

/** What reading takes: no account. */
export type DealReader = Pick<ChainAccess, "contracts" | "deployment">;

/** A deal as it stands at the latest block. Amounts in base units of `token`; epochs are block numbers. */
export interface DealInfo {
  readonly id: bigint;
  readonly owner: string;
  readonly provider: string;
  /** Of the commitment in force, 32 bytes in hex. */
  readonly root: string;
  readonly leafCount: bigint;
  /** Row of the market's table. */
  readonly tier: number;
  readonly token: string;
  readonly pricePerPeriod: bigint;
  readonly collateral: bigint;
  /** e_1, the block of the first challenge. */
  readonly firstEpoch: number;
  /** N, the windows that the deal has. */
  readonly periods: number;
  /** Up to where anybody may extend. */
  readonly maxPeriods: number;
  readonly status: Status;
  /** Windows that have closed. */
  readonly closed: number;
  /** Windows proven, the open one included. */
  readonly proven: number;
  readonly missed: number;
  /** Misses at which it defaults. */
  readonly allowance: number;
  /** The last block of the last window that is paid for. */
  readonly paidUntil: number;
  /** Amendments that it has accepted: the nonce of the next one. */
  readonly amendments: number;
  /** The amendment that waits for its first window; undefined where none does. */
  readonly pending: PendingAmendment | undefined;
  /** The deal that this one was moved to; undefined where it was not. */
  readonly successor: bigint | undefined;
  /** As they would be if the deal were settled now. */
  readonly totals: Totals;
}

/** What a deal will be from a window on. */
export interface PendingAmendment {
  /** k*, the first window under it. */
  readonly from: number;
  readonly root: string;
  readonly leafCount: bigint;
  readonly pricePerPeriod: bigint;
}

/** Whose deals to look for; both: those of one owner with one provider. */
export interface DealFilter {
  /** Who owns them now, whoever opened them. */
  readonly owner?: string;
  readonly provider?: string;
}

/** What the last transaction of a call needs to be checked against. */
export interface DealState {
  readonly deal: DealInfo;
  /** Hash of everything that a buyer relies on; `transferIf` takes the deal only while it stays so. */
  readonly stateHash: string;
}

/** Deals in one call of the lens: some 30,000 gas each, far below what nodes grant a call. */
const READ_BATCH = 100;
/** Hexadecimal digits of a short id, at least: fewer would match by chance. */
const SHORTEST_ID = 4;
const MOST_LISTED = 5;

/** A deal's id as logs, commands and people have it: 0x and 64 digits. */
export function dealIdText(id: bigint): string {
  return toBeHex(id, 32);
}

/** The name of a status: `Open`, `Ending`, `Completed`, … */
export function statusName(status: Status): string {
  return Object.entries(Status).find(([, value]) => value === status)?.[0] ?? `status ${status}`;
}

/**
 * Ids of the deals that a filter names, in the order in which they were opened, or came to the owner. Ended ones are
 * among them: they stay readable.
 *
 * @throws ChainError where the chain can't be asked
 */
export async function findDeals(reader: DealReader, { owner, provider }: DealFilter = {}): Promise<bigint[]> {
  const { market } = reader.contracts;
  const opened = market.interface.getEvent("Opened").topicHash;
  if (owner === undefined) {
    const ofProvider = provider === undefined ? [] : [null, null, topicOf(provider)];
    return idsIn(reader, [opened, ...ofProvider], 1);
  }
  // Whoever opened it, a deal is its holder's.
  const got = await idsIn(reader, [market.interface.getEvent("Transfer").topicHash, null, topicOf(owner)], 3);
  const views = await viewsOf(reader, got);
  return got.filter((_, i) => {
    const view = views[i];
    if (view?.owner !== getAddress(owner)) return false;
    return provider === undefined || view.provider === getAddress(provider);
  });
}

/**
 * Deals as they stand now, in the order of `ids`; those that do not exist are left out.
 *
 * @throws ChainError where the chain can't be asked
 */
export async function readDeals(reader: DealReader, ids: readonly bigint[]): Promise<DealInfo[]> {
  const views = await viewsOf(reader, ids);
  const deals: DealInfo[] = [];
  for (let at = 0; at < ids.length; at += READ_BATCH) {
    const read = ids.slice(at, at + READ_BATCH).map(async (id, i) => {
      const view = views[at + i] as DealViewStructOutput;
      if (Number(view.stage) < Stage.Open) return [];
      const totals = await ask("read a deal's totals", reader.contracts.lens.totalsNow(id));
      return [infoOf(reader, id, view, totals)];
    });
    deals.push(...(await Promise.all(read)).flat());
  }
  return deals;
}

/**
 * One deal as it stands now.
 *
 * @throws HoldfastError `UNKNOWN_DEAL`
 * @throws ChainError where the chain can't be asked
 */
export async function readDeal(reader: DealReader, id: bigint): Promise<DealInfo> {
  const [deal] = await readDeals(reader, [id]);
  if (deal) return deal;
  throw unknownDeal(id);
}

/**
 * The id that a text names: 0x and 64 hexadecimal digits, or the first digits (four at least) of exactly one deal of
 * this market.
 *
 * @throws HoldfastError `INVALID_DEAL_ID`, `UNKNOWN_DEAL`, `AMBIGUOUS_DEAL` naming the deals that it could be
 * @throws ChainError where the chain can't be asked
 */
export function dealIdFrom(reader: DealReader, text: string): Promise<bigint> {
  return findByPrefix(text, "deal", () => findDeals(reader));
}

/**
 * The id that a text names: a whole one, which is taken at its word, or the first digits of exactly one of `known`.
 *
 * @param what - what it is the id of, for errors
 * @throws HoldfastError `INVALID_…_ID`, `UNKNOWN_…`, `AMBIGUOUS_…`
 */
export async function findByPrefix(
  text: string,
  what: "deal" | "request" | "record",
  known: () => Promise<readonly bigint[]>,
): Promise<bigint> {
  const code = what.toUpperCase();
  const [, digits] = /^0x([0-9a-f]{1,64})$/i.exec(text) ?? [];
  if (digits === undefined || digits.length < SHORTEST_ID) {
    const hint = `give 0x and 64 hexadecimal digits, or the first ${SHORTEST_ID} or more of them`;
    throw new HoldfastError(`INVALID_${code}_ID`, `${text.slice(0, 100)} is no ${what}'s id`, hint);
  }
  if (digits.length === 64) return BigInt(text);
  const found = (await known()).filter((id) => dealIdText(id).startsWith(text.toLowerCase()));
  if (found.length === 1) return found[0] as bigint;
  if (found.length === 0) {
    throw new HoldfastError(`UNKNOWN_${code}`, `no ${what} of this market begins with ${text}`, "check the id");
  }
  const listed = found.slice(0, MOST_LISTED).map(dealIdText).join(", ");
  const more = found.length > MOST_LISTED ? ` and ${found.length - MOST_LISTED} more` : "";
  throw new HoldfastError(`AMBIGUOUS_${code}`, `${text} could be ${listed}${more}`, "give more digits of the id");
}

/**
 * A deal that `access` owns and that is open.
 *
 * @throws HoldfastError `UNKNOWN_DEAL`, `NOT_OWNER`, `DEAL_NOT_OPEN`
 * @throws ChainError where the chain can't be asked
 */
export async function readOwnOpenDeal(access: ChainAccess, id: bigint): Promise<DealInfo> {
  const deal = await readDeal(access, id);
  const text = dealIdText(id);
  if (deal.owner !== access.address) {
    throw new HoldfastError("NOT_OWNER", `deal ${text} is owned by ${deal.owner}`, "act with the owner's key");
  }
  if (deal.status === Status.Open) return deal;
  const message = `deal ${text} is not open any more: ${statusName(deal.status)}`;
  throw new HoldfastError("DEAL_NOT_OPEN", message, "open a new one");
}

/** A deal with the hash that a transfer of it is bound to. @throws HoldfastError `UNKNOWN_DEAL` */
export async function readState(reader: DealReader, id: bigint): Promise<DealState> {
  // The hash first: where the deal changes in between, the transfer fails instead of handing over what nobody saw.
  const stateHash = await stateHashOf(reader, id);
  const deal = await readDeal(reader, id);
  return { deal, stateHash };
}

/**
 * Hands a deal to somebody else, as it was when it was looked at: where it was ended, amended or missed since, the
 * market refuses.
 *
 * @param expected - from {@link readState}
 * @throws ChainError with `revert.name` `StateChanged`, `InvalidAccount`, `ERC721IncorrectOwner`, …
 */
export async function transferDeal(access: ChainAccess, id: bigint, to: string, expected: string): Promise<void> {
  const call = await access.contracts.market.transferIf.populateTransaction(id, getAddress(to), expected);
  await access.sender.send(call, "transfer a deal");
}

/** Ends a deal: the period in progress is still owed, the rest comes back at once. */
export async function terminateDeal(access: ChainAccess, id: bigint): Promise<void> {
  const call = await access.contracts.market.terminate.populateTransaction(id);
  await access.sender.send(call, "terminate a deal");
}

/**
 * Pays for more periods of anybody's deal, up to its maxPeriods. What the account lacks in the vault is deposited.
 *
 * @param maxCost - the most to pay in all, in base units
 * @throws HoldfastError `UNKNOWN_DEAL`, `COST_TOO_HIGH`
 * @throws ChainError with `revert.name` `BeyondMaxPeriods`, `TooLate`, `WrongStatus`, or where money is missing
 */
export async function extendDeal(access: ChainAccess, id: bigint, periods: number, maxCost: bigint): Promise<void> {
  const { lens, market } = access.contracts;
  const { token } = await readDeal(access, id);
  const { room, price } = await ask("read a deal", lens.extensionOf(id));
  const cost = price * BigInt(periods);
  if (cost > maxCost) {
    const hint = "allow more, or extend by fewer periods";
    throw new HoldfastError("COST_TOO_HIGH", `${periods} periods cost ${cost} base units, over ${maxCost}`, hint);
  }
  // Nothing is deposited for what the market won't take; its own refusal says why.
  if (BigInt(periods) <= room) await fund(access, token, cost);
  await access.sender.send(await market.extend.populateTransaction(id, periods, maxCost), "extend a deal");
}

async function stateHashOf({ contracts }: DealReader, id: bigint): Promise<string> {
  try {
    return await contracts.market.stateHash(id);
  } catch (error) {
    const failed = chainError(error, "read a deal's state");
    throw failed.revert?.name === "UnknownDeal" ? unknownDeal(id) : failed;
  }
}

function unknownDeal(id: bigint): HoldfastError {
  return new HoldfastError("UNKNOWN_DEAL", `the market has no deal ${dealIdText(id)}`, "check the id and the chain");
}

function topicOf(account: string): string {
  return zeroPadValue(getAddress(account), 32);
}

/** Distinct ids in topic number `at` of the market's events. */
async function idsIn({ contracts, deployment }: DealReader, topics: (string | null)[], at: number): Promise<bigint[]> {
  const provider = contracts.market.runner?.provider as Provider;
  const ids = new Set<bigint>();
  const read = async () => {
    const head = await provider.getBlockNumber();
    const filter = { address: deployment.market, topics };
    for await (const { logs } of logsBetween(provider, filter, deployment.block, head)) {
      for (const log of logs) ids.add(BigInt(log.topics[at] as string));
    }
  };
  await ask("look for deals", read());
  return [...ids];
}

async function viewsOf({ contracts }: DealReader, ids: readonly bigint[]): Promise<DealViewStructOutput[]> {
  const views: DealViewStructOutput[] = [];
  for (let at = 0; at < ids.length; at += READ_BATCH) {
    views.push(...(await ask("read deals", contracts.lens.dealsOf(ids.slice(at, at + READ_BATCH)))));
  }
  return views;
}

function infoOf(
  { deployment }: DealReader,
  id: bigint,
  view: DealViewStructOutput,
  totals: TotalsStructOutput,
): DealInfo {
  const { owner, provider, root, leafCount, token, price, collateral, standing, revision, successor } = view;
  const [tier, periods] = [Number(view.tier), Number(view.periods)];
  const row = deployment.tiers[tier];
  if (!row) throw new HoldfastError("UNKNOWN_TIER", `the deployment has no tier ${tier}`, "use this chain's file");
  return {
    id,
    owner,
    provider,
    root,
    leafCount,
    tier,
    token,
    pricePerPeriod: price,
    collateral,
    firstEpoch: Number(view.firstEpoch),
    periods,
    maxPeriods: Number(view.maxPeriods),
    status: Number(standing.status) as Status,
    closed: Number(standing.closed),
    proven: Number(view.proven),
    missed: Number(standing.missed),
    allowance: Number(standing.allowance),
    paidUntil: windowOf(Number(view.firstEpoch), row, periods).lastBlock,
    amendments: Number(revision.nonce),
    pending: pendingIn(revision),
    successor: successor === 0n ? undefined : successor,
    totals: totalsFrom(totals),
  };
}

function pendingIn({ from, root, leafCount, price }: DealViewStructOutput["revision"]): PendingAmendment | undefined {
  return from === 0n ? undefined : { from: Number(from), root, leafCount, pricePerPeriod: price };
}

function totalsFrom(totals: TotalsStructOutput): Totals {
  const { funded, paid, fee, refunded, escrow, bonded, slashed, bounty, compensation, returned, stake } = totals;
  return { funded, paid, fee, refunded, escrow, bonded, slashed, bounty, compensation, returned, stake };
}
