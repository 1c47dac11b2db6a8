/**
 * Getting a piece back, verified: what doesn't hash to its CID is never handed out as whole.
 *
 * @packageDocumentation
 */
import { HoldfastError } from "../errors.js";
import { decodePieceCid, encodePieceCid, PieceHasher } from "../piece/index.js";
import { download } from "./providers.js";

/** Where the bytes of a download go. */
export interface Sink<T> {
  write(chunk: Uint8Array): void | Promise<void>;
  /** Called once, when all bytes are there and verified. */
  done(): T | Promise<T>;
  /** Called once, when they are not: forget them. */
  discard(): void | Promise<void>;
}

export interface Retrieval<T> {
  readonly value: T;
  /** The provider that served it. */
  readonly url: string;
  /** Providers that were tried before, and what was wrong with them. */
  readonly failures: readonly { url: string; error: HoldfastError }[];
}

/** A provider that sends nothing for this long is given up. */
const STALL_MS = 30_000;

/**
 * Fetches a piece from the first of `urls` that serves it whole and right.
 *
 * @param makeSink - called for each attempt
 * @throws HoldfastError `INVALID_PIECE_CID`, `PIECE_UNAVAILABLE` where no provider served it
 * @example
 * const { value } = await retrieve(pieceCid, ["http://127.0.0.1:8080"], memorySink);
 */
export async function retrieve<T>(
  pieceCid: string,
  urls: readonly string[],
  makeSink: () => Sink<T> | Promise<Sink<T>>,
): Promise<Retrieval<T>> {
  decodePieceCid(pieceCid);
  const failures: { url: string; error: HoldfastError }[] = [];
  for (const url of urls) {
    const sink = await makeSink();
    try {
      await receive(pieceCid, url, sink);
      return { value: await sink.done(), url, failures };
    } catch (error) {
      await sink.discard();
      if (!(error instanceof HoldfastError)) throw error;
      failures.push({ url, error });
    }
  }
  const reasons = failures.map(({ error }) => error.message).join("; ") || "no provider was named";
  throw new HoldfastError("PIECE_UNAVAILABLE", `no provider served ${pieceCid}: ${reasons}`, "name other providers");
}

async function receive<T>(pieceCid: string, url: string, sink: Sink<T>): Promise<void> {
  const expected = decodePieceCid(pieceCid);
  const stall = new AbortController();
  let timer = setTimeout(() => stall.abort(), STALL_MS);
  const hasher = new PieceHasher();
  let size = 0n;
  try {
    const response = await download(url, pieceCid, stall.signal);
    for await (const chunk of chunksOf(response, url)) {
      timer = restart(timer, stall);
      size += BigInt(chunk.length);
      if (size > expected.payloadSize) break;
      hasher.update(chunk);
      await sink.write(chunk);
    }
  } finally {
    clearTimeout(timer);
    stall.abort();
  }
  if (size !== expected.payloadSize) throw wrong(url, `sent ${size} bytes or more where ${expected.payloadSize} belong`);
  const actual = encodePieceCid(hasher.finish()).toString();
  if (actual !== encodePieceCid(expected).toString()) throw wrong(url, `sent other bytes: ${actual}`);
}

function restart(timer: ReturnType<typeof setTimeout>, stall: AbortController): ReturnType<typeof setTimeout> {
  clearTimeout(timer);
  return setTimeout(() => stall.abort(), STALL_MS);
}

async function* chunksOf(response: Response, url: string): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (!reader) return;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch (cause) {
    throw new HoldfastError("PROVIDER_UNREACHABLE", `${url} broke off`, "try another provider", { cause });
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function wrong(url: string, what: string): HoldfastError {
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
