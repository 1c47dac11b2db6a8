/**
 * The upload routes that Filecoin's PDP clients speak: begin, send the bytes, name the piece.
 *
 * @packageDocumentation
 */
import type { IncomingMessage } from "node:http";
import { Patience } from "../client/patience.js";
import { HoldfastError } from "../errors.js";
import type { PieceStore } from "../store/index.js";
import { type App, invalid, jsonOf, smallBody } from "./app.js";

/** What uploads may do. */
export interface UploadLimits {
  /** Largest piece that is taken, in bytes. */
  readonly maxPieceBytes: number;
  /** An upload that gets no 64 KiB across in this time is cut off, in milliseconds; 60,000 by default. */
  readonly stallMs?: number;
  /** A body of JSON that takes longer is cut off, in milliseconds; 30,000 by default. */
  readonly jsonMs?: number;
}

const STALL_MS = 60_000;

/** Adds the routes. */
export function addUploads(app: App, store: PieceStore, limits: UploadLimits): void {
  const { maxPieceBytes, stallMs = STALL_MS, jsonMs } = limits;
  app.post("/pdp/piece/uploads", smallBody(jsonMs), async (c) => {
    const id = await store.beginUpload();
    return c.body(null, 201, { Location: `/pdp/piece/uploads/${id}` });
  });
  app.put("/pdp/piece/uploads/:id", async (c) => {
    const announced = c.req.header("content-length");
    if (announced !== undefined && Number(announced) > maxPieceBytes) {
      throw new HoldfastError("PIECE_TOO_LARGE", `more than ${maxPieceBytes} bytes`, "send a smaller piece");
    }
    await store.writeUpload(c.req.param("id"), bytesOf(c.env.incoming, stallMs), maxPieceBytes);
    return c.body(null, 204);
  });
  app.post("/pdp/piece/uploads/:id", smallBody(jsonMs), async (c) => {
    const { pieceCid } = await jsonOf(c);
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

/**
 * The request's bytes as they come, read no faster than they are used. A peer that hangs up half-way, or is too slow,
 * ends in an error, never in a short piece.
 */
async function* bytesOf(incoming: IncomingMessage, stallMs: number): AsyncGenerator<Uint8Array> {
  let late = false;
  const patience = new Patience(stallMs, () => {
    late = true;
    incoming.destroy(new Error("too slow"));
  });
  const chunks: AsyncIterator<Uint8Array> = incoming[Symbol.asyncIterator]();
  try {
    for (;;) {
      const { done, value } = await patience.during(chunks.next());
      if (done) break;
      patience.received(value.length);
      yield value;
    }
  } catch (cause) {
    const what = late ? "the bytes came too slowly" : "the connection broke off before the last byte";
    throw new HoldfastError("UPLOAD_BROKEN", what, "upload again", { cause });
  }
  if (!incoming.complete) throw new HoldfastError("UPLOAD_BROKEN", "the last byte did not come", "upload again");
}
