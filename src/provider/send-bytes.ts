import { once } from "node:events";
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Logger } from "pino";
import { EVERYWHERE, failureOf } from "./app.js";
import { type ByteRange, matchesEtag, parseRange } from "./range.js";

/** Bytes that never change under their entity tag. */
export interface Representation {
  /** With its quotes. */
  readonly etag: string;
  /** In bytes. */
  readonly size: number;
  readonly cacheControl: string;
  /** Media type; bytes of no known one by default. */
  readonly type?: string;
  /** Name of the file that they are saved as; without it, browsers choose one. */
  readonly fileName?: string;
  /** Bytes `start` up to and without `end`. A chunk need not be valid any longer than until the next is asked for. */
  readonly read: (start: number, end: number) => AsyncIterable<Uint8Array>;
  /** Told what kept `read` from giving all of them, where the answer was broken off for it. */
  readonly broken: (error: unknown) => void;
}

/**
 * Answers GET or HEAD with all of the bytes, or the range that was asked for (RFC 9110, sections 13 and 14).
 *
 * @throws what `read` throws before its first chunk; nothing is answered then
 */
export async function sendBytes(
  request: IncomingMessage,
  response: ServerResponse,
  representation: Representation,
): Promise<void> {
  const { etag, size, cacheControl } = representation;
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
  describe(headers, representation);
  headers["Content-Length"] = end - start;
  if (range) headers["Content-Range"] = `bytes ${start}-${end - 1}/${size}`;
  const head = { status: range ? 206 : 200, headers };
  if (isHead) response.writeHead(head.status, headers).end();
  else await sendBody(response, head, representation, { start, end });
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
function describe(headers: OutgoingHttpHeaders, { type, fileName }: Representation): void {
  headers["Content-Type"] = type ?? "application/octet-stream";
  headers["X-Content-Type-Options"] = "nosniff";
  headers["Content-Security-Policy"] = "default-src 'none'; sandbox";
  if (fileName !== undefined) headers["Content-Disposition"] = `inline; filename="${fileName}"`;
}

interface Head {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
}

async function sendBody(
  response: ServerResponse,
  { status, headers }: Head,
  { read, broken }: Representation,
  { start, end }: ByteRange,
): Promise<void> {
  // Requests can come before the one ahead of them is answered: nothing is opened or read for those before it is their turn.
  if (response.socket === null) await once(response, "socket");
  let left = end - start;
  try {
    for await (const chunk of read(start, end)) {
      if (!response.headersSent) response.writeHead(status, headers);
      left -= chunk.length;
      if (!(await written(response, chunk, left === 0))) return;
    }
    if (!response.headersSent) response.writeHead(status, headers).end();
  } catch (error) {
    if (!response.headersSent) throw error;
    broken(error);
    // It can only be told by breaking off: a short body would have to wait for a timeout.
    response.destroy();
  }
}

/** Resolves when the chunk has been handed to the kernel, which is what slow peers wait at; to false where the peer is gone. */
function written(response: ServerResponse, chunk: Uint8Array, last: boolean): Promise<boolean> {
  return new Promise((resolve) => {
    // A write that comes between the end of a connection and its closing is never called back.
    const gone = () => resolve(false);
    response.once("close", gone);
    response.write(chunk, (error) => {
      response.off("close", gone);
      resolve(!error);
    });
    if (last) response.end();
  });
}
