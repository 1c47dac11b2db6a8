import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import type { Server } from "node:http";
import { createNode, type NodeOptions } from "./http.js";

export interface RunningNode {
  /** Base URL, without a slash at the end. */
  readonly url: string;
  /** Stops taking requests and resolves when those under way are over or cut off. */
  close(): Promise<void>;
}

export interface ListenOptions {
  /** 127.0.0.1 by default. */
  readonly host?: string;
  /** A free one by default. */
  readonly port?: number;
}

/** A peer that sends nothing for this long loses its connection. */
const IDLE_MS = 60_000;

/**
 * Serves a provider node over HTTP.
 *
 * @example
 * const node = await startNode({ store, desk, logger, maxPieceBytes: 1 << 30 });
 * console.log(node.url);
 * await node.close();
 */
export async function startNode(options: NodeOptions & ListenOptions): Promise<RunningNode> {
  const { host = "127.0.0.1", port = 0 } = options;
  const app = createNode(options);
  const server = await new Promise<Server>((resolve, reject) => {
    const listening = serve({ fetch: app.fetch, hostname: host, port }, () => resolve(listening as Server));
    listening.once("error", reject);
  });
  server.requestTimeout = 0; // Large uploads take long; idle ones do not.
  server.setTimeout(IDLE_MS);
  const address = server.address() as AddressInfo;
  return {
    url: `http://${host}:${address.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
