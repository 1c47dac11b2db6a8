import type { Context } from "hono";
import { matchesEtag, parseRange } from "./range.js";

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
  /** Bytes `start` up to and without `end`. */
  readonly read: (start: number, end: number) => Promise<ReadableStream<Uint8Array>> | ReadableStream<Uint8Array>;
}

/** Answers GET or HEAD with all of the bytes, or the range that was asked for (RFC 9110, sections 13 and 14). */
export async function sendBytes(c: Context, representation: Representation): Promise<Response> {
  const { etag, size, cacheControl, type = "application/octet-stream", fileName, read } = representation;
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
  if (head) return c.body(null, 200, headers);
  return c.body(await read(start, end), range ? 206 : 200, headers);
}
