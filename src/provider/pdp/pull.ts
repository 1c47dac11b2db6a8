/**
 * `POST /pdp/piece/pull`: has pieces fetched from other nodes. The same request again says how far they are.
 *
 * @packageDocumentation
 */
import { HoldfastError } from "../../errors.js";
import { decodePieceCid } from "../../piece/index.js";
import { type App, invalid, jsonOf, smallBody } from "../app.js";
import type { FetchStatus, Wanted } from "./fetches.js";
import { canonical, type PdpParts } from "./parts.js";

/** Pieces in one request. */
const MAX_PIECES = 16;
const MAX_URL = 2_048;
/** Of several, the first of these is how the whole is. */
const WORST: readonly FetchStatus[] = ["failed", "retrying", "inProgress", "pending", "complete"];

/** Adds the route. */
export function addPull(app: App, { fetches, admission, limits, peerOf }: PdpParts): void {
  app.post("/pdp/piece/pull", smallBody(limits.jsonMs), async (c) => {
    if (!fetches) throw new HoldfastError("NOT_SERVED", "this node fetches no pieces", "upload them");
    const asked = piecesOf(await jsonOf(c));
    const wanted = asked.map(({ pieceCid, sourceUrl }) => ({ pieceCid: canonical(pieceCid), sourceUrl }));
    for (const { pieceCid } of wanted) checkSize(pieceCid, limits.maxPieceBytes);
    const peer = peerOf(c);
    const statuses = await fetches.ask(wanted, peer, {
      room: (bytes) => admission.checkDisk(bytes),
      quota: (bytes) => admission.checkBytes(peer, bytes),
    });
    const status = WORST.find((one) => statuses.includes(one)) as FetchStatus;
    const pieces = asked.map(({ pieceCid }, i) => ({ pieceCid, status: statuses[i] }));
    return c.json({ status, pieces }, status === "complete" || status === "failed" ? 200 : 202);
  });
}

/**
 * The pieces of a request. The rest of it is for contracts that this node has nothing to do with: it has to be there, and is
 * not looked into.
 */
function piecesOf(body: Record<string, unknown>): Wanted[] {
  const { extraData, recordKeeper, dataSetId, pieces } = body;
  if (typeof extraData !== "string" || !/^0x(?:[0-9a-fA-F]{2})*$/.test(extraData)) throw invalid("extraData is no hex");
  if (typeof recordKeeper !== "string" || !/^0x[0-9a-fA-F]{40}$/.test(recordKeeper)) {
    throw invalid("recordKeeper is no address");
  }
  if (dataSetId !== undefined && !(Number.isSafeInteger(dataSetId) && (dataSetId as number) >= 0)) {
    throw invalid("dataSetId is no whole number");
  }
  if (!Array.isArray(pieces) || pieces.length < 1 || pieces.length > MAX_PIECES) {
    throw invalid(`pieces is no list of 1 to ${MAX_PIECES}`);
  }
  return pieces.map((piece, i) => wantedOf(piece, `pieces[${i}]`));
}

function wantedOf(piece: unknown, where: string): Wanted {
  const { pieceCid, sourceUrl } = (piece ?? {}) as Record<string, unknown>;
  if (typeof pieceCid !== "string") throw invalid(`${where}.pieceCid is missing`);
  if (typeof sourceUrl !== "string" || sourceUrl.length > MAX_URL) throw invalid(`${where}.sourceUrl is no URL`);
  const url = URL.parse(sourceUrl);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") {
    throw invalid(`${where}.sourceUrl is no http: or https: URL`);
  }
  // Only what other nodes serve is asked for, and under its own name: no other request can be made by way of this one.
  if (!url.pathname.endsWith(`/piece/${pieceCid}`) || url.search !== "") {
    throw invalid(`${where}.sourceUrl does not end in /piece/ and the piece's CID`);
  }
  return { pieceCid, sourceUrl };
}

function checkSize(pieceCid: string, maxPieceBytes: number): void {
  if (decodePieceCid(pieceCid).payloadSize <= maxPieceBytes) return;
  const message = `pieces have at most ${maxPieceBytes} bytes`;
  throw new HoldfastError("PIECE_TOO_LARGE", message, "pull a smaller piece");
}
