/**
 * `GET /routing/v1/providers/{cid}`: says whether this node has a block, in the form of Delegated Routing v1.
 *
 * @packageDocumentation
 */
import type { BlockReader } from "../../store/index.js";
import type { App } from "../app.js";
import { localOrigin, multiaddrOf } from "./multiaddr.js";
import { readCid } from "./request.js";

export interface RoutingOptions {
  readonly blocks: BlockReader;
  /** Whom clients are told that they talk to: {@link peerIdOf} of the node's key. */
  readonly peerId: string;
  /** Origin that clients reach this node at; the address that a request came to by default. */
  readonly publicUrl?: string;
}

/** Pieces come and go: for so many seconds an answer may be kept. */
const HELD_SECONDS = 300;
const MISSING_SECONDS = 15;

/**
 * Adds the route. What is not held has an empty list (IPIP-513), and not a 404, which browsers log as an error.
 *
 * @throws HoldfastError `INVALID_PUBLIC_URL`
 */
export function addRouting(app: App, { blocks, peerId, publicUrl }: RoutingOptions): void {
  const published = publicUrl === undefined ? undefined : multiaddrOf(publicUrl);
  app.get("/routing/v1/providers/:cid", async (c) => {
    const held = await blocks.has(readCid(c.req.param("cid")));
    c.header("Cache-Control", `public, max-age=${held ? HELD_SECONDS : MISSING_SECONDS}`);
    if (!held) return c.json({ Providers: [] });
    const address = published ?? multiaddrOf(localOrigin(c.env.incoming.socket));
    const Protocols = ["transport-ipfs-gateway-http"];
    return c.json({ Providers: [{ Schema: "peer", ID: peerId, Addrs: [address], Protocols }] });
  });
}
