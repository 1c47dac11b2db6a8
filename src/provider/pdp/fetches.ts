/**
 * Pieces that somebody wants fetched from another node: one fetch each, in turn, within limits.
 *
 * @packageDocumentation
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { HoldfastError } from "../../errors.js";
import { decodePieceCid } from "../../piece/index.js";
import type { PieceStore } from "../../store/index.js";
import type { Holding } from "../admission.js";
import { type FetchOptions, fetchPiece } from "../fetching/index.js";
import type { UnpaidPieces } from "../unpaid/index.js";

export type FetchStatus = "pending" | "inProgress" | "retrying" | "complete" | "failed";

/** A piece and where it is said to be. */
export interface Wanted {
  readonly pieceCid: string;
  readonly sourceUrl: string;
}

export interface PieceFetchesOptions {
  readonly store: PieceStore;
  readonly logger: Logger;
  readonly fetching?: FetchOptions;
  readonly unpaid?: UnpaidPieces | undefined;
  /** Fetches at the same time; 4 by default, of which at most half for one peer. */
  readonly maxFetches?: number;
  /** Fetches that wait or run; 64 by default, of which at most a quarter for one peer. */
  readonly maxQueued?: number;
  /** Times that a source is asked before it has failed; 3 by default. */
  readonly tries?: number;
  /** Milliseconds before a source is asked again, doubled each time; 5,000 by default. */
  readonly retryMs?: number;
  /** Milliseconds that a failure is told before the same request begins anew; 600,000 by default. */
  readonly failedMs?: number;
}

/** Asked whether so many more bytes may come; each throws where not. */
export interface FetchAdmission {
  /** Whether the disk could take them. The fetch asks again when its turn comes. */
  readonly room: (bytes: number) => Promise<void>;
  /** Whether they may count for whoever asks. */
  readonly quota: (bytes: number) => void;
}

interface Fetch extends Wanted {
  readonly owner: string;
  readonly bytes: number;
  status: FetchStatus;
  failedAt: number;
}

/** What no other try would change. */
const FINAL: ReadonlySet<string> = new Set(["SOURCE_FORBIDDEN", "SOURCE_WRONG_SIZE", "PIECE_MISMATCH"]);
/** Failures that are remembered, whatever their age. */
const MAX_FAILED = 1_000;

export class PieceFetches {
  readonly #o: PieceFetchesOptions;
  readonly #maxFetches: number;
  readonly #maxQueued: number;
  readonly #stop = new AbortController();
  /** Those that wait, run, or have failed. One that is complete is in the store, and that is all that says so. */
  readonly #fetches = new Map<string, Fetch>();
  readonly #running = new Map<Fetch, Promise<void>>();

  constructor(options: PieceFetchesOptions) {
    this.#o = options;
    this.#maxFetches = options.maxFetches ?? 4;
    this.#maxQueued = options.maxQueued ?? 64;
  }

