/** Requests to an explorer: not too many, not for ever, again where that helps. */
import { setTimeout as sleep } from "node:timers/promises";
import { readText, splitCredentials } from "../../../src/response-text.js";
import { ExplorerStop } from "./explorer.js";

/** All in milliseconds, but for the tries. */
export interface Pace {
  /** Between two requests to one explorer, at least. */
  readonly gapMs: number;
  /** For one request, with its answer. */
  readonly requestMs: number;
  /** Of one request, all in all. */
  readonly tries: number;
  /** Before the second try; doubled before each further one. */
  readonly backoffMs: number;
  /** Between two questions what became of sources. */
  readonly pollMs: number;
  /** For all that one explorer is given to be settled, from when the last was sent. */
  readonly settleMs: number;
}

/** `gapMs` is each explorer's own. */
export const PACE: Omit<Pace, "gapMs"> = {
  requestMs: 20_000,
  tries: 3,
  backoffMs: 2_000,
  pollMs: 3_000,
  settleMs: 300_000,
};

/** A compile error may quote whole files. */
const MAX_BYTES = 4_000_000;
/** Longer than this, nobody waits because a header says so. */
const MAX_RETRY_AFTER_MS = 30_000;

export interface Request {
  readonly method: "GET" | "POST";
  /** After the API's URL. */
  readonly path?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: { readonly type: string; readonly text: string };
  /** Whether it is to be made again later; {@link tooMuch} by default. An answer that is no JSON object is undefined. */
  readonly isBusy?: (status: number, answer: unknown) => boolean;
}

export interface Reply {
  readonly status: number;
  readonly answer: unknown;
}

/** What a status says by itself. */
export const tooMuch = (status: number): boolean => status === 429 || status >= 500;

/** Why a request is made again, and when. */
interface Again {
  readonly words: string;
  readonly afterMs?: number;
}

export class ExplorerHttp {
  readonly #base: URL;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #pace: Pace;
  #free = 0;

  /** @param url - the API's, with a user and password where it wants them */
  constructor(url: string, pace: Pace) {
    const { bare, headers } = splitCredentials(new URL(url));
    this.#base = bare;
    this.#headers = headers;
    this.#pace = pace;
  }

  /**
   * The JSON that a request is answered with, whatever its status; again after silence, 429 and 5xx.
   *
   * @throws ExplorerStop where no try brings any
   */
  async ask(request: Request): Promise<Reply> {
    const { tries, backoffMs } = this.#pace;
    let again: Again = { words: "it was not asked" };
    for (let i = 0; i < tries; i++) {
      if (i > 0) await sleep(again.afterMs ?? backoffMs * 2 ** (i - 1));
      const outcome = await this.#once(request);
      if ("status" in outcome) return outcome;
      again = outcome;
    }
    throw new ExplorerStop("unreachable", again.words);
  }

  async #once(request: Request): Promise<Reply | Again> {
    await this.#turn();
    let response: Response;
    let text: string;
    try {
      response = await this.#fetch(request);
      text = await readText(response, MAX_BYTES, () => new Error(`it answered more than ${MAX_BYTES} bytes`));
    } catch (error) {
      return { words: reasonOf(error) };
    }
    const [{ status }, answer, isBusy] = [response, jsonOf(text), request.isBusy ?? tooMuch];
    if (isBusy(status, answer)) {
      return { words: tooMuch(status) ? `it answered ${status}` : "it has too many requests", ...retryAfter(response) };
    }
    // A page of a proxy, another server's, or a redirect, which would lose a request's body.
    if (answer === undefined) throw new ExplorerStop("unreachable", `it answered ${status}, not as its API does`);
    return { status, answer };
  }

  #fetch({ method, path = "", query = {}, body }: Request): Promise<Response> {
    const url = new URL(this.#base);
    url.pathname = url.pathname.replace(/\/+$/, "") + path;
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    return fetch(url, {
      method,
      headers: { accept: "application/json", ...this.#headers, ...(body && { "content-type": body.type }) },
      ...(body && { body: body.text }),
      redirect: "manual",
      signal: AbortSignal.timeout(this.#pace.requestMs),
    });
  }

  /** Waits until the next request may be made. */
  async #turn(): Promise<void> {
    const now = Date.now();
    const at = Math.max(now, this.#free);
    this.#free = at + this.#pace.gapMs;
    if (at > now) await sleep(at - now);
  }
}

function retryAfter(response: Response): { afterMs?: number } {
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  return seconds > 0 ? { afterMs: Math.min(seconds * 1_000, MAX_RETRY_AFTER_MS) } : {};
}

/** A URL is not in it: that may hold a key. */
function reasonOf(error: unknown): string {
  const { name, message, cause } = error as Error;
  if (name === "TimeoutError") return "it did not answer in time";
  if (cause instanceof Error) return cause.message || ((cause as NodeJS.ErrnoException).code ?? message);
  return message;
}

/** An object, undefined for all else. */
function jsonOf(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
