/**
 * `GET` and `HEAD /piece/{cid}`: pieces as they were uploaded, whole or a range of them.
 *
 * @packageDocumentation
 */
import type { Logger } from "pino";
import { type Commitment, decodePieceCidV1, encodePieceCid } from "../piece/index.js";
import type { PieceStore } from "../store/index.js";
import { type App, invalid } from "./app.js";
import { sendBytes } from "./send-bytes.js";

const IMMUTABLE = "public, max-age=29030400, immutable";

/** Adds the route. Hono answers HEAD by it as well and drops the body. */
export function addRetrieval(app: App, store: PieceStore, logger: Logger): void {
  app.get("/piece/:cid", async (c) => {
    const piece = await find(store, c.req.param("cid"), c.req.query("leafCount"));
    if (!piece) return c.text(`piece ${c.req.param("cid")} is not here`, 404);
    const cid = encodePieceCid(piece).toString();
    const cut = (error: unknown) => {
      logger.error({ err: error, cid }, "piece can't be served");
      c.env.outgoing.destroy();
    };
    const read = async (start: number, end: number) => guarded(await store.read(cid, start, end), cut);
    return sendBytes(c, { etag: `"${cid}"`, size: Number(piece.payloadSize), cacheControl: IMMUTABLE, read });
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