  /** What is under way, for whom. */
  *holdings(): Generator<Holding> {
    for (const { owner, bytes, status } of this.#fetches.values()) if (status !== "failed") yield { owner, bytes };
  }

  /** Whether the piece is on its way. */
  isComing(pieceCid: string): boolean {
    return [...this.#fetches.values()].some((fetch) => fetch.pieceCid === pieceCid && fetch.status !== "failed");
  }

  /**
   * How far each of these is; what was not asked for before begins now, all of it or nothing. The same question again is
   * a look at how far it is.
   *
   * @param wanted - CIDs in their canonical form
   * @throws HoldfastError `QUOTA_EXCEEDED` where too much is asked for; what `admit` throws
   */
  async ask(wanted: readonly Wanted[], owner: string, admit: FetchAdmission): Promise<FetchStatus[]> {
    const here = await Promise.all(wanted.map(({ pieceCid }) => this.#o.store.find(pieceCid)));
    for (const [i, { pieceCid }] of wanted.entries()) if (here[i]) await this.#o.unpaid?.touch(pieceCid);
    const asked = this.#missing(wanted, here, owner);
    if (asked.length > 0) await admit.room(bytesOf(asked));
    // No await from here on: what is counted and what begins is one step.
    this.#forget();
    const fresh = this.#missing(wanted, here, owner);
    if (fresh.length > 0) {
      this.#checkRoom(fresh.length, owner);
      admit.quota(bytesOf(fresh));
      for (const fetch of fresh) this.#fetches.set(keyOf(fetch), fetch);
      this.#next();
    }
    return wanted.map((one, i) => (here[i] ? "complete" : (this.#fetches.get(keyOf(one))?.status ?? "pending")));
  }

  /** Breaks off what runs, and resolves when that is over. */
  async close(): Promise<void> {
    this.#stop.abort(new HoldfastError("STOPPED", "the provider was stopped", "ask again when it is back"));
    await Promise.all(this.#running.values());
  }

  /** What is neither here nor known yet, each once. */
  #missing(wanted: readonly Wanted[], here: readonly unknown[], owner: string): Fetch[] {
    const missing = wanted.filter((one, i) => !here[i] && !this.#fetches.has(keyOf(one)));
    return [...new Map(missing.map((one) => [keyOf(one), one])).values()].map((one) => begun(one, owner));
  }

  #checkRoom(count: number, owner: string): void {
    const waiting = [...this.#fetches.values()].filter(({ status }) => status !== "failed");
    const own = waiting.filter((fetch) => fetch.owner === owner).length;
    if (waiting.length + count <= this.#maxQueued && own + count <= Math.ceil(this.#maxQueued / 4)) return;
    const message = `${waiting.length} pieces are being fetched, ${own} of them for your network`;
    throw new HoldfastError("QUOTA_EXCEEDED", message, "ask again later, or for fewer");
  }

  /** Begins what may begin: the first that waits, of a peer that has not got its share already. */
  #next(): void {
    const share = Math.ceil(this.#maxFetches / 2);
    for (const fetch of this.#fetches.values()) {
      if (this.#running.size >= this.#maxFetches || this.#stop.signal.aborted) return;
      const own = [...this.#running.keys()].filter(({ owner }) => owner === fetch.owner).length;
      if (fetch.status !== "pending" || own >= share) continue;
      fetch.status = "inProgress";
      const running = this.#run(fetch).finally(() => {
        this.#running.delete(fetch);
        this.#next();
      });
      this.#running.set(fetch, running);
    }
  }

  async #run(fetch: Fetch): Promise<void> {
    const { logger, tries = 3, retryMs = 5_000 } = this.#o;
    const { signal } = this.#stop;
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#fetch(fetch);
        this.#fetches.delete(keyOf(fetch));
        return;
      } catch (error) {
        if (attempt >= tries || isFinal(error) || signal.aborted) {
          Object.assign(fetch, { status: "failed", failedAt: performance.now() });
          if (!signal.aborted) logger.warn({ err: error, pieceCid: fetch.pieceCid }, "piece could not be pulled");
          return;
        }
        fetch.status = "retrying";
      }
      await delay(retryMs * 2 ** (attempt - 1), undefined, { signal }).catch(() => undefined);
    }
  }

  async #fetch({ pieceCid, sourceUrl, owner }: Fetch): Promise<void> {
    const { store, fetching, unpaid, logger } = this.#o;
    const options = { ...fetching, signal: this.#stop.signal };
    const bring = () => fetchPiece(store, decodePieceCid(pieceCid), [sourceUrl], options);
    await (unpaid ? unpaid.during(pieceCid, owner, bring) : bring());
    if (!(await store.find(pieceCid))) {
      // Another payload of the same tree was here, which no source is asked for then.
      throw new HoldfastError("PIECE_MISMATCH", "a payload with other zeros at its end is here", "upload the piece");
    }
    logger.info({ pieceCid }, "piece pulled");
  }

  /** Failures are told for some time. */
  #forget(): void {
    const { failedMs = 600_000 } = this.#o;
    const failed = [...this.#fetches].filter(([, { status }]) => status === "failed");
    const oldest = performance.now() - failedMs;
    for (const [i, [key, { failedAt }]] of failed.entries()) {
      if (failedAt <= oldest || i < failed.length - MAX_FAILED) this.#fetches.delete(key);
    }
  }
}

function begun(wanted: Wanted, owner: string): Fetch {
  const bytes = Number(decodePieceCid(wanted.pieceCid).payloadSize);
  return { ...wanted, owner, bytes, status: "pending", failedAt: 0 };
}

function bytesOf(fetches: readonly Fetch[]): number {
  return fetches.reduce((sum, { bytes }) => sum + bytes, 0);
}

function keyOf({ pieceCid, sourceUrl }: Wanted): string {
  return `${pieceCid} ${sourceUrl}`;
}

function isFinal(error: unknown): boolean {
  if (!(error instanceof HoldfastError)) return true;
  const cause = error.cause instanceof HoldfastError ? error.cause.code : "";
  return FINAL.has(error.code) || FINAL.has(cause);
}
