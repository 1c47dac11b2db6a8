import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Logger } from "pino";
import { EVERYWHERE, failureOf } from "./app.js";
import { pour } from "./pour.js";
import { matchesEtag, parseRange } from "./range.js";

/** Bytes that never change under their entity tag. */
export interface Representation {
  /** With its quotes. */
  readonly etag: string;
  /** In bytes. */
  readonly size: number;
  readonly cacheControl: string;
  /** What else is said of them: their type, what they are saved as. */
  readonly headers?: OutgoingHttpHeaders;
  /** Bytes `start` up to and without `end`. A chunk need not be valid any longer than until the next is asked for. */
  readonly read: (start: number, end: number) => AsyncIterable<Uint8Array>;
  /** Told what kept `read` from giving all of them, where the answer was broken off for it. */
  readonly broken: (error: unknown) => void;
}

/** How bytes are sent. */
export interface SendOptions {
  /** A peer that takes no 64 KiB in this time is given up, in milliseconds; 60,000 by default. */
  readonly stallMs?: number | undefined;
}

/**
 * Answers GET or HEAD with all of the bytes, or the range that was asked for (RFC 9110, sections 13 and 14).
 *
 * @throws what `read` throws before its first chunk; nothing is answered then
 */
export async function sendBytes(
  request: IncomingMessage,
  response: ServerResponse,
  { etag, size, cacheControl, headers: more, read, broken }: Representation,
  { stallMs }: SendOptions = {},
): Promise<void> {
  const asked = request.headers;
  const headers: OutgoingHttpHeaders = {
    ...EVERYWHERE,
    ETag: etag,
    "Cache-Control": cacheControl,
    "Accept-Ranges": "bytes",
  };
  if (matchesEtag(asked["if-none-match"], etag)) return void response.writeHead(304, headers).end();
  const isHead = request.method === "HEAD";
  // A range counts for GET only, and only while If-Range names these bytes.
  const isRanged = !isHead && (asked["if-range"] ?? etag) === etag;
  const range = isRanged ? parseRange(asked.range, size) : undefined;
  if (range === "unsatisfiable") {
    headers["Content-Range"] = `bytes */${size}`;
    return sendText(response, 416, `it has ${size} bytes`, headers);
  }
  const { start, end } = range ?? { start: 0, end: size };
  Object.assign(headers, more);
  headers["Content-Length"] = end - start;
  if (range) headers["Content-Range"] = `bytes ${start}-${end - 1}/${size}`;
  const head = { status: range ? 206 : 200, headers };
  if (isHead) response.writeHead(head.status, headers).end();
  else await pour(response, head, read(start, end), { size: end - start, broken, stallMs });
}

/** Answers with a line of text. */
export function sendText(response: ServerResponse, status: number, text: string, headers: OutgoingHttpHeaders): void {
  const [type, length] = ["text/plain; charset=UTF-8", Buffer.byteLength(text)];
  response.writeHead(status, { ...headers, "Content-Type": type, "Content-Length": length }).end(text);
}

/** A request that is answered past Hono. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly logger: Logger;
}

/** Lets `answer` answer. What it throws is told as by all routes, or by breaking off where an answer has begun. */
export async function withFailures(
  { request, response, logger }: Exchange,
  answer: () => Promise<void>,
): Promise<void> {
  const { method, url = "", headers } = request;
  // Nobody reads what comes with a request like these: where it ends is the peer's to say, by going.
  if (headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined) {
    response.shouldKeepAlive = false;
  }
  try {
    await answer();
  } catch (error) {
    const [path = ""] = url.split("?");
    const failure = failureOf(error, { ...(method === undefined ? {} : { method }), path }, logger);
    if (response.headersSent) response.destroy();
    else sendText(response, failure.status, failure.text, { ...EVERYWHERE, ...failure.headers });
  }
}

/** Whoever's bytes these are, they are shown as what they are called here, and run nothing at this origin. */
export function harmless(type = "application/octet-stream", fileName?: string): OutgoingHttpHeaders {
  return {
    "Content-Type": type,
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    ...(fileName === undefined ? {} : { "Content-Disposition": `inline; filename="${fileName}"` }),
  };
}
