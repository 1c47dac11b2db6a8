/**
 * The provider's HTTP node: takes pieces, serves them, quotes and accepts deals. The upload and retrieval routes are
 * those that Filecoin's PDP clients speak, so their errors are plain text.
 *
 * @packageDocumentation
 */
import type { HttpBindings } from "@hono/node-server";
import { type Context, Hono } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Logger } from "pino";
import { HoldfastError } from "../errors.js";
import { dealRequestFromJson, termsFromJson } from "../protocol/wire.js";
import type { PieceStore } from "../store/index.js";
import type { DealDesk } from "./deals.js";
import { parseRange } from "./range.js";

export interface NodeOptions {
  readonly store: PieceStore;
  readonly desk: DealDesk;
  readonly logger: Logger;
  /** Largest piece that is taken, in bytes. */
  readonly maxPieceBytes: number;
}

type App = Hono<{ Bindings: HttpBindings }>;

/** What a client sees of an error's code; anything else is ours to mend, and 500. */
const STATUS: Record<string, ContentfulStatusCode> = {
  UNKNOWN_UPLOAD: 404,
  UNKNOWN_PIECE: 404,
  UPLOAD_WRITTEN: 409,
  PIECE_TOO_LARGE: 413,
  EMPTY_PIECE: 400,
  UPLOAD_EMPTY: 400,
  UPLOAD_SHORT: 400,
  PIECE_MISMATCH: 400,
  INVALID_PIECE_CID: 400,
  INVALID_REQUEST: 400,
  DEAL_REFUSED: 422,
  DISK_FULL: 507,
};

const IMMUTABLE = "public, max-age=29030400, immutable";
const MAX_JSON_BYTES = 64 * 1024;

/** The routes, as a Hono app that `@hono/node-server` or a test can drive. */
export function createNode(options: NodeOptions): App {
  const app: App = new Hono();
  app.onError((error, c) => fail(c, error, options.logger));
  app.notFound((c) => c.text("no such route", 404));
  app.get("/pdp/ping", (c) => c.body(null, 200));
  addUploads(app, options);
  addRetrieval(app, options.store);
  addDeals(app, options.desk);
  return app;
}

function addUploads(app: App, { store, maxPieceBytes }: NodeOptions): void {
  app.post("/pdp/piece/uploads", async (c) => {
    const id = await store.beginUpload();
    return c.body(null, 201, { Location: `/pdp/piece/uploads/${id}` });
  });
  app.put("/pdp/piece/uploads/:id", async (c) => {
    const announced = c.req.header("content-length");
    if (announced !== undefined && Number(announced) > maxPieceBytes) {
      throw new HoldfastError("PIECE_TOO_LARGE", `more than ${maxPieceBytes} bytes`, "send a smaller piece");
    }
    await store.writeUpload(c.req.param("id"), bodyOf(c), maxPieceBytes);
    return c.body(null, 204);
  });
  app.post("/pdp/piece/uploads/:id", async (c) => {
    const { pieceCid } = (await jsonOf(c)) as { pieceCid?: unknown };
    if (typeof pieceCid !== "string") throw invalid("the body has no pieceCid");
    await store.finishUpload(c.req.param("id"), pieceCid);
    return c.body(null, 200);
  });
  app.get("/pdp/piece", async (c) => {
    const pieceCid = c.req.query("pieceCid") ?? "";
    if (!(await store.find(pieceCid))) return c.text(`piece ${pieceCid} is not here`, 404);
    return c.json({ pieceCid });
  });
}

function addRetrieval(app: App, store: PieceStore): void {
  app.on(["GET", "HEAD"], "/piece/:cid", async (c) => {
    const cid = c.req.param("cid");
    const piece = await store.find(cid);
    if (!piece) return c.text(`piece ${cid} is not here`, 404);
    const size = Number(piece.payloadSize);
    const headers: Record<string, string> = {
      ETag: `"${cid}"`,
      "Cache-Control": IMMUTABLE,
      "Accept-Ranges": "bytes",
      "Content-Type": "application/octet-stream",
    };
    if (c.req.header("if-none-match") === headers.ETag) return c.body(null, 304, headers);
    const range = parseRange(c.req.header("range"), size);
    if (range === "unsatisfiable") return c.body(null, 416, { "Content-Range": `bytes */${size}` });
    const { start, end } = range ?? { start: 0, end: size };
    headers["Content-Length"] = String(end - start);
    if (range) headers["Content-Range"] = `bytes ${start}-${end - 1}/${size}`;
    const status = range ? 206 : 200;
    if (c.req.method === "HEAD") return c.body(null, status, headers);
    return c.body(await store.read(cid, start, end), status, headers);
  });
}

function addDeals(app: App, desk: DealDesk): void {
  app.get("/info", (c) => c.json(desk.info()));
  app.post("/deals", async (c) => {
    const { terms } = dealRequestFromJson(await jsonOf(c));
    return c.json(await desk.accept(termsFromJson(terms)));
  });
}

/** The request's bytes as they come. A peer that hangs up half-way ends in an error, never in a short piece. */
async function* bodyOf(c: Context<{ Bindings: HttpBindings }>): AsyncGenerator<Uint8Array> {
  const announced = c.req.header("content-length");
  let size = 0;
  if (c.req.raw.body) {
    for await (const chunk of c.req.raw.body) {
      size += chunk.length;
      yield chunk;
    }
  }
  if (announced !== undefined && size !== Number(announced)) {
    throw new HoldfastError("UPLOAD_SHORT", `${size} bytes came where ${announced} were announced`, "upload again");
  }
}

async function jsonOf(c: Context): Promise<unknown> {
  if (Number(c.req.header("content-length") ?? Number.POSITIVE_INFINITY) > MAX_JSON_BYTES) {
    throw invalid(`a request of at most ${MAX_JSON_BYTES} bytes with a Content-Length is expected`);
  }
  try {
    const body: unknown = await c.req.json();
    if (typeof body === "object" && body !== null) return body;
  } catch {
    // Falls through to the same answer.
  }
  throw invalid("the body is not a JSON object");
}

function invalid(message: string): HoldfastError {
  return new HoldfastError("INVALID_REQUEST", message, "see docs/provider.md");
}

function fail(c: Context, error: unknown, logger: Logger): Response {
  const known = error instanceof HoldfastError ? STATUS[error.code] : undefined;
  if (!known) logger.error({ err: error, path: c.req.path }, "request failed");
  const text = error instanceof HoldfastError && known ? `${error.message}; ${error.hint}` : "internal error";
  return c.text(text, known ?? 500);
}
