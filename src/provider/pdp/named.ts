/**
 * Uploads whose CID is named first: the node knows size and hash before the first byte, and the piece is here with the last.
 *
 * @packageDocumentation
 */
import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";
import { HoldfastError } from "../../errors.js";
import { decodePieceCid } from "../../piece/index.js";
import { type App, invalid, jsonOf, smallBody } from "../app.js";
import { byteCount, bytesOf } from "./body.js";
import { canonical, isHere, ownerOf, type PdpParts, STALL_MS, takeIn } from "./parts.js";

type Step = "begun" | "coming" | "done";

/** Ids that were done are remembered, so many of them, to say so to who sends again. */
const MAX_DONE = 1_000;

/** Which piece each upload of this kind is of. */
export class NamedUploads {
  readonly #entries = new Map<string, { readonly pieceCid: string; step: Step }>();

  add(id: string, pieceCid: string): void {
    this.#entries.set(id, { pieceCid, step: "begun" });
  }

  has(id: string): boolean {
    return this.#entries.has(id);
  }

  /** Whether bytes of the piece are coming in at this moment. */
  isComing(pieceCid: string): boolean {
    return [...this.#entries.values()].some((entry) => entry.step === "coming" && entry.pieceCid === pieceCid);
  }

  /** The piece that bytes may now come of. @throws HoldfastError `UNKNOWN_UPLOAD`, `UPLOAD_WRITTEN` */
  open(id: string): string {
    const entry = this.#entries.get(id);
    if (!entry) throw new HoldfastError("UNKNOWN_UPLOAD", `there is no upload ${id}`, "begin another upload");
    if (entry.step !== "begun") {
      throw new HoldfastError(
        "UPLOAD_WRITTEN",
        `upload ${id} has its bytes already`,
        "ask GET /pdp/piece for the piece",
      );
    }
    entry.step = "coming";
    return entry.pieceCid;
  }

  done(id: string): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    this.#entries.delete(id);
    this.#entries.set(id, { ...entry, step: "done" });
  }

  drop(id: string): void {
    this.#entries.delete(id);
  }

  /** Forgets uploads that expired, and those that were done longest ago. */
  prune(underWay: ReadonlySet<string>): void {
    const done: string[] = [];
    for (const [id, { step }] of this.#entries) {
      if (step === "done") done.push(id);
      else if (!underWay.has(id)) this.#entries.delete(id);
    }
    for (const id of done.slice(0, -MAX_DONE)) this.#entries.delete(id);
  }
}

/** Adds the routes. */
export function addNamed(app: App, parts: PdpParts, named: NamedUploads): void {
  const { store, limits, admission, peerOf } = parts;
  // `notify` names a URL to call when the piece is here. It is not called: the caller could be anybody, and the URL anywhere.
  app.post("/pdp/piece", smallBody(limits.jsonMs), async (c) => {
    const { pieceCid } = await jsonOf(c);
    if (typeof pieceCid !== "string") throw invalid("the body has no pieceCid");
    const { payloadSize } = decodePieceCid(pieceCid);
    if (payloadSize > limits.maxPieceBytes) {
      const message = `pieces have at most ${limits.maxPieceBytes} bytes`;
      throw new HoldfastError("PIECE_TOO_LARGE", message, "send a smaller piece");
    }
    if (await isHere(parts, pieceCid)) return c.json({ pieceCid });
    const peer = peerOf(c);
    await admission.checkUpload(peer, Number(payloadSize));
    const id = await store.beginUpload(peer);
    named.prune(new Set(store.uploads().map((upload) => upload.id)));
    named.add(id, canonical(pieceCid));
    return c.body(null, 201, { Location: `/pdp/piece/upload/${id}` });
  });
  app.put("/pdp/piece/upload/:id", async (c) => {
    const id = c.req.param("id");
    const pieceCid = named.open(id);
    try {
      await receive(parts, id, pieceCid, c);
    } catch (error) {
      named.drop(id);
      await store.discardUpload(id);
      throw error;
    }
    named.done(id);
    return c.body(null, 204);
  });
}

async function receive(
  parts: PdpParts,
  id: string,
  pieceCid: string,
  c: Context<{ Bindings: HttpBindings }>,
): Promise<void> {
  const { store, admission, limits } = parts;
  const size = Number(decodePieceCid(pieceCid).payloadSize);
  const announced = byteCount("Content-Length", c.req.header("content-length"));
  if (announced !== undefined && announced !== size) throw wrongSize(size);
  const owner = ownerOf(store, id);
  const sent = bytesOf(c.env.incoming, limits.stallMs ?? STALL_MS);
  // The store learns of the size with the last byte only.
  const sending = { owner, body: sent, announced: size, isCounted: false };
  await admission
    .taking(sending, (body) => store.writeUpload(id, body, size))
    .catch((error) => {
      throw error instanceof HoldfastError && error.code === "PIECE_TOO_LARGE" ? wrongSize(size) : error;
    });
  await takeIn(parts, id, pieceCid, c.env.incoming.socket);
}

function wrongSize(size: number): HoldfastError {
  return new HoldfastError("PIECE_MISMATCH", `the piece has ${size} bytes`, "check the file and the CID");
}
