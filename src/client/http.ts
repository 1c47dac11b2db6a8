/**
 * Asking a provider's node, which may be anything: slow, wrong, or out to fill this machine's memory.
 *
 * @packageDocumentation
 */
import { HoldfastError } from "../errors.js";

const MAX_JSON_BYTES = 256 * 1024;
const MAX_REASON_BYTES = 2_000;
/** A node that is asked too often, or is busy, says so, and that it is so for no longer than this many seconds. */
const MOMENT_S = 5;
/** Times that it is waited for. */
const MAX_WAITS = 20;
/** Milliseconds that it is waited for in all: no node keeps a client from asking others for longer. */
const MAX_WAITED_MS = 30_000;

/**
 * One HTTP request to a node. Redirects are refused: what is handed over and what is signed go to whom it was meant for. Where the
 * node says that it is busy for a moment, text is sent again after it.
 *
 * @param url - base URL of the node
 * @param path - below it, or an absolute URL of the same origin
 * @returns a response in the range of 200 to 299, its body unread
 * @throws HoldfastError `PROVIDER_UNREACHABLE` where nothing answers, `PROVIDER_REFUSED` with the node's own words
 * @throws the reason of `init.signal` where its owner aborted, unless that is a timeout
 */
export async function request(url: string, path: string, init: RequestInit): Promise<Response> {
  const target = resolve(url, path);
  for (let [waits, waited] = [0, 0]; ; waits++) {
    const response = await ask(url, target, init);
    if (response.ok) return response;
    const text = await readText(response, url, MAX_REASON_BYTES).catch(() => "");
    const moment = typeof init.body === "string" ? momentOf(response) : undefined;
    if (moment === undefined || waits === MAX_WAITS || waited + moment > MAX_WAITED_MS) {
      throw refused(url, `${response.status} ${text}`.trim());
    }
    waited += moment;
    await pause(moment, init.signal ?? undefined);
  }
}

async function ask(url: string, target: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(target, { ...init, redirect: "error" });
  } catch (cause) {
    throw unreachable(url, "does not answer", cause);
  }
}

/** Milliseconds for which a node is busy; undefined where it refuses for good, or for long. */
function momentOf({ status, headers }: Response): number | undefined {
  const seconds = headers.get("retry-after") ?? "";
  const isMoment = (status === 429 || status === 503) && /^\d$/.test(seconds) && Number(seconds) <= MOMENT_S;
  return isMoment ? Number(seconds) * 1_000 : undefined;
}

/** Resolves early when the signal is aborted: what comes next fails then. */
export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    if (signal?.aborted) done();
    else signal?.addEventListener("abort", done, { once: true });
  });
}

/** The JSON of a response. @throws HoldfastError `PROVIDER_UNREACHABLE`, `PROVIDER_REFUSED` where it is none */
export async function readJson(response: Response, url: string): Promise<unknown> {
  const text = await readText(response, url, MAX_JSON_BYTES);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw refused(url, "its answer is not JSON, or is longer than any honest one", cause);
  }
}

/** What a node said or did that can't be worked with. */
export function refused(url: string, reason: string, cause?: unknown): HoldfastError {
  const message = printable(`${url} refused: ${reason}`);
  return new HoldfastError("PROVIDER_REFUSED", message, "mend what it names, or try another", { cause });
}

/** A node that can't be reached, or is not any more. */
export function unreachable(url: string, what: string, cause?: unknown): HoldfastError {
  return new HoldfastError("PROVIDER_UNREACHABLE", `${url} ${what}`, "try another provider", { cause });
}

/** What a provider says can be printed, and gives no orders to a terminal. */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, " ");
}

/** A URL that a node can be asked at, without a slash at its end and fit to be printed; undefined where it is none. */
export function nodeUrl(text: string): string | undefined {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) return undefined;
  return new URL(text).href.replace(/\/$/, "");
}

function resolve(url: string, path: string): string {
  if (nodeUrl(url) === undefined) throw refused(url, "it is no http: or https: URL");
  const base = url.endsWith("/") ? url : `${url}/`;
  if (!URL.canParse(path, base)) throw refused(url, "it named a place that is no URL");
  const target = new URL(path, base);
  if (target.origin !== new URL(base).origin) throw refused(url, `it pointed elsewhere, to ${target.origin}`);
  return target.href;
}

/** At most the first `limit` bytes of a body. @throws HoldfastError `PROVIDER_UNREACHABLE` where it breaks off */
export async function readAtMost(response: Response, url: string, limit: number): Promise<Uint8Array> {
  const reader = response.body?.getReader();
  if (!reader) return new Uint8Array(0);
  const parts: Uint8Array<ArrayBuffer>[] = [];
  try {
    for (let left = limit; left > 0; ) {
      const { done, value } = await reader.read();
      if (done) break;
      parts.push(value.slice(0, left));
      left -= value.length;
    }
  } catch (cause) {
    throw unreachable(url, "broke off", cause);
  } finally {
    await reader.cancel().catch(() => undefined);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

async function readText(response: Response, url: string, limit: number): Promise<string> {
  return new TextDecoder().decode(await readAtMost(response, url, limit));
}
