/**
 * Getting a piece back, verified: what doesn't hash to its CID is never handed out as whole.
 *
 * @packageDocumentation
 */
import { HoldfastError } from "../errors.js";
import { type Commitment, decodePieceCid, encodePieceCid, PieceHasher } from "../piece/index.js";
import { unreachable } from "./http.js";
import { Patience } from "./patience.js";
import { askPieceCid, download } from "./providers.js";

/** Where the bytes of a download go. Nothing that was written may be used before `done`. */
export interface Sink<T> {
  write(chunk: Uint8Array): void | Promise<void>;
  /** Called once, when all bytes are there and verified. */
  done(): T | Promise<T>;
  /** Called once, when they are not, or when `write` or `done` failed: forget them. */
  discard(): void | Promise<void>;
}

/** A provider that did not serve the piece, and why. */
export interface Failure {
  readonly url: string;
  readonly error: HoldfastError;
}

export interface Retrieval<T> {
  readonly value: T;
  /** The provider that served it. */
  readonly url: string;
  /** Providers that were tried before. */
  readonly failures: readonly Failure[];
}

export interface RetrieveOptions {
  /** A provider that gets no 64 KiB across in this time is given up; 30,000 by default. */
  readonly stallMs?: number;
}

const STALL_MS = 30_000;

/** What the next provider may do better. Anything else (a full disk here) would fail again. */
const FAULTS: ReadonlySet<string> = new Set(["PROVIDER_UNREACHABLE", "PROVIDER_REFUSED", "PIECE_CORRUPT"]);
/** The same, where the provider is asked for the piece's length first. */
const TREE_FAULTS: ReadonlySet<string> = new Set(["PROVIDER_UNREACHABLE", "PROVIDER_REFUSED", "PIECE_UNAVAILABLE"]);

/**
 * Fetches a piece from the first of `urls` that serves it whole and right.
 *
 * @param makeSink - called for each attempt
 * @throws HoldfastError `INVALID_PIECE_CID`, `PIECE_UNAVAILABLE` where no provider served it
 * @throws what the sink throws
 * @example
 * const { value } = await retrieve(pieceCid, ["http://127.0.0.1:8080"], memorySink);
 */
export async function retrieve<T>(
  pieceCid: string,
  urls: readonly string[],
  makeSink: () => Sink<T> | Promise<Sink<T>>,
  { stallMs = STALL_MS }: RetrieveOptions = {},
): Promise<Retrieval<T>> {
  const expected = decodePieceCid(pieceCid);
  const failures: Failure[] = [];
  for (const url of urls) {
    const sink = await makeSink();
    try {
      await receive(expected, url, sink, stallMs);
      return { value: await sink.done(), url, failures };
    } catch (error) {
      await sink.discard();
      if (!(error instanceof HoldfastError) || !FAULTS.has(error.code)) throw error;
      failures.push({ url, error });
    }
  }
  const reasons = failures.map(({ error }) => error.message).join("; ") || "no provider was named";
  throw new HoldfastError("PIECE_UNAVAILABLE", `no provider served ${pieceCid}: ${reasons}`, "name other providers");
}

/**
 * Fetches a piece of which only the tree is known, as a deal knows it, from the first of `urls` that serves it: each says
 * how long the piece is, and every byte is hashed.
 *
 * @param makeSink - called for each attempt
 * @param hint - what to do where nobody does
 * @throws HoldfastError `PIECE_UNAVAILABLE` where no provider served it
 * @throws what the sink throws
 */
export async function retrieveTree<T>(
  { root, leafCount }: Pick<Commitment, "root" | "leafCount">,
  urls: readonly string[],
  makeSink: () => Sink<T> | Promise<Sink<T>>,
  hint = "try again when they answer",
): Promise<Retrieval<T>> {
  const failures: Failure[] = [];
  for (const url of urls) {
    try {
      const pieceCid = await askPieceCid(url, root, leafCount);
      return { ...(await retrieve(pieceCid, [url], makeSink)), failures };
    } catch (error) {
      if (!(error instanceof HoldfastError) || !TREE_FAULTS.has(error.code)) throw error;
      failures.push({ url, error });
    }
  }
  const reasons = failures.map(({ error }) => error.message).join("; ") || "none is known";
  throw new HoldfastError("PIECE_UNAVAILABLE", `no provider served the piece of the deal: ${reasons}`, hint);
}

async function receive(expected: Commitment, url: string, sink: Sink<unknown>, stallMs: number): Promise<void> {
  const pieceCid = encodePieceCid(expected).toString();
  const abort = new AbortController();
  const patience = new Patience(stallMs, () => abort.abort());
  const hasher = new PieceHasher();
  let size = 0n;
  try {
    const response = await patience.during(download(url, pieceCid, abort.signal));
    for await (const chunk of chunksOf(response, url, patience)) {
      size += BigInt(chunk.length);
      if (size > expected.payloadSize)
        throw corrupt(url, `sent more than the ${expected.payloadSize} bytes of the piece`);
      hasher.update(chunk);
      await sink.write(chunk);
    }
  } finally {
    abort.abort();
  }
  if (size < expected.payloadSize) throw corrupt(url, `sent ${size} of ${expected.payloadSize} bytes`);
  const actual = encodePieceCid(hasher.finish()).toString();
  if (actual !== pieceCid) throw corrupt(url, `sent other bytes: ${actual}`);
}

async function* chunksOf(response: Response, url: string, patience: Patience): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (!reader) return;
  try {
    for (;;) {
      const { done, value } = await patience.during(reader.read()).catch((cause) => {
        throw unreachable(url, "broke off, or was too slow", cause);
      });
      if (done) return;
      patience.received(value.length);
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function corrupt(url: string, what: string): HoldfastError {
  return new HoldfastError("PIECE_CORRUPT", `${url} ${what}`, "try another provider");
}

/** Gathers a piece in memory. */
export function memorySink(): Sink<Uint8Array> {
  const chunks: Uint8Array[] = [];
  return {
    write: (chunk) => void chunks.push(chunk),
    done: async () => new Uint8Array(await new Blob(chunks as Uint8Array<ArrayBuffer>[]).arrayBuffer()),
    discard: () => void chunks.splice(0),
  };
}
