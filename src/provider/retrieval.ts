/**
 * `GET` and `HEAD /piece/{cid}`: pieces as they were uploaded, whole or a range of them.
 *
 * @packageDocumentation
 */
import type { Logger } from "pino";
import { type Commitment, decodePieceCidV1, encodePieceCid } from "../piece/index.js";
import type { PieceStore } from "../store/index.js";
import { type App, invalid } from "./app.js";
import { matchesEtag, parseRange } from "./range.js";

const IMMUTABLE = "public, max-age=29030400, immutable";

/** Adds the route. Hono answers HEAD by it as well and drops the body. */
export function addRetrieval(app: App, store: PieceStore, logger: Logger): void {
  app.get("/piece/:cid", async (c) => {
    const piece = await find(store, c.req.param("cid"), c.req.query("leafCount"));
    if (!piece) return c.text(`piece ${c.req.param("cid")} is not here`, 404);
    const cid = encodePieceCid(piece).toString();
    const size = Number(piece.payloadSize);
    const etag = `"${cid}"`;
    const headers: Record<string, string> = { ETag: etag, "Cache-Control": IMMUTABLE, "Accept-Ranges": "bytes" };
    if (matchesEtag(c.req.header("if-none-match"), etag)) return c.body(null, 304, headers);
    const head = c.req.method === "HEAD";
    // A range counts for GET only, and only while If-Range names these bytes.
    const ranged = !head && (c.req.header("if-range") ?? etag) === etag;
    const range = ranged ? parseRange(c.req.header("range"), size) : undefined;
    if (range === "unsatisfiable") {
      return c.text(`the piece has ${size} bytes`, 416, { ...headers, "Content-Range": `bytes */${size}` });
    }
    const { start, end } = range ?? { start: 0, end: size };
    headers["Content-Type"] = "application/octet-stream";
    headers["X-Content-Type-Options"] = "nosniff";
    headers["Content-Length"] = String(end - start);
    if (range) headers["Content-Range"] = `bytes ${start}-${end - 1}/${size}`;
    if (head) return c.body(null, 200, headers);
    const bytes = await store.read(cid, start, end);
    const cut = (error: unknown) => {
      logger.error({ err: error, cid }, "piece can't be served");
      c.env.outgoing.destroy();
    };
    return c.body(guarded(bytes, cut), range ? 206 : 200, headers);
  });
}

/**
 * By its PieceCIDv2, or, with `leafCount`, by the PieceCIDv1 of its root: all that a deal says of a piece, and so all that
 * a provider knows who fetches it to take over.
 */
function find(store: PieceStore, cid: string, leafCount: string | undefined): Promise<Commitment | undefined> {
  if (leafCount === undefined) return store.find(cid);
  if (!/^[1-9]\d{0,12}$/.test(leafCount)) throw invalid(`leafCount is ${leafCount.slice(0, 20)}, no number of leaves`);
  return store.findTree(decodePieceCidV1(cid), BigInt(leafCount));
}

/** With the headers sent, an error can only be told by breaking off: a short body would have to wait for a timeout. */
function guarded(bytes: ReadableStream<Uint8Array>, cut: (error: unknown) => void): ReadableStream<Uint8Array> {
  const reader = bytes.getReader();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        cut(error);
        controller.close();
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
}
