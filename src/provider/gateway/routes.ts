/**
 * `GET` and `HEAD /ipfs/{cid}[/path]`: a trustless IPFS gateway for the CARs that the node stores. See docs/gateway.md.
 *
 * @packageDocumentation
 */
import { createHash } from "node:crypto";
import type { IncomingMessage, OutgoingHttpHeaders, RequestListener, ServerResponse } from "node:http";
import type { Logger } from "pino";
import { HoldfastError } from "../../errors.js";
import { Slots } from "../../store/blobs/slots.js";
import type { BlockReader } from "../../store/index.js";
import { EVERYWHERE } from "../app.js";
import { pour } from "../pour.js";
import { matchesEtag } from "../range.js";
import { type SendOptions, sendBytes, withFailures } from "../send-bytes.js";
import { carChunks } from "./car-stream.js";
import { type Plan, planFor } from "./follow.js";
import { HeldBlocks } from "./held-blocks.js";
import { type GatewayRequest, parseRequest } from "./request.js";
import { type Resolved, resolvePath } from "./resolve.js";
import { walk } from "./walk.js";
import { WalkRoom } from "./walk-room.js";

export interface GatewayRouteOptions extends SendOptions {
  readonly blocks: BlockReader;
  readonly logger: Logger;
  /** Blocks in an answer at most; 2^18 by default. */
  readonly maxBlocks?: number;
  /** CIDs that are held for all answers under way; 2^20 by default. */
  readonly maxHeldCids?: number;
}

const CACHE = "public, max-age=29030400, immutable";

/** 256 GiB in blocks of 1 MiB; the CIDs that were sent take 16 MB of memory then. */
const MAX_BLOCKS = 1 << 18;
/** CIDs of all answers under way: some 100 MB. */
const MAX_HELD_CIDS = 1 << 20;
/** Paths that are followed at the same time. Each has a block or two in memory, and waits for no peer. */
const MAX_RESOLVING = 16;

/** Answers requests for blocks, past Hono, which keeps more of an answer in memory than its peer has taken; all others it leaves to `next`. */
export function createIpfs(options: GatewayRouteOptions, next: RequestListener): RequestListener {
  const gateway = new Gateway(options);
  const { logger } = options;
  return (request, response) => {
    const { method, url = "" } = request;
    const parsed = method === "GET" || method === "HEAD" ? URL.parse(url, "http://node") : null;
    if (!parsed?.pathname.startsWith("/ipfs/")) return next(request, response);
    return withFailures({ request, response, logger }, () => gateway.answer(parsed, request, response));
  };
}

/** What is sent of a CAR. */
interface Found {
  readonly resolved: Pick<Resolved, "path" | "cid">;
  /** Of the block at the end, in bytes. */
  readonly size: number;
  /** Undefined for a block alone. */
  readonly plan: Plan | undefined;
}

class Gateway {
  readonly #o: GatewayRouteOptions;
  readonly #blocks: HeldBlocks;
  readonly #resolving = new Slots(MAX_RESOLVING);
  readonly #room: WalkRoom;

  constructor(options: GatewayRouteOptions) {
    this.#o = options;
    this.#blocks = new HeldBlocks(options.blocks);
    this.#room = new WalkRoom(options.maxHeldCids ?? MAX_HELD_CIDS);
  }

  async answer(url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const asked = parseRequest(url, request.headers.accept);
    const found = await this.#resolving.run(() => this.#find(asked, request.headers["cache-control"]));
    if (found.plan === undefined) await this.#sendBlock(asked, found.size, request, response);
    else await this.#sendCar(asked, found.resolved, found.plan, request, response);
  }

  /** Keeps none of the blocks that it reads: an answer can take long. */
  async #find(asked: GatewayRequest, cacheControl = ""): Promise<Found> {
    try {
      const { path, cid, bytes } = await resolvePath(this.#blocks, asked.cid, asked.names);
      const plan = asked.format === "raw" ? undefined : planFor({ path, cid, bytes }, asked.scope, asked.bytes);
      return { resolved: { path, cid }, size: bytes.length, plan };
    } catch (error) {
      const missing = error instanceof HoldfastError && error.code === "UNKNOWN_BLOCK";
      // This node never fetches from others, so what is not here is not cached.
      if (!missing || !/\bonly-if-cached\b/i.test(cacheControl)) throw error;
      throw new HoldfastError("NOT_CACHED", error.message, error.hint);
    }
  }

  #sendBlock(asked: GatewayRequest, size: number, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const block = {
      etag: `"${asked.cid}.raw"`,
      size,
      cacheControl: CACHE,
      headers: headersFor(asked, "application/vnd.ipld.raw"),
      read: (start: number, end: number) => this.#blocks.slices(asked.cid, start, end),
      broken: this.#told(request, "a block breaks off"),
    };
    return sendBytes(request, response, block, this.#o);
  }

  async #sendCar(
    asked: GatewayRequest,
    { path, cid }: Found["resolved"],
    plan: Plan,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const { maxBlocks = MAX_BLOCKS, stallMs } = this.#o;
    const [blocks, room] = [this.#blocks, this.#room];
    const tag = `"${asked.cid}.car.${fingerprint(asked)}"`;
    const type = `application/vnd.ipld.car; version=1; order=dfs; dups=${asked.dups ? "y" : "n"}`;
    const own = { ETag: `W/${tag}`, "Cache-Control": CACHE, "Accept-Ranges": "none" };
    const headers = { ...EVERYWHERE, ...headersFor(asked, type), ...own };
    if (matchesEtag(request.headers["if-none-match"], tag)) return void response.writeHead(304, headers).end();
    if (request.method === "HEAD") return void response.writeHead(200, headers).end();
    const visited = walk({ blocks, path, plan, dups: asked.dups, maxBlocks, room });
    const broken = this.#told(request, "a CAR breaks off");
    await pour(response, { status: 200, headers }, carChunks(cid, visited, blocks), { broken, stallMs });
  }

  #told({ url = "" }: IncomingMessage, what: string): (error: unknown) => void {
    const [path] = url.split("?");
    return (error) => this.#o.logger.warn({ err: error, path }, what);
  }
}

function headersFor({ cid, format, location }: GatewayRequest, type: string): OutgoingHttpHeaders {
  return {
    "Content-Type": type,
    "Content-Disposition": `attachment; filename="${cid}.${format === "raw" ? "bin" : "car"}"`,
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
