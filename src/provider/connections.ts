/**
 * What connections to a server may cost, before anything is asked on them: how many there may be, from whom, and how much of
 * what is asked on one is answered at a time.
 *
 * @packageDocumentation
 */
import type { RequestListener, Server } from "node:http";
import type { Socket } from "node:net";
import { networkPeer } from "./peers.js";

/** How many connections a server holds. */
export interface ConnectionLimits {
  /** Connections at the same time; 800 by default. */
  readonly maxConnections?: number;
  /** Those of one network; 200 by default. Proxies of one's own are no network. */
  readonly maxPeerConnections?: number;
  /** Addresses of proxies of one's own; none by default. */
  readonly trustedProxies?: readonly string[];
}

/**
 * Fewer than a bucket has readers for, so that peers who do not read keep nobody else from it. One that does not read holds
 * 160 KB.
 */
const MAX_CONNECTIONS = 800;
const MAX_PEER_CONNECTIONS = 200;
/** Requests of one connection that are not answered yet. */
const MAX_PIPELINED = 100;

/** Hangs up on whoever has too many connections. */
export function limitConnections(
  server: Server,
  {
    maxConnections = MAX_CONNECTIONS,
    maxPeerConnections = MAX_PEER_CONNECTIONS,
    trustedProxies = [],
  }: ConnectionLimits,
): void {
  server.maxConnections = maxConnections;
  const counts = new Map<string, number>();
  server.on("connection", (socket) => {
    const peer = networkPeer(socket.remoteAddress, trustedProxies);
    if (peer === undefined) return;
    const count = (counts.get(peer) ?? 0) + 1;
    counts.set(peer, count);
    socket.once("close", () => {
      const left = (counts.get(peer) ?? 1) - 1;
      if (left > 0) counts.set(peer, left);
      else counts.delete(peer);
    });
    if (count > maxPeerConnections) socket.destroy();
  });
}

/** Answers that wait for the one ahead of them cost memory, and who asks for them pays next to nothing: browsers send none ahead. */
export function limitPipelining(server: Server): void {
  const waiting = new WeakMap<Socket, number>();
  server.prependListener("request", ({ socket }, response) => {
    const count = (waiting.get(socket) ?? 0) + 1;
    waiting.set(socket, count);
    response.once("close", () => waiting.set(socket, (waiting.get(socket) ?? 1) - 1));
    if (count > MAX_PIPELINED) socket.destroy();
  });
}

/**
 * Requests can come before the one ahead of them is answered. Node would begin with all of them, and keep what is answered
 * until it can be sent: here, each begins when it is its turn.
 */
export function inTurn(listener: RequestListener): RequestListener {
  return (request, response) => {
    if (response.socket !== null) listener(request, response);
    else response.once("socket", () => listener(request, response));
  };
}
