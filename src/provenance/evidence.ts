/**
 * What the chain has seen of a piece: the deals that hold it, and when each was proven last.
 *
 * @packageDocumentation
 */
import type { Provider } from "ethers";
import { blockUpTo } from "../chain/blocks.js";
import { chainError } from "../chain/errors.js";
import { logsBetween } from "../chain/logs.js";
import { providerUrl } from "../chain/profile.js";
import { NO_HASH, pieceIdOf } from "../protocol/index.js";
import type { ProvenanceReader } from "./book.js";
import type { Known, KnownRecord } from "./known.js";

/** A deal that holds a piece: live, and proven in its last closed window. What the chain has seen, nobody's word. */
export interface Holding {
  readonly dealId: bigint;
  readonly provider: string;
  /** URL in the provider's profile; empty where it has none. */
  readonly url: string;
  /** The block whose challenge was proven last. */
  readonly lastProvenEpoch: number;
  /** Unix seconds of that block, or of the one before where nobody made it, as at Filecoin's null rounds; 0 where the node has neither. */
  readonly lastProvenAt: number;
  /** Whether the record's registrant names it: linked itself, or what a linked one was moved to. */
  readonly linked: boolean;
  /** The record of a larger piece that is held, where it is that: its registrant says that it contains this one. */
  readonly within?: string;
}

/** Links in one call: some 100,000 gas each, where a deal was moved and moved again. */
const PAGE = 50n;
/** Deals in one call of the lens. */
const READ_BATCH = 100;
/** Records of larger pieces that are looked into. */
const MAX_CONTAINERS = 8;
/** Deals that are looked into at once: anybody can open more on a piece. */
const AT_ONCE = 16;

/**
 * The deals of a market by the pieces that they are on now, whoever opened them. Reads all of the market's `Opened` events and
 * deals when it is first asked, and no more: make one for each question that is asked of the chain as it is.
 */
export class DealsByPiece {
  readonly #reader: ProvenanceReader;
  #deals: Promise<ReadonlyMap<string, readonly bigint[]>> | undefined;

  constructor(reader: ProvenanceReader) {
    this.#reader = reader;
  }

  /** Ids of every deal on a piece, ended ones too. @throws what the provider throws */
  async on(pieceId: string): Promise<readonly bigint[]> {
    this.#deals ??= dealsByPiece(this.#reader);
    return (await this.#deals).get(pieceId) ?? [];
  }
}

/**
 * The deals that hold a record's piece now: those that its registrant linked, and, whoever opened them, those on the same
 * piece. The latest proven goes first.
 *
 * @param id - of the record
 * @param pieceId - that it names; {@link NO_HASH}: none, and nothing holds it
 * @param deals - where several records are asked about, so that the market is read once
 * @throws ChainError where the chain can't be asked
 */
export async function holdingsOf(
  reader: ProvenanceReader,
  id: string,
  pieceId: string,
  deals = new DealsByPiece(reader),
): Promise<Holding[]> {
  if (pieceId === NO_HASH) return [];
  try {
    const linked = new Set(await linkedDeals(reader, id));
    const found = [...new Set([...linked, ...(await deals.on(pieceId))])];
    const held: Holding[] = [];
    for (let at = 0; at < found.length; at += AT_ONCE) {
      const batch = found.slice(at, at + AT_ONCE);
      const looks = batch.map((dealId) => holding(reader, dealId, pieceId, linked.has(dealId)));
      held.push(...(await Promise.all(looks)).filter((each) => each !== undefined));
    }
    return held.sort((a, b) => b.lastProvenEpoch - a.lastProvenEpoch);
  } catch (error) {
    throw chainError(error, "read which deals hold a piece");
  }
}

/**
 * The deals that hold what a record, or a set, is about: those on its own piece, or, where there are none, on pieces that
 * contain it, as its own registrant says: their records have it, or the set that it is in, for a component.
 *
 * @throws ChainError where the chain can't be asked
 */
export async function holdingsOfKnown(
  reader: ProvenanceReader,
  all: Iterable<Known>,
  known: Known,
  deals = new DealsByPiece(reader),
): Promise<Holding[]> {
  if (known.form === "record") {
    const own = await holdingsOf(reader, known.id, known.record.pieceId, deals);
    if (own.length > 0) return own;
  }
  const held: Holding[] = [];
  for (const { id, record } of containersOf(all, known)) {
    const holdings = await holdingsOf(reader, id, record.pieceId, deals);
    held.push(...holdings.map((holding) => ({ ...holding, within: id })));
  }
  return held.sort((a, b) => b.lastProvenEpoch - a.lastProvenEpoch);
}

/** The latest records of pieces that contain something. Nobody else's: anybody could say so. */
function containersOf(all: Iterable<Known>, known: Known): KnownRecord[] {
  const parts = new Set([known.id, ...(known.form === "record" && known.anchoredIn ? [known.anchoredIn] : [])]);
  const containers: KnownRecord[] = [];
  for (const each of all) {
    if (each.form !== "record" || each.registrant !== known.registrant || each.withdrawn !== undefined) continue;
    const { parents, pieceId } = each.record;
    if (pieceId === NO_HASH) continue;
    if (parents.some(({ parent, kind }) => kind === "component" && parts.has(parent))) containers.push(each);
  }
  return containers.slice(-MAX_CONTAINERS);
}

async function linkedDeals({ contracts: { provenance } }: ProvenanceReader, id: string): Promise<bigint[]> {
  const deals: bigint[] = [];
  const count = await provenance.linkCount(id);
  for (let from = 0n; from < count; from += PAGE) {
    for (const { dealId } of await provenance.holdingsOf(id, from, PAGE)) deals.push(dealId);
  }
  return deals;
}

async function dealsByPiece({ contracts, deployment }: ProvenanceReader): Promise<Map<string, bigint[]>> {
  const { market, lens } = contracts;
  const provider = market.runner?.provider as Provider;
  const filter = { address: deployment.market, topics: [market.interface.getEvent("Opened").topicHash] };
  const opened: bigint[] = [];
  for await (const { logs } of logsBetween(provider, filter, deployment.block, await provider.getBlockNumber())) {
    for (const { topics } of logs) opened.push(BigInt(topics[1] as string));
  }
  const deals = new Map<string, bigint[]>();
  for (let at = 0; at < opened.length; at += READ_BATCH) {
    const batch = opened.slice(at, at + READ_BATCH);
    for (const [i, view] of (await lens.dealsOf(batch)).entries()) {
      const pieceId = pieceIdOf(view);
      const same = deals.get(pieceId);
      if (same) same.push(batch[i] as bigint);
      else deals.set(pieceId, [batch[i] as bigint]);
    }
  }
  return deals;
}

async function holding(
  { contracts }: ProvenanceReader,
  dealId: bigint,
  pieceId: string,
  linked: boolean,
): Promise<Holding | undefined> {
  const { market, lens } = contracts;
  if (!(await market.isProven(dealId, pieceId))) return undefined;
  const { provider, lastProven } = await lens.dealOf(dealId);
  const [{ epoch }, url] = await Promise.all([lens.windowOf(dealId, lastProven), providerUrl(contracts, provider)]);
  const block = await blockUpTo(market.runner?.provider as Provider, Number(epoch));
  return { dealId, provider, url, lastProvenEpoch: Number(epoch), lastProvenAt: block?.timestamp ?? 0, linked };
}
