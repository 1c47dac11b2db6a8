/**
 * The provider's HTTP node: takes pieces, serves them, says what it offers and signs deals. The upload and retrieval
 * routes are those that Filecoin's PDP clients speak.
 *
 * @packageDocumentation
 */
import type { RequestListener } from "node:http";
import { getRequestListener, type HttpBindings } from "@hono/node-server";
import type { Context } from "hono";
import type { Logger } from "pino";
import { dealRequestFromJson, termsFromJson } from "../protocol/index.js";
import type { PieceStore } from "../store/index.js";
import { Admission, type PeerLimits } from "./admission.js";
import { emptyApp, jsonOf, smallBody } from "./app.js";
import { addChanges, type Changes } from "./change-routes.js";
import type { DealDesk } from "./deals.js";
import { DiskRoom } from "./disk-room.js";
import { addGateway, type GatewayOptions } from "./gateway/index.js";
import { addPdp, type PieceFetches, type UploadLimits } from "./pdp/index.js";
import { type Origin, peerOf } from "./peers.js";
import { createRetrieval, Served } from "./retrieval.js";
import { Turnstile } from "./turnstile.js";
import type { UnpaidPieces } from "./unpaid/index.js";

export interface NodeOptions extends UploadLimits, PeerLimits {
  readonly store: PieceStore;
  readonly desk: Pick<DealDesk, "info" | "offers" | "accept">;
  readonly logger: Logger;
  /** Answers for changes of deals; without it, they have no routes. */
  readonly changes?: Changes;
  /** Fetches for `POST /pdp/piece/pull`; without it, that route is not served. */
  readonly fetches?: PieceFetches;
  /** Counts what no deal has. Whoever passes it runs an `UnpaidKeeper` as well; without it, nothing is ever deleted. */
  readonly unpaid?: UnpaidPieces;
  /** Bytes that are free where the store is; without it, the disk is not looked at. */
  readonly freeBytes?: () => Promise<number>;
  /** The disk that bytes arrive on, where others let bytes arrive there as well; one of `freeBytes` and `minFreeBytes` by default. */
  readonly room?: DiskRoom;
  /** Serves the blocks of stored CARs to IPFS clients; without it, there is no gateway. */
  readonly gateway?: GatewayOptions;
}

/** The routes, for a server of `node:http`. */
export function createNode(options: NodeOptions): RequestListener {
  const { store, desk, logger, changes, unpaid, fetches, gateway, trustedProxies, ...limits } = options;
  const app = emptyApp(logger);
  const served = new Served();
  const turnstile = new Turnstile(limits);
  const underWay = () => [...store.uploads(), ...(fetches?.holdings() ?? [])];
  const unpaidNow = unpaid && { unpaid: () => unpaid.holdings() };
  const admission = new Admission({ ...limits, underWay, ...unpaidNow, room: roomOf(options) });
  const peer = (c: Context) => peerOf(originOf(c), trustedProxies);
  addPdp(app, { store, limits, admission, unpaid, fetches, peerOf: peer }, served);
  app.get("/info", (c) => c.json(desk.info()));
  app.get("/offers", async (c) => c.json(await desk.offers()));
  app.post("/deals", smallBody(limits.jsonMs), async (c) => {
    const { terms } = dealRequestFromJson(await jsonOf(c));
    const read = termsFromJson(terms);
    return c.json(await turnstile.run(peer(c), () => desk.accept(read)));
  });
  if (changes) addChanges(app, { ...changes, through: (c, task) => turnstile.run(peer(c), task) }, limits.jsonMs);
  const { stallMs } = limits;
  const rest = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  const next = gateway ? addGateway(app, { store, logger, stallMs, ...gateway }, rest) : rest;
  return createRetrieval({ store, logger, served, stallMs }, next);
}

/** Bytes that are left alone, where nobody says how many. */
const MIN_FREE_BYTES = 2 ** 30;

/** The disk that a node's bytes arrive on. */
export function roomOf({ room, freeBytes, minFreeBytes = MIN_FREE_BYTES }: Partial<NodeOptions>): DiskRoom {
  return room ?? new DiskRoom({ freeBytes: freeBytes ?? (async () => Number.POSITIVE_INFINITY), minFreeBytes });
}

function originOf(c: Context): Origin {
  const { incoming } = c.env as HttpBindings;
  return { address: incoming.socket.remoteAddress, forwarded: c.req.header("x-forwarded-for") };
}
