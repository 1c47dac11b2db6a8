/**
 * `GET` and `HEAD /piece/{cid}`: pieces as they were uploaded, whole or a range of them.
 *
 * @packageDocumentation
 */
import type { Logger } from "pino";
import { type Commitment, decodePieceCidV1, encodePieceCid } from "../piece/index.js";
import type { PieceStore } from "../store/index.js";
import { type App, invalid } from "./app.js";
import { MediaTypes } from "./media-types.js";
import { sendBytes } from "./send-bytes.js";

const IMMUTABLE = "public, max-age=29030400, immutable";

/** Milliseconds for which a piece counts as here that another node may have deleted: what is served is looked at all the same. */
const KNOWN_MS = 1_000;

/** Pieces whose last retrieval is remembered. */
const MAX_SERVED = 10_000;

/** When pieces were handed out last, as far as this process remembers. */
export class Served {
  readonly #at = new Map<string, Date>();

  note(pieceCid: string): void {
    this.#at.delete(pieceCid);
    this.#at.set(pieceCid, new Date());
    const [oldest] = this.#at.keys();
    if (this.#at.size > MAX_SERVED && oldest !== undefined) this.#at.delete(oldest);
  }

  lastOf(pieceCid: string): Date | undefined {
    return this.#at.get(pieceCid);
  }
}

/** Adds the route. Hono answers HEAD by it as well and drops the body. */
export function addRetrieval(app: App, store: PieceStore, logger: Logger, served = new Served()): void {
  const types = new MediaTypes(store);
  app.get("/piece/:cid", async (c) => {
    const piece = await find(store, c.req.param("cid"), c.req.query("leafCount"));
    if (!piece) return c.text(`piece ${c.req.param("cid")} is not here`, 404);
    const cid = encodePieceCid(piece).toString();
    const size = Number(piece.payloadSize);
    return sendBytes(c, {
      etag: `"${cid}"`,
      size,
      cacheControl: IMMUTABLE,
      type: await types.of(cid, size),
      fileName: cid,
      read(start, end) {
        served.note(cid);
        return store.chunks(cid, start, end);
      },
      broken: (error) => logger.error({ err: error, cid }, "piece can't be served"),
    });
  });
}

/**
 * By its PieceCIDv2, or, with `leafCount`, by the PieceCIDv1 of its root: all that a deal says of a piece, and so all that
 * a provider knows who fetches it to take over.
 */
function find(store: PieceStore, cid: string, leafCount: string | undefined): Promise<Commitment | undefined> {
  if (leafCount === undefined) return store.find(cid, KNOWN_MS);
  if (!/^[1-9]\d{0,12}$/.test(leafCount)) throw invalid(`leafCount is ${leafCount.slice(0, 20)}, no number of leaves`);
  return store.findTree(decodePieceCidV1(cid), BigInt(leafCount));
}
