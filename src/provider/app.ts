/**
 * What all routes of the node share: how errors look, how small bodies are read.
 *
 * @packageDocumentation
 */
import type { HttpBindings } from "@hono/node-server";
import { type Context, Hono, type MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { cors } from "hono/cors";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Logger } from "pino";
import { HoldfastError } from "../errors.js";

export type App = Hono<{ Bindings: HttpBindings }>;

/** What a client sees of an error's code; anything else is this node's to mend: 500, and only the log says more. */
const STATUS: Readonly<Record<string, ContentfulStatusCode>> = {
  INVALID_REQUEST: 400,
  INVALID_PIECE_CID: 400,
  EMPTY_PIECE: 400,
  PIECE_MISMATCH: 400,
  UPLOAD_BROKEN: 400,
  UPLOAD_INCOMPLETE: 400,
  UNKNOWN_UPLOAD: 404,
  UNKNOWN_PIECE: 404,
  UNKNOWN_BLOCK: 404,
  PATH_NOT_FOUND: 404,
  NOT_ACCEPTABLE: 406,
  UPLOAD_WRITTEN: 409,
  WRONG_OFFSET: 409,
  NOT_CACHED: 412,
  PIECE_TOO_LARGE: 413,
  DEAL_REFUSED: 422,
  CAR_UNSUPPORTED: 422,
  FOLDER_MALFORMED: 422,
  DAG_TOO_LARGE: 422,
  QUOTA_EXCEEDED: 429,
  ASKED_TOO_OFTEN: 429,
  NOT_SERVED: 501,
  TOO_MANY_UPLOADS: 503,
  NODE_BUSY: 503,
  SEED_UNAVAILABLE: 503,
  BLOBS_UNREACHABLE: 503,
  LEASE_LOST: 503,
  DISK_FULL: 507,
};

/** Seconds after which it is worth asking again, where there was too much of something. */
const RETRY_AFTER: Readonly<Record<number, string>> = { 429: "30", 503: "10" };
/** What passes by itself in a moment: nothing has to be freed or mended first. */
const PASSING: ReadonlySet<string> = new Set(["ASKED_TOO_OFTEN", "NODE_BUSY"]);

const EXPOSED = [
  ...["Location", "ETag", "Content-Length", "Content-Range", "Accept-Ranges", "Retry-After"],
  ...["Upload-Offset", "Upload-Complete", "Upload-Limit"],
];

/** Headers of every answer: any page may ask, and read what it is told. */
export const EVERYWHERE: Readonly<Record<string, string>> = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Expose-Headers": EXPOSED.join(","),
};

const MAX_JSON_BYTES = 64 * 1024;
/** Milliseconds for a body that small. */
const MAX_JSON_MS = 30_000;

/** An app without routes. Errors are plain text, as PDP clients show them; any page may call it. */
export function emptyApp(logger: Logger): App {
  const app: App = new Hono();
  app.use(cors({ origin: "*", exposeHeaders: EXPOSED }));
  app.onError((error, c) => {
    const { status, text, headers } = failureOf(error, { method: c.req.method, path: c.req.path }, logger);
    return c.text(text, status, headers);
  });
  app.notFound((c) => c.text("no such route", 404));
  return app;
}

/** Refuses bodies that are longer than any request here, however they are framed, and cuts off those that take too long. */
export function smallBody(maxMs = MAX_JSON_MS): MiddlewareHandler<{ Bindings: HttpBindings }> {
  const limited = bodyLimit({
    maxSize: MAX_JSON_BYTES,
    onError: (c) => c.text(`a request has at most ${MAX_JSON_BYTES} bytes`, 413),
  });
  return (c, next) => {
    const { incoming } = c.env;
    // Only the body is timed: what is done with it takes the time that the chain takes.
    const timer = setTimeout(() => incoming.complete || incoming.destroy(), maxMs).unref();
    incoming.once("close", () => clearTimeout(timer));
    return limited(c, next);
  };
}

/** The body, a JSON object. @throws HoldfastError `INVALID_REQUEST` */
export async function jsonOf(c: Context): Promise<Record<string, unknown>> {
  const body: unknown = await c.req.json().catch(() => undefined);
  if (typeof body === "object" && body !== null) return body as Record<string, unknown>;
  throw invalid("the body is not a JSON object");
}

/** A request that is not as docs/provider.md has it. */
export function invalid(message: string): HoldfastError {
  return new HoldfastError("INVALID_REQUEST", message, "see docs/provider.md");
}

/** What whoever asked is told of an error. */
export interface Failure {
  readonly status: ContentfulStatusCode;
  readonly text: string;
  readonly headers: Record<string, string>;
}

/** Tells of an error what is everybody's business, and logs it. */
export function failureOf(error: unknown, asked: { method?: string; path: string }, logger: Logger): Failure {
  const status = error instanceof HoldfastError ? STATUS[error.code] : undefined;
  if (!(error instanceof HoldfastError) || status === undefined) {
    logger.error({ err: error, ...asked }, "request failed");
    return { status: 500, text: "internal error", headers: {} };
  }
  const { code, message, hint } = error;
  logger.debug({ code, message, path: asked.path }, "request refused");
  if (status >= 500) logger.warn({ code, path: asked.path }, "request could not be served");
  const after = PASSING.has(code) ? "1" : RETRY_AFTER[status];
  return { status, text: `${message}; ${hint}`, headers: after === undefined ? {} : { "Retry-After": after } };
}
