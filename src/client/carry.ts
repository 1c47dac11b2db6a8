/**
 * Moving a deal to another market on the same chain: a new deal on the same piece there, and only then the end of the old
 * one. On chain nothing moves: neither market knows the other.
 *
 * @packageDocumentation
 */
import { getBytes } from "ethers";
import type { Deployment } from "../chain/deployment.js";
import { providerUrl } from "../chain/profile.js";
import { HoldfastError } from "../errors.js";
import { blobSpool, type CarSpool } from "../piece/car/index.js";
import type { Payload } from "../piece/index.js";
import { Status } from "../protocol/index.js";
import { carriedSalt, findCarried, landed } from "./carried.js";
import { wishesThere } from "./carry-wishes.js";
import { HoldfastClient } from "./client.js";
import { type DealInfo, type DealReader, dealIdText, readDeal, terminateDeal } from "./deals.js";
import type { ChainAccess } from "./funds.js";
import { holders } from "./history.js";
import { nodeUrl } from "./http.js";
import { commitToPieceOf, periodsLeft, readMovableDeal } from "./moving.js";
import { retrieveTree, type Sink } from "./retrieve.js";
import type { StoreStep } from "./stored.js";
import { checkWishes, type DealWishes } from "./wishes.js";

/**
 * What the deal is to be like in the other market. What is not said stays as it is; where the other tier's periods are
 * longer or shorter, as many as make up the time that is left, at the same price for each block at most.
 */
export interface CarryOptions extends Partial<DealWishes> {
  /** The piece; without it, it is fetched from the old provider, or from another one that has it. */
  readonly payload?: Payload;
  /** Where a piece that is fetched lies meanwhile, made anew for each provider that is asked; in memory by default. */
  readonly makeSpool?: () => CarSpool | Promise<CarSpool>;
  /**
   * Milliseconds for which the account's transactions that are on their way are waited for, at first: an earlier run's may be
   * among them. 180,000 by default.
   */
  readonly pendingMs?: number;
  /** Told of each step as it is done. */
  readonly onProgress?: (step: CarryStep) => void;
}

export type CarryStep =
  /** The piece is here, verified. */
  | { readonly step: "fetched"; readonly url: string; readonly size: number }
  /** An earlier run opened the new deal; what is wished for counts no more. */
  | { readonly step: "resumed"; readonly id: bigint }
  | StoreStep;

export interface CarriedDeal {
  /** The new deal, as it stands when the old one has been ended. */
  readonly deal: DealInfo;
  /** Where its provider serves the piece; empty where it names no such place. */
  readonly url: string;
  /** What came back from the old deal, in base units of the old deal's token. */
  readonly refund: bigint;
  /** Whether the new deal was there from an earlier run. */
  readonly resumed: boolean;
}

const DEFAULT_PENDING_MS = 180_000;

interface Carrying {
  readonly from: ChainAccess;
  /** The same account in the other market. */
  readonly there: ChainAccess;
  readonly old: DealInfo;
  readonly options: CarryOptions;
}

/**
 * Moves a deal to another market on the same chain: opens a deal on the same piece there, sees that it is open, and only
 * then ends the old one, so that a copy is paid for all the while. For that time the account pays for both: what comes
 * back from the old deal is not there yet when the new one is opened.
 *
 * Where it fails or is cut off, the old deal goes on. Called again, it takes the new deal that it had opened, by the salt of
 * its terms, and ends the old one; nothing is opened twice.
 *
 * @param to - the other market, its contracts connected to the same chain and compared with it (`verifyDeployment`)
 * @param client - stores there, for the same account; a client of its own by default. Several moves at once have to share
 *   one: they must not count on the same money
 * @throws HoldfastError before anything is sent: `OTHER_CHAIN`, `SAME_MARKET`, `UNKNOWN_DEAL`, `NOT_OWNER`, `DEAL_NOT_OPEN`,
 *   `AMENDMENT_PENDING`, `TIER_UNCLEAR`, `MISSING_PRICE`, `UNKNOWN_TIER`, `INVALID_PERIODS`, `INVALID_REGION`,
 *   `PIECE_MISMATCH` where `payload` is another piece, `PIECE_UNAVAILABLE` where nobody serves it, `TRANSACTION_PENDING`
 * @throws HoldfastError `NOT_CARRIED` where the new deal is not what it should be: the old one is not ended then;
 *   `OLD_DEAL_OPEN` where the old one could not be ended: both are paid for until it is
 * @throws TooFewProvidersError where no provider there takes the piece
 * @throws ChainError where money is missing, the market refuses, or the chain can't be reached
 * @example
 * const to = { deployment, contracts: connect(chain, deployment) };
 * const { deal, refund } = await carryDeal(access, to, id, { regions: ["DE"] });
 */
