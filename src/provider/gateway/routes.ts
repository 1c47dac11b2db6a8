/**
 * `GET` and `HEAD /ipfs/{cid}[/path]`: a trustless IPFS gateway for the CARs that the node stores. See docs/gateway.md.
 *
 * @packageDocumentation
 */
import { createHash } from "node:crypto";
import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";
import type { Logger } from "pino";
import { HoldfastError } from "../../errors.js";
import type { BlockReader } from "../../store/index.js";
import type { App } from "../app.js";
import { matchesEtag, parseRange } from "../range.js";
import { carStream } from "./car-stream.js";
import { planFor } from "./follow.js";
import { type GatewayRequest, parseRequest } from "./request.js";
import { type Resolved, resolvePath } from "./resolve.js";
import { walk } from "./walk.js";

export interface GatewayRouteOptions {
  readonly blocks: BlockReader;
  readonly logger: Logger;
  /** Blocks in an answer at most; 2^18 by default. */
  readonly maxBlocks?: number;
}

type GatewayContext = Context<{ Bindings: HttpBindings }>;

const IMMUTABLE = "public, max-age=29030400, immutable";

/** 256 GiB in blocks of 1 MiB; the CIDs that were sent take 16 MB of memory then. */
const MAX_BLOCKS = 1 << 18;

/** Adds the route. Hono answers HEAD by it as well. */
export function addIpfs(app: App, { blocks, logger, maxBlocks = MAX_BLOCKS }: GatewayRouteOptions): void {
  app.get("/ipfs/*", async (c) => {
    const request = parseRequest(new URL(c.req.url), c.req.header("accept"));
    const resolved = await resolve(c, blocks, request);
    if (request.format === "raw") return sendBlock(c, request, resolved.bytes);
    const plan = planFor(resolved, request.scope, request.bytes);
    const etag = `W/"${request.cid}.car.${fingerprint(request)}"`;
    const type = `application/vnd.ipld.car; version=1; order=dfs; dups=${request.dups ? "y" : "n"}`;
    const headers = { ...headersFor(request, etag, type), "Accept-Ranges": "none" };
    if (matchesEtag(c.req.header("if-none-match"), etag.slice("W/".length))) return c.body(null, 304, headers);
    if (c.req.method === "HEAD") return c.body(null, 200, headers);
    const cut = (error: unknown) => {
      logger.warn({ err: error, path: c.req.path }, "a CAR breaks off");
      // Once what was sent has left: without the end of the body, nobody takes it for the whole.
      c.env.outgoing.socket?.destroySoon();
    };
    const walked = walk({ blocks, path: resolved.path, plan, dups: request.dups, maxBlocks });
    return c.body(carStream(resolved.cid, walked, cut), 200, headers);
  });
}

async function resolve(c: GatewayContext, blocks: BlockReader, request: GatewayRequest): Promise<Resolved> {
  try {
    return await resolvePath(blocks, request.cid, request.names);
  } catch (error) {
    const missing = error instanceof HoldfastError && error.code === "UNKNOWN_BLOCK";
    // This node never fetches from others, so what is not here is not cached.
    if (!missing || !/\bonly-if-cached\b/i.test(c.req.header("cache-control") ?? "")) throw error;
    throw new HoldfastError("NOT_CACHED", error.message, error.hint);
  }
}

function sendBlock(c: GatewayContext, request: GatewayRequest, block: Uint8Array): Response {
  const etag = `"${request.cid}.raw"`;
  const headers: Record<string, string> = {
    ...headersFor(request, etag, "application/vnd.ipld.raw"),
    "Accept-Ranges": "bytes",
  };
  if (matchesEtag(c.req.header("if-none-match"), etag)) return c.body(null, 304, headers);
  const ranged = c.req.method !== "HEAD" && (c.req.header("if-range") ?? etag) === etag;
  const range = ranged ? parseRange(c.req.header("range"), block.length) : undefined;
  if (range === "unsatisfiable") {
    return c.text(`it has ${block.length} bytes`, 416, { "Content-Range": `bytes */${block.length}` });
  }
  const { start, end } = range ?? { start: 0, end: block.length };
  headers["Content-Length"] = String(end - start);
  if (range) headers["Content-Range"] = `bytes ${start}-${end - 1}/${block.length}`;
  if (c.req.method === "HEAD") return c.body(null, 200, headers);
  return c.body(new Uint8Array(block.subarray(start, end)), range ? 206 : 200, headers);
}

function headersFor({ cid, format, location }: GatewayRequest, etag: string, type: string): Record<string, string> {
  return {
    "Content-Type": type,
    "Content-Disposition": `attachment; filename="${cid}.${format === "raw" ? "bin" : "car"}"`,
    ETag: etag,
    "Cache-Control": IMMUTABLE,
    "X-Content-Type-Options": "nosniff",
    Vary: "Accept",
    ...(location === undefined ? {} : { "Content-Location": location }),
  };
}

/** Tells apart what can be asked of one CID. */
function fingerprint({ names, scope, bytes, dups }: GatewayRequest): string {
  const asked = [names, scope, bytes && [String(bytes.from), String(bytes.to)], dups];
  return createHash("sha256").update(JSON.stringify(asked)).digest("hex").slice(0, 16);
}
