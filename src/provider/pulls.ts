import { getBytes } from "ethers";
import type { Logger } from "pino";
import type { Contracts } from "../chain/contracts.js";
import { HoldfastError } from "../errors.js";
import type { PullAnswer } from "../protocol/index.js";
import { type PieceStore, type PieceTree, treeKey } from "../store/index.js";
import { openDeal, refusal } from "./checks.js";
import { type FetchOptions, fetchPiece, payloadBounds, sourcesOf } from "./fetching/index.js";
import type { UnpaidPieces } from "./unpaid/index.js";

export interface PullDeskOptions {
  /** The provider that pieces are pulled for. */
  readonly provider: string;
  /** Connected to a provider, to read. */
  readonly contracts: Contracts;
  readonly store: PieceStore;
  /** Largest piece, in bytes. */
  readonly maxPieceBytes: number;
  readonly fetching: FetchOptions;
  /** Told of what came, for it may never get its deal. */
  readonly unpaid?: UnpaidPieces;
  readonly logger: Logger;
  /** Pieces that are fetched at the same time, at most; 4 by default. */
  readonly maxPulls?: number;
  /** How long a failure is told before it is tried again, in milliseconds; 30,000 by default. */
  readonly retryMs?: number;
}

interface Pull {
  /** Those that it was asked for by. */
  readonly deals: Set<bigint>;
  readonly done: Promise<void>;
  error: unknown;
  /** When it failed, by this machine's clock in milliseconds. */
  failedAt: number | undefined;
}

const MAX_PULLS = 4;
const RETRY_MS = 30_000;

/**
 * Fetches the pieces of live deals from the providers that they are with, so that those deals can move here. Where to
 * fetch is read from the registry, never taken from whoever asks.
 */
export class PullDesk {
  readonly #o: PullDeskOptions;
  readonly #stopping = new AbortController();
  /** By root and leafCount: one fetch of a piece, however many ask for it. */
  readonly #pulls = new Map<string, Pull>();

  constructor(options: PullDeskOptions) {
    this.#o = options;
  }

  /**
   * The piece's CID where it is here; otherwise fetches it in the background, from the provider of the deal, and answers
   * without one. Ask again until it is there.
   *
   * @throws HoldfastError `DEAL_REFUSED` for a deal that is not live, a piece that is too large, or one that could not
   *   be fetched just now; `TOO_MANY_UPLOADS` where as many as may be are under way, `DISK_FULL` where there is no room
   * @throws what the chain's provider throws where it can't be asked
   */
  async pull(dealId: bigint): Promise<PullAnswer> {
    const { piece, url } = await this.#lookUp(dealId);
    const here = await this.#o.store.findTree(piece.root, piece.leafCount);
    if (here) return { pieceCid: here.pieceCid };
    const { least, most } = payloadBounds(piece.leafCount);
    if (least > BigInt(this.#o.maxPieceBytes)) throw refusal(`pieces have at most ${this.#o.maxPieceBytes} bytes`);
    const key = treeKey(piece);
    // One that is being fetched has its room.
    if (!this.#pulls.has(key)) await this.#o.fetching.room?.check(Number(most));
    this.#begin(key, piece, url);
    this.#pulls.get(key)?.deals.add(dealId);
    return {};
  }

  /** Whether a deal's piece is being fetched. The chain is not asked: clients ask this twice a second. */
  isComing(dealId: bigint): boolean {
    return [...this.#pulls.values()].some(({ deals, failedAt }) => failedAt === undefined && deals.has(dealId));
  }

  /** Breaks off what is being fetched, and resolves when that is over. */
  async close(): Promise<void> {
    this.#stopping.abort(new HoldfastError("STOPPED", "the provider was stopped", "ask again when it is back"));
    await Promise.all([...this.#pulls.values()].map(({ done }) => done));
  }

  #begin(key: string, piece: PieceTree, url: string): void {
    const { maxPulls = MAX_PULLS, retryMs = RETRY_MS } = this.#o;
    const known = this.#pulls.get(key);
    if (known?.failedAt !== undefined && performance.now() - known.failedAt < retryMs) {
      const reason = known.error instanceof Error ? known.error.message : String(known.error);
      throw refusal(`the piece could not be fetched: ${reason}`, known.error);
    }
    if (known !== undefined && known.failedAt === undefined) return;
    for (const [other, pull] of this.#pulls) if (pull.failedAt !== undefined) this.#pulls.delete(other);
    if (this.#pulls.size >= maxPulls) {
      const hint = "ask again later, or hand the piece over";
      throw new HoldfastError("TOO_MANY_UPLOADS", `${maxPulls} pieces are being fetched`, hint);
    }
    const pull: Pull = { deals: new Set(), done: this.#fetch(piece, url, key), error: undefined, failedAt: undefined };
    this.#pulls.set(key, pull);
  }

  async #fetch(piece: PieceTree, url: string, key: string): Promise<void> {
    const { store, fetching, unpaid, logger } = this.#o;
    const storing = unpaid && {
      storing: (cid: string, bring: () => Promise<void>) => unpaid.during(cid, "pulls", bring),
    };
    const options = { ...fetching, ...storing, signal: this.#stopping.signal };
    try {
      const { pieceCid, source } = await fetchPiece(store, piece, sourcesOf(piece, "", [url]), options);
      logger.info({ pieceCid, source }, "piece fetched from another provider");
      this.#pulls.delete(key);
    } catch (error) {
      logger.warn({ err: error, url }, "piece could not be fetched from another provider");
      const pull = this.#pulls.get(key);
      if (pull) Object.assign(pull, { error, failedAt: performance.now() });
    }
  }

  async #lookUp(dealId: bigint): Promise<{ piece: PieceTree; url: string }> {
    const { contracts, provider } = this.#o;
    const deal = await openDeal(contracts, dealId);
    if (deal.provider === provider) throw refusal("that deal is with this provider already");
    const { url } = await contracts.registry.profileOf(deal.provider);
    return { piece: { root: getBytes(deal.root), leafCount: deal.leafCount }, url };
  }
}
