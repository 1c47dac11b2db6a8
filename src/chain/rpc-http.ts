/** One JSON-RPC question over HTTP, with limits on how long an answer may take and how long it may be. */
import { readText, splitCredentials } from "../response-text.js";

export interface RpcQuestion {
  readonly method: string;
  readonly params: unknown;
}

/** What a node said to a question: a refusal (a revert, a nonce that is used) is an answer too. */
export type RpcAnswer = { readonly result: unknown } | { readonly error: RpcRefusal };

export interface RpcRefusal {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

/**
 * No answer, and the endpoint is to blame: `timeout`; `connection` (refused, cut, redirected); `status` of HTTP; an answer that
 * is too long (`size`) or none of JSON-RPC (`format`).
 */
export type FaultKind = "timeout" | "connection" | "status" | "size" | "format";

/** Why an endpoint gave no answer. Its message names no URL: paths of endpoints carry keys. */
export class EndpointFault extends Error {
  readonly kind: FaultKind;
  /** The HTTP status, where there was one. */
  readonly status: number | undefined;
  /** Milliseconds for which the endpoint asked to be left alone. */
  readonly retryAfterMs: number | undefined;

  constructor(kind: FaultKind, message: string, { status, retryAfterMs, cause }: FaultDetails = {}) {
    super(message, { cause });
    this.name = "EndpointFault";
    this.kind = kind;
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

interface FaultDetails {
  readonly status?: number;
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

export interface RpcLimits {
  /** Milliseconds until the last byte of an answer. */
  readonly timeoutMs: number;
  /** Bytes of an answer. */
  readonly maxBytes: number;
}

/**
 * Asks an endpoint once. Redirects are refused: a question would go, with what the URL holds, to a host that nobody chose.
 *
 * @param url - `http:` or `https:`; a user and password in it are sent as basic authorization.
 * @throws {EndpointFault}
 * @throws The reason of `signal`.
 */
export async function askOverHttp(
  url: URL,
  { method, params }: RpcQuestion,
  { timeoutMs, maxBytes }: RpcLimits,
  signal: AbortSignal,
): Promise<RpcAnswer> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const either = AbortSignal.any([signal, timeout]);
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
  try {
    const { bare, headers: user } = splitCredentials(url);
    const headers = { "content-type": "application/json", accept: "application/json", ...user };
    const response = await fetch(bare, { method: "POST", body, headers, redirect: "error", signal: either });
    return await read(response, maxBytes);
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof EndpointFault) throw cause;
    if (timeout.aborted) throw new EndpointFault("timeout", `no answer to ${method} within ${timeoutMs} ms`, { cause });
    throw new EndpointFault("connection", `the connection failed: ${reasonOf(cause)}`, { cause });
  }
}

async function read(response: Response, maxBytes: number): Promise<RpcAnswer> {
  const tooLong = () => new EndpointFault("size", `the answer is longer than ${maxBytes} bytes`);
  const text = await readText(response, maxBytes, tooLong);
  const answer = parse(text);
  if (response.status === 429 || response.status >= 500 || (!response.ok && answer === undefined)) {
    const retryAfterMs = retryAfter(response.headers.get("retry-after"), Date.now());
    throw new EndpointFault("status", `HTTP status ${response.status}`, { status: response.status, retryAfterMs });
  }
  if (answer === undefined) throw new EndpointFault("format", "the answer is none of JSON-RPC");
  return answer;
}

function parse(text: string): RpcAnswer | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { result, error } = value as { result?: unknown; error?: unknown };
  if (typeof error === "object" && error !== null) {
    const { code, message, data } = error as { code?: unknown; message?: unknown; data?: unknown };
    return {
      error: { code: Number(code ?? 0), message: String(message ?? ""), ...(data === undefined ? {} : { data }) },
    };
  }
  return result === undefined ? undefined : { result };
}

/** Nobody stays away for longer than this because an endpoint says so. */
const MAX_RETRY_AFTER_MS = 600_000;

/**
 * Milliseconds that a `Retry-After` header asks for (RFC 9110, 10.2.3: seconds, or a date); undefined where it asks for
 * nothing. Ten minutes at most.
 */
export function retryAfter(header: string | null, now: number): number | undefined {
  const text = header?.trim() ?? "";
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - now;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(0, ms), MAX_RETRY_AFTER_MS);
}

/** `ECONNREFUSED` says more than the "fetch failed" around it. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as { cause?: { code?: unknown; message?: unknown }; message?: unknown };
  return String(cause?.code ?? cause?.message ?? message ?? error);
}
