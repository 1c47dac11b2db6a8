import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { HoldfastError } from "../errors.js";
import { type ConnectionLimits, inTurn, limitConnections, limitPipelining } from "./connections.js";
import type { FetchOptions } from "./fetching/index.js";
import { createNode, type NodeOptions, roomOf } from "./http.js";
import { PieceFetches } from "./pdp/index.js";

export interface RunningNode {
  /** Base URL, without a slash at the end. */
  readonly url: string;
  /** Stops taking requests, cuts off those under way, and resolves when the port is free. May be called again. */
  close(): Promise<void>;
}

export interface ListenOptions {
  /** Interface to listen at; 127.0.0.1 by default. */
  readonly host?: string;
  /** A free one by default. */
  readonly port?: number;
}

export interface StartOptions extends NodeOptions, ListenOptions {
  /** How `POST /pdp/piece/pull` fetches; from public addresses only by default. */
  readonly fetching?: FetchOptions;
}

/** A connection on which nothing moves for this long is closed. */
const IDLE_MS = 120_000;

/**
 * Serves a provider node over HTTP.
 *
 * @throws HoldfastError `LISTEN_FAILED`
 * @example
 * const node = await startNode({ store, desk, logger, maxPieceBytes: 1 << 30 });
 * console.log(node.url);
 * await node.close();
 */
export async function startNode({ fetching, ...options }: StartOptions): Promise<RunningNode> {
  const { store, logger, unpaid } = options;
  const room = roomOf(options);
  const fetches = new PieceFetches({ store, logger, unpaid, fetching: { ...fetching, room } });
  const server = await startServer(createNode({ fetches, ...options, room }), options);
  const close = async () => {
    await Promise.all([server.close(), fetches.close()]);
    await store.settled();
  };
  return { url: server.url, close };
}

/** Serves routes over HTTP, to each connection one request at a time. @throws HoldfastError `LISTEN_FAILED` */
export async function startServer(
  listener: RequestListener,
  { host = "127.0.0.1", port = 0, ...limits }: ListenOptions & ConnectionLimits,
): Promise<RunningNode> {
  const created = createServer(inTurn(listener));
  limitConnections(created, limits);
  limitPipelining(created);
  const server = await listen(created, host, port);
  // Large uploads take long, which is their own limit's business; headers have Node's own.
  server.requestTimeout = 0;
  server.setTimeout(IDLE_MS);
  const { port: actual } = server.address() as AddressInfo;
  const closed = new Promise<void>((resolve) => void server.once("close", resolve));
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${actual}`,
    close() {
      server.close();
      server.closeAllConnections();
      return closed;
    },
  };
}

function listen(server: Server, host: string, port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    server.listen(port, host, () => resolve(server));
    server.once("error", (cause) => {
      const message = `${host} port ${port} can't be listened at: ${cause.message}`;
      reject(new HoldfastError("LISTEN_FAILED", message, "choose another host or port", { cause }));
    });
  });
}
