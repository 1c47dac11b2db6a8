/**
 * The node as a trustless IPFS gateway, and as a router that knows of itself.
 *
 * @packageDocumentation
 */
import type { Logger } from "pino";
import { type BlockIndex, BlockReader, type PieceStore } from "../../store/index.js";
import type { App } from "../app.js";
import { addIpfs } from "./routes.js";
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
}

/** Adds the gateway's routes. */
export function addGateway(app: App, store: PieceStore, logger: Logger, { index, ...options }: GatewayOptions): void {
  const blocks = new BlockReader({ store, index, logger });
  addIpfs(app, { blocks, logger, ...options });
  addRouting(app, { blocks, ...options });
}