export async function carryDeal(
  from: ChainAccess,
  to: DealReader,
  id: bigint,
  options: CarryOptions = {},
  client?: Pick<HoldfastClient, "store">,
): Promise<CarriedDeal> {
  checkMarkets(from.deployment, to.deployment);
  const old = await readMovableDeal(from, id);
  const { deployment, contracts } = to;
  const there: ChainAccess = { address: from.address, sender: from.sender, deployment, contracts };
  const carrying: Carrying = { from, there, old, options };
  const salt = carriedSalt(from.deployment, id);
  await landed(there, options.pendingMs ?? DEFAULT_PENDING_MS);
  const earlier = await findCarried(there, old, salt);
  if (earlier) options.onProgress?.({ step: "resumed", id: earlier.id });
  const next = earlier?.id ?? (await openThere(carrying, salt, client ?? new HoldfastClient(there)));
  await checkCarried(carrying, next);
  const refund = await endOld(carrying, next);
  const deal = await readDeal(there, next);
  const url = nodeUrl(await providerUrl(contracts, deal.provider)) ?? "";
  return { deal, url, refund, resumed: earlier !== undefined };
}

/**
 * That a deal can go from one market to another at all.
 *
 * @throws HoldfastError `OTHER_CHAIN`, `SAME_MARKET`
 */
export function checkMarkets(from: Deployment, to: Deployment): void {
  if (from.chainId !== to.chainId) {
    const message = `the other market is on chain ${to.chainId}, the deal on chain ${from.chainId}`;
    throw new HoldfastError("OTHER_CHAIN", message, "store the piece there, then end the deal here");
  }
  if (from.market !== to.market) return;
  throw new HoldfastError("SAME_MARKET", `the deal is in market ${to.market} already`, "migrate it within the market");
}

/** Opens the new deal. Gives its id. */
async function openThere(carrying: Carrying, salt: string, client: Pick<HoldfastClient, "store">): Promise<bigint> {
  const { from, there, old, options } = carrying;
  const { payload, makeSpool, pendingMs, onProgress, ...wished } = options;
  const left = await periodsLeft(from, old);
  const wishes = wishesThere({ from: from.deployment, to: there.deployment, old, left }, wished);
  // Before a piece is fetched for nothing.
  checkWishes(there.deployment, wishes);
  const store = async (piece: Payload) => {
    const { deals } = await client.store(piece, { ...wishes, salt, ...(onProgress && { onProgress }) });
    return (deals[0] as (typeof deals)[number]).id;
  };
  if (payload === undefined) return withPiece(carrying, store);
  await commitToPieceOf(old, payload);
  return store(payload);
}

/** Fetches the piece, and forgets it when `use` is done. */
async function withPiece<T>({ from, old, options }: Carrying, use: (payload: Payload) => Promise<T>): Promise<T> {
  const { makeSpool = blobSpool, onProgress } = options;
  const piece = { root: getBytes(old.root), leafCount: old.leafCount };
  const own = nodeUrl(await providerUrl(from.contracts, old.provider));
  const urls = new Set([...(own === undefined ? [] : [own]), ...(await holders(from, piece))]);
  const hint = "try again when one answers, or hand the piece over yourself; the deal is as it was";
  const { value, url } = await retrieveTree(piece, [...urls], async () => spoolSink(await makeSpool()), hint);
  try {
    onProgress?.({ step: "fetched", url, size: value.payload.size });
    return await use(value.payload);
  } finally {
    await value.spool.discard();
  }
}

function spoolSink(spool: CarSpool): Sink<{ readonly payload: Blob; readonly spool: CarSpool }> {
  return {
    write: (chunk) => spool.append(chunk),
    done: async () => ({ payload: await spool.finish(new Uint8Array()), spool }),
    discard: () => spool.discard(),
  };
}

/** Nothing is ended for a deal that is not this account's, open, and on the very piece. @throws HoldfastError `NOT_CARRIED` */
async function checkCarried({ there, old }: Carrying, next: bigint): Promise<void> {
  const { owner, root, leafCount, status } = await readDeal(there, next);
  const isRight = owner === old.owner && root === old.root && leafCount === old.leafCount && status === Status.Open;
  if (isRight) return;
  const message = `deal ${dealIdText(next)} of the other market is not this account's, open, and on the same piece`;
  throw new HoldfastError("NOT_CARRIED", message, "look at it; the old deal was not ended");
}

/** Ends the old deal. Gives what came back. @throws HoldfastError `OLD_DEAL_OPEN` */
async function endOld({ from, old }: Carrying, next: bigint): Promise<bigint> {
  try {
    await terminateDeal(from, old.id);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `deal ${dealIdText(next)} is open, but ${dealIdText(old.id)} could not be ended: ${reason}`;
    const hint = "both are paid for: run this again, which opens nothing more and ends the old one";
    throw new HoldfastError("OLD_DEAL_OPEN", message, hint, { cause });
  }
  const { totals } = await readDeal(from, old.id);
  return totals.refunded - old.totals.refunded;
}
