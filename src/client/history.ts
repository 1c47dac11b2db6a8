/**
 * What a market's deals have come to: read from its events and its books, for records of providers and for finding who
 * has a piece.
 *
 * @packageDocumentation
 */
import { hexlify, type Provider } from "ethers";
import { logsBetween } from "../chain/logs.js";
import type { Commitment } from "../piece/index.js";
import { Status } from "../protocol/index.js";
import type { DealReader } from "./deals.js";
import { ask } from "./funds.js";
import { isNodeUrl } from "./http.js";

/** A deal as it was opened, and as it stands now. */
export interface PastDeal {
  readonly id: bigint;
  readonly provider: string;
  /** Whose escrow it was opened with. */
  readonly payer: string;
  /** Whether the client signed nothing. */
  readonly gift: boolean;
  /** Of the commitment in force, 32 bytes in hex. */
  readonly root: string;
  readonly leafCount: bigint;
  readonly status: Status;
  /** Windows that have closed and were proven. */
  readonly proven: number;
  /** Windows that have closed and were not. */
  readonly missed: number;
}

type Opening = Pick<PastDeal, "id" | "provider" | "payer" | "gift">;

/** Deals in one call of the lens: some 30,000 gas each, far below what nodes grant a call. */
const READ_BATCH = 100;

/**
 * Every deal that was ever opened, oldest first. One pass over the market's `Opened` events, a page at a time, and one
 * call for each hundred deals.
 *
 * @throws ChainError where the chain can't be asked
 */
export async function pastDeals(reader: DealReader): Promise<PastDeal[]> {
  const openings = await ask("read the market's events", readOpenings(reader));
  const deals: PastDeal[] = [];
  for (let at = 0; at < openings.length; at += READ_BATCH) {
    const batch = openings.slice(at, at + READ_BATCH);
    const views = await ask("read deals", reader.contracts.lens.dealsOf(batch.map(({ id }) => id)));
    for (const [i, { root, leafCount, standing }] of views.entries()) {
      const status = Number(standing.status) as Status;
      // An opening that a reorganisation took back is no deal.
      if (status === Status.None) continue;
      const [proven, missed] = [Number(standing.provenClosed), Number(standing.missed)];
      deals.push({ ...(batch[i] as Opening), root, leafCount, status, proven, missed });
    }
  }
  return deals;
}

async function readOpenings({ contracts, deployment }: DealReader): Promise<Opening[]> {
  const { market } = contracts;
  const provider = market.runner?.provider as Provider;
  const topics = [market.interface.getEvent("Opened").topicHash];
  const openings = new Map<bigint, Opening>();
  const head = await provider.getBlockNumber();
  for await (const { logs } of logsBetween(provider, { address: deployment.market, topics }, deployment.block, head)) {
    for (const log of logs) {
      const { args } = market.interface.parseLog(log) as unknown as { args: Opening };
      const { id, provider, payer, gift } = args;
      openings.set(id, { id, provider, payer, gift });
    }
  }
  return [...openings.values()];
}

/**
 * URLs of the providers that have, or had, deals on a piece: those whose deals are live first, then those who proved
 * most.
 *
 * @throws ChainError where the chain can't be asked
 */
export async function holders(reader: DealReader, { root, leafCount }: Commitment): Promise<string[]> {
  const { registry } = reader.contracts;
  const isLive = ({ status }: PastDeal) => status === Status.Open || status === Status.Ending;
  const deals = (await pastDeals(reader))
    .filter((deal) => deal.root === hexlify(root) && deal.leafCount === leafCount)
    .sort((a, b) => Number(isLive(b)) - Number(isLive(a)) || b.proven - b.missed - (a.proven - a.missed));
  const providers = [...new Set(deals.map(({ provider }) => provider))];
  const profiles = await ask("read the registry", Promise.all(providers.map((each) => registry.profileOf(each))));
  return profiles.map(({ url }) => url).filter(isNodeUrl);
}
