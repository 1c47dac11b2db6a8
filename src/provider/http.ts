/**
 * The provider's HTTP node: takes pieces, serves them, says what it offers and signs deals. The upload and retrieval
 * routes are those that Filecoin's PDP clients speak.
 *
 * @packageDocumentation
 */
import type { Logger } from "pino";
import { dealRequestFromJson, termsFromJson } from "../protocol/index.js";
import type { PieceStore } from "../store/index.js";
import { type App, emptyApp, jsonOf, smallBody } from "./app.js";
import { addChanges, type Changes } from "./change-routes.js";
import type { DealDesk } from "./deals.js";
import { addGateway, type GatewayOptions } from "./gateway/index.js";
import { addRetrieval } from "./retrieval.js";
import { addUploads, type UploadLimits } from "./uploads.js";

export interface NodeOptions extends UploadLimits {
  readonly store: PieceStore;
  readonly desk: Pick<DealDesk, "info" | "offers" | "accept">;
  readonly logger: Logger;
  /** Answers for changes of deals; without it, they have no routes. */
  readonly changes?: Changes;
  /** Serves the blocks of stored CARs to IPFS clients; without it, there is no gateway. */
  readonly gateway?: GatewayOptions;
}

/** The routes, as a Hono app for `@hono/node-server`. */
export function createNode({ store, desk, logger, changes, gateway, ...limits }: NodeOptions): App {
  const app = emptyApp(logger);
  app.get("/pdp/ping", (c) => c.body(null, 200));
  addUploads(app, store, limits);
  addRetrieval(app, store, logger);
  app.get("/info", (c) => c.json(desk.info()));
  app.get("/offers", async (c) => c.json(await desk.offers()));
  app.post("/deals", smallBody(limits.jsonMs), async (c) => {
    const { terms } = dealRequestFromJson(await jsonOf(c));
    return c.json(await desk.accept(termsFromJson(terms)));
  });
  if (changes) addChanges(app, changes, limits.jsonMs);
  if (gateway) addGateway(app, store, logger, gateway);
  return app;
}
