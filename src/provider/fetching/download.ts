/**
 * Bytes from a URL that a stranger named: at addresses that everybody can reach, along redirects that are checked one by
 * one, resumed where the connection broke, and no more, no longer and no slower than it may be.
 *
 * @packageDocumentation
 */
import { request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import { setTimeout as delay } from "node:timers/promises";
import { Patience } from "../../client/patience.js";
import { HoldfastError } from "../../errors.js";
import type { DiskRoom } from "../disk-room.js";
import { type Address, type AddressOptions, addressesOf } from "./addresses.js";

/** What a fetch may do and take. */
export interface FetchOptions extends AddressOptions {
  /** A source that gets no 64 KiB across in this time is given up, in milliseconds; 30,000 by default. */
  readonly stallMs?: number;
  /** Bytes a second below which the whole takes too long, on top of `graceMs`; 256 KiB by default. */
  readonly minBytesPerSecond?: number;
  /** Milliseconds that a piece may take whatever its size; 60,000 by default. */
  readonly graceMs?: number;
  /** Connections for one piece, the resumed ones included; 5 by default. */
  readonly connections?: number;
  /** Milliseconds before a broken transfer is resumed, doubled each time; 500 by default. */
  readonly resumeAfterMs?: number;
  /** Where the bytes arrive: a piece that has no room there is not fetched. Without it, nobody looks. */
  readonly room?: DiskRoom;
  /** Stops the fetch, with its reason. */
  readonly signal?: AbortSignal;
}

/** Sizes that the payload of a piece can have, in bytes. */
export interface SizeBounds {
  readonly least: number;
  readonly most: number;
}

const MAX_REDIRECTS = 5;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * The bytes at `url`, as they come. They end normally only with a size within `bounds`.
 *
 * @throws HoldfastError `SOURCE_FORBIDDEN` for an address or scheme that is not fetched from, `SOURCE_UNREACHABLE`,
 *   `SOURCE_REFUSED` with the status, `SOURCE_BROKEN`, `SOURCE_TOO_SLOW`, `SOURCE_WRONG_SIZE`
 * @throws the reason of `options.signal`
 */
export async function* download(
  url: string,
  bounds: SizeBounds,
  options: FetchOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const { graceMs = 60_000, minBytesPerSecond = 256 * 1024, stallMs = 30_000 } = options;
  const { connections = 5, resumeAfterMs = 500 } = options;
  const slow = new AbortController();
  const giveUp = () => slow.abort(tooSlow(url));
  const most = Math.min(graceMs + (bounds.most / minBytesPerSecond) * 1_000, MAX_TIMER_MS);
  const timer = setTimeout(giveUp, most);
  const signal = options.signal ? AbortSignal.any([slow.signal, options.signal]) : slow.signal;
  const transfer = new Transfer(url, bounds, options, new Patience(stallMs, giveUp), signal);
  try {
    for (let connection = 1; ; connection++) {
      try {
        return yield* transfer.run();
      } catch (error) {
        signal.throwIfAborted();
        if (!isBreak(error) || connection >= connections) throw error;
      }
      await delay(resumeAfterMs * 2 ** (connection - 1), undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  } finally {
    clearTimeout(timer);
    slow.abort();
  }
}

/** One payload over one or more connections. */
class Transfer {
  readonly #url: string;
  readonly #bounds: SizeBounds;
  readonly #options: FetchOptions;
  readonly #patience: Patience;
  readonly #signal: AbortSignal;
  #have = 0;
  #etag: string | undefined;

  constructor(url: string, bounds: SizeBounds, options: FetchOptions, patience: Patience, signal: AbortSignal) {
    this.#url = url;
    this.#bounds = bounds;
    this.#options = options;
    this.#patience = patience;
    this.#signal = signal;
  }

  /** Goes on after the bytes that are there. What fails as `SOURCE_BROKEN` or `SOURCE_UNREACHABLE` may be run again. */
  async *run(): AsyncGenerator<Uint8Array, void, undefined> {
    const response = await this.#open();
    try {
      this.#checkStart(response);
      yield* this.#body(response);
      if (this.#have >= this.#bounds.least) return;
      // Without a length or chunks, the end of a whole and a break look alike.
      const framed = "content-length" in response.headers || "transfer-encoding" in response.headers;
      throw framed ? this.#wrongSize(`sent ${this.#have} bytes`) : broken(this.#url);
    } finally {
      response.destroy();
    }
  }

  /** The response with the bytes, at the end of all redirects. */
  async #open(): Promise<IncomingMessage> {
    let url = parseUrl(this.#url);
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      const response = await this.#patience.during(this.#ask(url));
      const { statusCode = 0 } = response;
      if (statusCode === 200 || statusCode === 206) return response;
      response.destroy();
      const { location } = response.headers;
      if (!REDIRECTS.has(statusCode) || location === undefined) throw refused(url, `it answers ${statusCode}`);
      url = redirected(url, location);
    }
    throw refused(parseUrl(this.#url), `it redirects more than ${MAX_REDIRECTS} times`);
  }

  async #ask(url: URL): Promise<IncomingMessage> {
    const addresses = await unlessAborted(addressesOf(url, this.#options), this.#signal);
    const headers: Record<string, string> = { "accept-encoding": "identity", connection: "close" };
    if (this.#have > 0) headers.range = `bytes=${this.#have}-`;
    if (this.#have > 0 && this.#etag !== undefined) headers["if-range"] = this.#etag;
    return connect(url, addresses, headers, this.#signal);
  }

  /** What is announced has to fit before the first byte is read. */
  #checkStart({ statusCode, headers }: IncomingMessage): void {
    if (headers["content-encoding"] !== undefined && headers["content-encoding"] !== "identity") {
      throw refused(parseUrl(this.#url), "it encodes the bytes, which it was asked not to");
    }
    const start = /^bytes (\d+)-/.exec(headers["content-range"] ?? "")?.[1];
    if (statusCode === 206 ? Number(start) !== this.#have : this.#have > 0) {
      throw refused(parseUrl(this.#url), `it can't go on after ${this.#have} bytes`);
    }
    const length = headers["content-length"];
    const whole = length === undefined ? undefined : this.#have + Number(length);
    if (whole !== undefined && (whole < this.#bounds.least || whole > this.#bounds.most)) {
      throw this.#wrongSize(`announces ${whole} bytes`);
    }
    const { etag } = headers;
    if (etag?.startsWith('"')) this.#etag ??= etag; // A weak one names no bytes.
  }

  async *#body(response: IncomingMessage): AsyncGenerator<Uint8Array, void, undefined> {
    const chunks: AsyncIterator<Uint8Array> = response[Symbol.asyncIterator]();
    for (;;) {
      const next = await this.#patience.during(chunks.next()).catch((cause) => {
        this.#signal.throwIfAborted();
        throw broken(this.#url, cause);
      });
      if (next.done) return;
      const { value } = next;
      this.#have += value.length;
      if (this.#have > this.#bounds.most) throw this.#wrongSize("sends more bytes");
      this.#patience.received(value.length);
      yield value;
    }
  }

  #wrongSize(what: string): HoldfastError {
    const { least, most } = this.#bounds;
    const size = least === most ? `${most} bytes` : `${least} to ${most} bytes`;
    const message = `${originOf(this.#url)} ${what}; the piece has ${size}`;
    return new HoldfastError("SOURCE_WRONG_SIZE", message, "name a source of this very piece");
  }
}

/** Sends one request to one of `addresses`, whatever the name may stand for by now; resolves with the headers. */
function connect(
  url: URL,
  addresses: readonly [Address, ...Address[]],
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const lookup: RequestOptions["lookup"] = (_host, options, found) => {
    if (options.all)
      found(
        null,
        addresses.map(({ address, family }) => ({ address, family })),
      );
    else found(null, addresses[0].address, addresses[0].family);
  };
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const request = send(url, { headers, lookup, agent: false, signal });
    request.once("response", resolve);
    // Stays for what fails after the response, which whoever reads that learns from it.
    request.on("error", (cause) => reject(signal.aborted ? signal.reason : unreachable(url, cause)));
    request.end();
  });
}

/** Name resolution can't be stopped; its answer can be left alone. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const done = new AbortController();
  const aborted = new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true, signal: done.signal });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    done.abort();
  }
}

function parseUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw forbidden(`${text.slice(0, 100)} is no http: or https: URL`);
  if (url.username !== "" || url.password !== "") throw forbidden("the URL carries credentials");
  return url;
}

function redirected(from: URL, location: string): URL {
  const next = URL.parse(location, from);
  if (next === null) throw refused(from, "it redirects to no URL");
  if (from.protocol === "https:" && next.protocol === "http:")
    throw forbidden(`${from.origin} redirects to plain http:`);
  return parseUrl(next.href);
}

function isBreak(error: unknown): boolean {
  return error instanceof HoldfastError && (error.code === "SOURCE_BROKEN" || error.code === "SOURCE_UNREACHABLE");
}

/** What of a URL may be told: paths and queries can hold secrets. */
function originOf(url: string): string {
  return URL.parse(url)?.origin ?? "the source";
}

function forbidden(message: string): HoldfastError {
  return new HoldfastError("SOURCE_FORBIDDEN", message, "name a source that everybody can reach by http: or https:");
}

function unreachable(url: URL, cause: unknown): HoldfastError {
  return new HoldfastError("SOURCE_UNREACHABLE", `${url.origin} does not answer`, "name another source", { cause });
}

function refused(url: URL, what: string): HoldfastError {
  return new HoldfastError("SOURCE_REFUSED", `${url.origin} does not serve the piece: ${what}`, "name another source");
}

function broken(url: string, cause?: unknown): HoldfastError {
  const message = `the connection to ${originOf(url)} broke before the last byte`;
  return new HoldfastError("SOURCE_BROKEN", message, "try again, or name another source", { cause });
}

function tooSlow(url: string): HoldfastError {
  return new HoldfastError("SOURCE_TOO_SLOW", `${originOf(url)} takes too long`, "name a faster source");
}
