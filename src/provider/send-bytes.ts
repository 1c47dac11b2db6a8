import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { HttpBindings } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { Context } from "hono";
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
 * @throws what `read` throws before its first chunk
 */
export async function sendBytes(
  c: Context<{ Bindings: HttpBindings }>,
  representation: Representation,
): Promise<Response> {
  const { etag, size, cacheControl, type = "application/octet-stream", fileName } = representation;
  const headers: Record<string, string> = { ETag: etag, "Cache-Control": cacheControl, "Accept-Ranges": "bytes" };
  if (matchesEtag(c.req.header("if-none-match"), etag)) return c.body(null, 304, headers);
  const head = c.req.method === "HEAD";
  // A range counts for GET only, and only while If-Range names these bytes.
  const ranged = !head && (c.req.header("if-range") ?? etag) === etag;
  const range = ranged ? parseRange(c.req.header("range"), size) : undefined;
  if (range === "unsatisfiable") {
    return c.text(`it has ${size} bytes`, 416, { ...headers, "Content-Range": `bytes */${size}` });
  }
  const { start, end } = range ?? { start: 0, end: size };
  headers["Content-Type"] = type;
  // Whoever's bytes these are, they are shown as what they are called here, and run nothing at this origin.
  headers["X-Content-Type-Options"] = "nosniff";
  headers["Content-Security-Policy"] = "default-src 'none'; sandbox";
  if (fileName !== undefined) headers["Content-Disposition"] = `inline; filename="${fileName}"`;
  headers["Content-Length"] = String(end - start);
  if (range) headers["Content-Range"] = `bytes ${start}-${end - 1}/${size}`;
  const status = range ? 206 : 200;
  if (head) return c.body(null, status, headers);
  // With what is said in every answer of the app.
  const all = { ...Object.fromEntries(c.res.headers), ...headers };
  await sendBody(c.env.outgoing, { status, headers: all }, representation, range ?? { start: 0, end: size });
  return alreadySent(c);
}

interface Head {
  readonly status: number;
  readonly headers: Record<string, string>;
}

/** Past Hono and its streams, which take several times as long over it. */
async function sendBody(
  outgoing: ServerResponse,
  { status, headers }: Head,
  { read, broken }: Representation,
  { start, end }: ByteRange,
): Promise<void> {
  // Requests can come before the one ahead of them is answered: nothing is opened or read for those before it is their turn.
  if (outgoing.socket === null) await once(outgoing, "socket");
  const begin = () => outgoing.writeHead(status, headers);
  let left = end - start;
  try {
    for await (const chunk of read(start, end)) {
      if (!outgoing.headersSent) begin();
      left -= chunk.length;
      if (!(await written(outgoing, chunk, left === 0))) return;
    }
    if (!outgoing.headersSent) begin().end();
  } catch (error) {
    if (!outgoing.headersSent) throw error;
    broken(error);
    // It can only be told by breaking off: a short body would have to wait for a timeout.
    outgoing.destroy();
  }
}

/** Resolves when the chunk has been handed to the kernel, which is what slow peers wait at; to false where the peer is gone. */
function written(outgoing: ServerResponse, chunk: Uint8Array, last: boolean): Promise<boolean> {
  return new Promise((resolve) => {
    // A write that comes between the end of a connection and its closing is never called back.
    const gone = () => resolve(false);
    outgoing.once("close", gone);
    outgoing.write(chunk, (error) => {
      outgoing.off("close", gone);
      resolve(!error);
    });
    if (last) outgoing.end();
  });
}

/** Hono would add headers to a response that takes the place of another; of a new one, its server would write the head. */
function alreadySent(c: Context): Response {
  c.res = undefined;
  void RESPONSE_ALREADY_SENT.body;
  c.res = RESPONSE_ALREADY_SENT;
  return c.res;
}
