/**
 * What a market's deals have come to: read from its events and its books, for records of providers and for finding who
 * has a piece.
 *
 * @packageDocumentation
 */
import { hexlify, type Provider } from "ethers";
import { logsBetween } from "../chain/logs.js";
import { providerUrl } from "../chain/profile.js";
import type { Commitment } from "../piece/index.js";
import { Status } from "../protocol/index.js";
import type { DealReader } from "./deals.js";
import { ask } from "./funds.js";
import { nodeUrl } from "./http.js";

/** A deal as its `Opened` event has it. */
export interface Opening {
  readonly id: bigint;
  readonly provider: string;
  /** Whose escrow it was opened with. */
  readonly payer: string;
  /** Whether the client signed nothing. */
  readonly gift: boolean;
}

/** A deal as it was opened, and as it stands now. */
export interface PastDeal extends Opening {
  /** Of the commitment in force, 32 bytes in hex. */
  readonly root: string;
  readonly leafCount: bigint;
  /** Of the amendment that waits for its first window; the provider has that piece already. */
  readonly next?: { readonly root: string; readonly leafCount: bigint } | undefined;
  readonly status: Status;
  /** Windows that have closed and were proven. */
  readonly proven: number;
  /** Windows that have closed and were not. */
  readonly missed: number;
}

/** Deals in one call of the lens: some 30,000 gas each, far below what nodes grant a call. */
const READ_BATCH = 100;
/** Blocks below the head that are read again the next time: a node may be behind, or the chain be reorganised. */
const OVERLAP = 64;

/**
 * Every deal that a market ever opened. The first look reads the market's `Opened` events from its deployment on, a page
 * at a time; later ones read what is new.
 *
 * @example
 * const history = new DealHistory({ contracts, deployment });
 * const mine = await history.deals(({ provider }) => provider === address);
 */
export class DealHistory {
  readonly #reader: DealReader;
  readonly #openings = new Map<bigint, Opening>();
  #from: number;

  constructor(reader: DealReader) {
    this.#reader = reader;
    this.#from = reader.deployment.block;
  }

  /**
   * The deals that `wanted` says yes to, as they stand now, oldest first. One call for each hundred of them.
   *
   * @throws ChainError where the chain can't be asked
   */
  async deals(wanted: (opening: Opening) => boolean): Promise<PastDeal[]> {
    await ask("read the market's events", this.#sync());
    const openings = [...this.#openings.values()].filter(wanted);
    const deals: PastDeal[] = [];
    for (let at = 0; at < openings.length; at += READ_BATCH) {
      const batch = openings.slice(at, at + READ_BATCH);
      const views = await ask("read deals", this.#reader.contracts.lens.dealsOf(batch.map(({ id }) => id)));
      for (const [i, { root, leafCount, revision, standing }] of views.entries()) {
        const status = Number(standing.status) as Status;
        // What a reorganisation has taken back is no deal.
        if (status === Status.None) continue;
        const [proven, missed] = [Number(standing.provenClosed), Number(standing.missed)];
        const next = revision.from === 0n ? undefined : { root: revision.root, leafCount: revision.leafCount };
        deals.push({ ...(batch[i] as Opening), root, leafCount, next, status, proven, missed });
      }
    }
    return deals;
  }

  async #sync(): Promise<void> {
    const { contracts, deployment } = this.#reader;
    const { market } = contracts;
    const provider = market.runner?.provider as Provider;
    const filter = { address: deployment.market, topics: [market.interface.getEvent("Opened").topicHash] };
    const head = await provider.getBlockNumber();
    for await (const { logs, to } of logsBetween(provider, filter, this.#from, head)) {
      for (const log of logs) {
        const opened = market.interface.decodeEventLog("Opened", log.data, log.topics) as unknown as Opening;
        const { id, provider, payer, gift } = opened;
        this.#openings.set(id, { id, provider, payer, gift });
      }
      this.#from = Math.max(this.#from, Math.min(to, head - OVERLAP) + 1);
    }
  }
}

/**
 * URLs of the providers that have, had, or will have deals on a piece: those whose deals are live first, then those who proved
 * most.
 *
 * @throws ChainError where the chain can't be asked
 */
export async function holders(reader: DealReader, piece: PieceRoot): Promise<string[]> {
  return holdersAmong(reader, await new DealHistory(reader).deals(() => true), piece);
}

/** As {@link holders}, where the deals are read already. */
export async function holdersAmong(
  { contracts }: Pick<DealReader, "contracts">,
  deals: readonly PastDeal[],
  { root, leafCount }: PieceRoot,
): Promise<string[]> {
  const isLive = ({ status }: PastDeal) => status === Status.Open || status === Status.Ending;
  const onPiece = deals
    .filter((deal) => [deal, deal.next].some((it) => it?.root === hexlify(root) && it.leafCount === leafCount))
    .sort((a, b) => Number(isLive(b)) - Number(isLive(a)) || b.proven - b.missed - (a.proven - a.missed));
  const providers = [...new Set(onPiece.map(({ provider }) => provider))];
  const urls = await Promise.all(providers.map((provider) => providerUrl(contracts, provider)));
  return urls.flatMap((url) => nodeUrl(url) ?? []);
}

type PieceRoot = Pick<Commitment, "root" | "leafCount">;
