/**
 * What the routes of PDP clients share.
 *
 * @packageDocumentation
 */
import type { Socket } from "node:net";
import type { Context } from "hono";
import { HoldfastError } from "../../errors.js";
import { decodePieceCid, encodePieceCid } from "../../piece/index.js";
import type { PieceStore } from "../../store/index.js";
import type { Admission } from "../admission.js";
import type { UnpaidPieces } from "../unpaid/index.js";
import type { PieceFetches } from "./fetches.js";

/** What uploads may do. */
export interface UploadLimits {
  /** Largest piece that is taken, in bytes. */
  readonly maxPieceBytes: number;
  /** An upload that gets no 64 KiB across in this time is cut off, in milliseconds; 60,000 by default. */
  readonly stallMs?: number;
  /** A body of JSON that takes longer is cut off, in milliseconds; 30,000 by default. */
  readonly jsonMs?: number;
}

export interface PdpParts {
  readonly store: PieceStore;
  readonly limits: UploadLimits;
  readonly admission: Admission;
  /** Keeps count of what no deal has; without it, nothing that came is ever deleted. */
  readonly unpaid: UnpaidPieces | undefined;
  /** Fetches for `POST /pdp/piece/pull`; without it, the route is not served. */
  readonly fetches: PieceFetches | undefined;
  /** The name that the sender of a request is counted under. */
  readonly peerOf: (c: Context) => string;
}

export const STALL_MS = 60_000;

/** The one spelling of a CID that pieces go by here. @throws HoldfastError `INVALID_PIECE_CID` */
export function canonical(pieceCid: string): string {
  return encodePieceCid(decodePieceCid(pieceCid)).toString();
}

/** Who began an upload: what comes counts as theirs, whoever sends it. @throws HoldfastError `UNKNOWN_UPLOAD` */
export function ownerOf(store: PieceStore, id: string): string {
  const upload = store.uploads().find((one) => one.id === id);
  if (upload) return upload.owner ?? "unknown";
  throw new HoldfastError("UNKNOWN_UPLOAD", `there is no upload ${id}`, "begin another upload");
}

/**
 * Takes an upload into the store, as a piece that no deal has yet.
 *
 * @param socket - that the request came by: nothing moves on it meanwhile, and a large piece takes its time to a bucket
 * @throws HoldfastError as `PieceStore.finishUpload`
 */
export async function takeIn(parts: PdpParts, id: string, pieceCid: string, socket: Socket): Promise<void> {
  const { timeout = 0 } = socket;
  socket.setTimeout(0);
  try {
    await finish(parts, id, pieceCid);
  } finally {
    socket.setTimeout(timeout);
  }
}

async function finish({ store, unpaid }: PdpParts, id: string, pieceCid: string): Promise<void> {
  const bring = () => store.finishUpload(id, pieceCid);
  if (!unpaid) return bring();
  const expected = canonical(pieceCid);
  const owner = ownerOf(store, id);
  // What is another piece is about to be deleted, and is no news of this one.
  if (encodePieceCid(store.arrived(id)).toString() !== expected) return bring();
  await unpaid.during(expected, owner, bring);
}

/** Whether a piece is here. Whoever hears so relies on it, so its time begins again. */
export async function isHere({ store, unpaid }: PdpParts, pieceCid: string): Promise<boolean> {
  if (!(await store.find(pieceCid))) return false;
  await unpaid?.touch(canonical(pieceCid));
  return true;
}
