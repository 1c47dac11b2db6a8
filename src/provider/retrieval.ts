/**
 * `GET` and `HEAD /piece/{cid}`: pieces as they were uploaded, whole or a range of them. Served past Hono, which takes longer
 * over a small range than all the rest of it does.
 *
 * @packageDocumentation
 */
import type { IncomingMessage, RequestListener } from "node:http";
import { LRUCache } from "lru-cache";
import type { Logger } from "pino";
import { HoldfastError } from "../errors.js";
import { decodePieceCidV1 } from "../piece/index.js";
import type { FoundPiece, PieceStore } from "../store/index.js";
import { invalid } from "./app.js";
import { MediaTypes } from "./media-types.js";
import { harmless, type Representation, type SendOptions, sendBytes, withFailures } from "./send-bytes.js";

const IMMUTABLE = "public, max-age=29030400, immutable";

/** Milliseconds for which a piece counts as here that another node may have deleted: what is served is looked at all the same. */
const KNOWN_MS = 1_000;

/** When pieces were handed out last, as far as this process remembers. */
export class Served {
  readonly #at = new LRUCache<string, Date>({ max: 10_000 });

  note(pieceCid: string): void {
    this.#at.set(pieceCid, new Date());
  }

  lastOf(pieceCid: string): Date | undefined {
    return this.#at.get(pieceCid);
  }
}

export interface RetrievalOptions extends SendOptions {
  readonly store: PieceStore;
  readonly logger: Logger;
  /** Told of what is handed out. */
  readonly served: Served;
}

/** Answers requests for pieces, and leaves all others to `next`. */
export function createRetrieval(options: RetrievalOptions, next: RequestListener): RequestListener {
  const { store, logger, served } = options;
  const types = new MediaTypes(store);
  const found = async (asked: Asked): Promise<Representation> => {
    const { pieceCid, payloadSize } = await find(store, asked);
    const size = Number(payloadSize);
    return {
      etag: `"${pieceCid}"`,
      size,
      cacheControl: IMMUTABLE,
      headers: harmless(await types.of(pieceCid, size), pieceCid),
      read(start, end) {
        served.note(pieceCid);
        return store.chunks(pieceCid, start, end);
      },
      broken: (error) => logger.error({ err: error, cid: pieceCid }, "piece can't be served"),
    };
  };
  return (request, response) => {
    const asked = askedBy(request);
    if (asked === undefined) return next(request, response);
    const answer = async () => sendBytes(request, response, await found(asked), options);
    return withFailures({ request, response, logger }, answer);
  };
}

/** What is named in a URL: by its PieceCIDv2, or by the PieceCIDv1 of its root and the number of its leaves. */
interface Asked {
  readonly cid: string;
  readonly leafCount?: string | undefined;
}

/** As nearly all requests have it: everything else is left to the URL parser. */
const PLAIN = /^\/piece\/(\w+)$/;

function askedBy({ method, url = "" }: IncomingMessage): Asked | undefined {
  if (method !== "GET" && method !== "HEAD") return undefined;
  const [, plain] = PLAIN.exec(url) ?? [];
  if (plain !== undefined) return { cid: plain };
  const parsed = URL.parse(url, "http://node");
  const [, cid] = /^\/piece\/([^/]+)$/.exec(parsed?.pathname ?? "") ?? [];
  return cid === undefined ? undefined : { cid, leafCount: parsed?.searchParams.get("leafCount") ?? undefined };
}

/**
 * By its PieceCIDv2, or, with `leafCount`, by the PieceCIDv1 of its root: all that a deal says of a piece, and so all that
 * a provider knows who fetches it to take over.
 */
async function find(store: PieceStore, { cid, leafCount }: Asked): Promise<FoundPiece> {
  if (leafCount !== undefined && !/^[1-9]\d{0,12}$/.test(leafCount)) {
    throw invalid(`leafCount is ${leafCount.slice(0, 20)}, no number of leaves`);
  }
  const piece = await (leafCount === undefined
    ? store.find(cid, KNOWN_MS)
    : store.findTree(decodePieceCidV1(cid), BigInt(leafCount)));
  if (piece !== undefined) return piece;
  throw new HoldfastError("UNKNOWN_PIECE", `piece ${cid} is not here`, "ask another provider");
}
