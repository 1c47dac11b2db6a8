/**
 * Uploads whose CID is named last: begin, send the bytes in one part or several, name the piece. A part that broke off is
 * gone on with where it ended, in the way of draft-ietf-httpbis-resumable-upload.
 *
 * @packageDocumentation
 */
import type { IncomingMessage } from "node:http";
import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";
import { HoldfastError } from "../../errors.js";
import { type App, invalid, jsonOf, smallBody } from "../app.js";
import { byteCount, bytesOf } from "./body.js";
import { ownerOf, type PdpParts, STALL_MS, takeIn } from "./parts.js";

type Ctx = Context<{ Bindings: HttpBindings }>;

/** Requests whose bytes are being taken, by upload. */
type Running = Map<string, { readonly incoming: IncomingMessage; readonly done: Promise<unknown> }>;

const PLACE = "/pdp/piece/uploads";

/** Adds the routes. @param isOthers - whether an id belongs to uploads of another kind */
export function addStreaming(app: App, parts: PdpParts, isOthers: (id: string) => boolean): void {
  const { store, limits, admission, peerOf } = parts;
  const running: Running = new Map();
  const idOf = (c: Ctx) => {
    const id = c.req.param("id") ?? "";
    if (!isOthers(id)) return id;
    throw new HoldfastError("UNKNOWN_UPLOAD", `there is no upload ${id} here`, "send it where it was begun");
  };
  app.post(PLACE, smallBody(limits.jsonMs), async (c) => {
    const peer = peerOf(c);
    await admission.checkUpload(peer);
    const id = await store.beginUpload(peer);
    return c.body(null, 201, { Location: `${PLACE}/${id}`, "Upload-Limit": limitOf(limits.maxPieceBytes) });
  });
  // HEAD comes here as well.
  app.get(`${PLACE}/:id`, async (c) => {
    const id = idOf(c);
    await takeOver(running, id);
    return c.body(null, 204, { ...progressOf(parts, id), "Cache-Control": "no-store" });
  });
  app.put(`${PLACE}/:id`, (c) => receive(parts, running, idOf(c), c));
  app.patch(`${PLACE}/:id`, (c) => {
    if (c.req.header("upload-offset") === undefined) throw invalid("PATCH needs the header Upload-Offset");
    return receive(parts, running, idOf(c), c);
  });
  app.delete(`${PLACE}/:id`, async (c) => {
    const id = idOf(c);
    store.uploadProgress(id);
    await store.discardUpload(id);
    await takeOver(running, id);
    return c.body(null, 204);
  });
  app.post(`${PLACE}/:id`, smallBody(limits.jsonMs), async (c) => {
    const { pieceCid } = await jsonOf(c);
    if (typeof pieceCid !== "string") throw invalid("the body has no pieceCid");
    await takeIn(parts, idOf(c), pieceCid, c.env.incoming.socket);
    return c.body(null, 200);
  });
}

async function receive(parts: PdpParts, running: Running, id: string, c: Ctx): Promise<Response> {
  const { store, admission, limits } = parts;
  const { maxPieceBytes, stallMs = STALL_MS } = limits;
  const offset = byteCount("Upload-Offset", c.req.header("upload-offset"));
  const announced = byteCount("Content-Length", c.req.header("content-length"));
  const whole = byteCount("Upload-Length", c.req.header("upload-length"));
  if (Math.max((offset ?? 0) + (announced ?? 0), whole ?? 0) > maxPieceBytes) throw tooLarge(maxPieceBytes);
  const last = c.req.header("upload-complete") !== "?0";
  // Whoever says where it goes on knows of the break before the node does. Anybody else waits for one that is dead only.
  if (offset !== undefined || running.get(id)?.incoming.destroyed) await takeOver(running, id);
  const owner = ownerOf(store, id);
  if (offset !== undefined && offset !== store.uploadProgress(id).size) return conflict(parts, id, c);
  const sending = { owner, body: bytesOf(c.env.incoming, stallMs), announced: announced ?? 0, isCounted: true };
  const options = { offset, maxBytes: maxPieceBytes, announced, last };
  const done = admission
    .taking(sending, (body) => store.appendUpload(id, body, options))
    .then((commitment) => checkLength(parts, id, commitment, whole));
  await track(running, id, c.env.incoming, done);
  return c.body(null, 204, progressOf(parts, id));
}

/** Told to be so long, an upload is not whole with less. */
async function checkLength(
  { store }: PdpParts,
  id: string,
  commitment: { readonly payloadSize: bigint } | undefined,
  whole: number | undefined,
): Promise<void> {
  if (!commitment || whole === undefined || commitment.payloadSize === BigInt(whole)) return;
  await store.discardUpload(id);
  const message = `${commitment.payloadSize} bytes came, and Upload-Length said ${whole}`;
  throw new HoldfastError("UPLOAD_INCOMPLETE", message, "begin another upload");
}

/** Notes whose request it is, until it is over. A second one that is refused is not noted. */
async function track(running: Running, id: string, incoming: IncomingMessage, done: Promise<unknown>): Promise<void> {
  const entry = { incoming, done: done.catch(() => undefined) };
  if (!running.has(id)) running.set(id, entry);
  try {
    await done;
  } finally {
    if (running.get(id) === entry) running.delete(id);
  }
}

/** Ends the request that an upload's bytes came by last, if it still hangs, and waits until what came by it is kept. */
async function takeOver(running: Running, id: string): Promise<void> {
  const before = running.get(id);
  before?.incoming.destroy();
  await before?.done;
}

/** Where to go on instead. */
function conflict(parts: PdpParts, id: string, c: Ctx): Response {
  const progress = progressOf(parts, id);
  return c.text(`upload ${id} goes on at byte ${progress["Upload-Offset"]}`, 409, progress);
}

function progressOf({ store, limits }: PdpParts, id: string): Record<string, string> {
  const { size, complete } = store.uploadProgress(id);
  return {
    "Upload-Offset": String(size),
    "Upload-Complete": complete ? "?1" : "?0",
    "Upload-Limit": limitOf(limits.maxPieceBytes),
  };
}

function limitOf(maxPieceBytes: number): string {
  return `max-size=${maxPieceBytes}`;
}

function tooLarge(maxPieceBytes: number): HoldfastError {
  return new HoldfastError("PIECE_TOO_LARGE", `more than ${maxPieceBytes} bytes`, "send a smaller piece");
}
