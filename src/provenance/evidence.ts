/**
 * What the chain has seen of a piece: the deals that hold it, and when each was proven last.
 *
 * @packageDocumentation
 */
import { chainError } from "../chain/errors.js";
import { logsBetween } from "../chain/logs.js";
import { NO_HASH, pieceIdOf } from "../protocol/index.js";
import type { ProvenanceReader } from "./book.js";

/** A deal that holds a piece: live, and proven in its last closed window. */
export interface Holding {
  readonly dealId: bigint;
  readonly provider: string;
  /** URL in the provider's profile; empty where it has none. */
  readonly url: string;
  /** The block whose challenge was proven last. */
  readonly lastProvenEpoch: number;
  /** Unix seconds of that block. */
  readonly lastProvenAt: number;
  /** Whether the record's registrant names it: linked itself, or what a linked one was moved to. */
  readonly linked: boolean;
}

interface Candidate {
  readonly dealId: bigint;
  readonly linked: boolean;
}

/** Links in one call: some 100,000 gas each, where a deal was moved and moved again. */
const PAGE = 50n;
/** Deals in one call of the lens. */
const READ_BATCH = 100;

/**
 * The deals that hold a record's piece now: those that its registrant linked, and, whoever opened them, those on the same
 * piece.
 *
 * @param id - of the record
 * @param pieceId - that it names; {@link NO_HASH}: none, and nothing holds it
 * @throws ChainError where the chain can't be asked
 */
export async function holdingsOf(reader: ProvenanceReader, id: string, pieceId: string): Promise<Holding[]> {
  if (pieceId === NO_HASH) return [];
  try {
    const found = new Map<bigint, Candidate>();
    for (const dealId of await dealsOnPiece(reader, pieceId)) found.set(dealId, { dealId, linked: false });
    for (const dealId of await linkedDeals(reader, id)) found.set(dealId, { dealId, linked: true });
    const held = await Promise.all([...found.values()].map((candidate) => holding(reader, candidate, pieceId)));
    return held.filter((each) => each !== undefined).sort((a, b) => b.lastProvenEpoch - a.lastProvenEpoch);
  } catch (error) {
    throw chainError(error, "read which deals hold a piece");
  }
}

async function linkedDeals({ contracts: { provenance } }: ProvenanceReader, id: string): Promise<bigint[]> {
  const deals: bigint[] = [];
  const count = await provenance.linkCount(id);
  for (let from = 0n; from < count; from += PAGE) {
    for (const { dealId } of await provenance.holdingsOf(id, from, PAGE)) deals.push(dealId);
  }
  return deals;
}

/** Every deal that was opened or amended to the piece, or moved to a successor on it; which of them hold it is asked next. */
async function dealsOnPiece({ contracts, deployment }: ProvenanceReader, pieceId: string): Promise<bigint[]> {
  const { market, lens } = contracts;
  const provider = market.runner?.provider;
  if (!provider) return [];
  const filter = { address: deployment.market, topics: [market.interface.getEvent("Opened").topicHash] };
  const opened: bigint[] = [];
  for await (const { logs } of logsBetween(provider, filter, deployment.block, await provider.getBlockNumber())) {
    for (const { topics } of logs) opened.push(BigInt(topics[1] as string));
  }
  const deals: bigint[] = [];
  for (let at = 0; at < opened.length; at += READ_BATCH) {
    const batch = opened.slice(at, at + READ_BATCH);
    const views = await lens.dealsOf(batch);
    deals.push(...batch.filter((_, i) => pieceIdOf(views[i]!) === pieceId));
  }
  return deals;
}

async function holding(
  { contracts: { market, lens, registry } }: ProvenanceReader,
  { dealId, linked }: Candidate,
  pieceId: string,
): Promise<Holding | undefined> {
  if (!(await market.isProven(dealId, pieceId))) return undefined;
  const { provider, lastProven } = await lens.dealOf(dealId);
  const [{ epoch }, { url }] = await Promise.all([lens.windowOf(dealId, lastProven), registry.profileOf(provider)]);
  const block = await market.runner?.provider?.getBlock(Number(epoch));
  return { dealId, provider, url, lastProvenEpoch: Number(epoch), lastProvenAt: block?.timestamp ?? 0, linked };
}
