/**
 * The node as a trustless IPFS gateway, and as a router that knows of itself.
 *
 * @packageDocumentation
 */
import type { RequestListener } from "node:http";
import type { Logger } from "pino";
import { type BlockIndex, BlockReader, type PieceStore } from "../../store/index.js";
import type { App } from "../app.js";
import type { SendOptions } from "../send-bytes.js";
import { createIpfs } from "./routes.js";
import { addRouting } from "./routing.js";

export { peerIdOf } from "./peer-id.js";

export interface GatewayOptions {
  /** Which blocks the store's pieces hold. */
  readonly index: BlockIndex;
  /** Whom clients are told that they talk to: {@link peerIdOf} of the node's key. */
  readonly peerId: string;
  /** Origin that clients reach this node at; the address that a request came to by default. */
  readonly publicUrl?: string;
  /** Blocks in an answer at most; 2^18 by default. */
  readonly maxBlocks?: number;
  /** CIDs that are held for all answers under way; 2^20 by default. */
  readonly maxHeldCids?: number;
}

export interface GatewayParts extends GatewayOptions, SendOptions {
  readonly store: PieceStore;
  readonly logger: Logger;
}

/** Adds the gateway's routes: one to the app, the other before `next`. */
export function addGateway(app: App, parts: GatewayParts, next: RequestListener): RequestListener {
  const { store, logger, stallMs, index, ...options } = parts;
  const blocks = new BlockReader({ store, index, logger });
  addRouting(app, { blocks, ...options });
  return createIpfs({ blocks, logger, stallMs, ...options }, next);
}
