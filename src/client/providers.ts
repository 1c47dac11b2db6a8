/**
 * Talking to providers: what they offer, handing them a piece, having terms signed.
 *
 * @packageDocumentation
 */

import { toBeHex } from "ethers";
import { encodePieceCid, encodePieceCidV1, leafCountOf, type Payload } from "../piece/index.js";
import {
  type Amendment,
  type AmendmentAnswer,
  amendmentAnswerFromJson,
  amendmentToJson,
  type DealAnswer,
  type DealTerms,
  dealAnswerFromJson,
  type MigrationAnswer,
  migrationAnswerFromJson,
  type PullAnswer,
  pullAnswerFromJson,
  termsToJson,
} from "../protocol/index.js";
import { readAtMost, readJson, refused, request } from "./http.js";
import { sendPayload } from "./sending.js";

const DEAL_TIMEOUT_MS = 30_000;
const MAX_TIMER_MS = 2 ** 31 - 1;
/** An upload slower than this on average, in bytes a millisecond (128 KB/s), is given up. */
const SLOWEST_UPLOAD = 128;

/**
 * Hands a piece to a node, unless it has it. Where the connection breaks it goes on from the last byte that arrived.
 *
 * @param payload - read as it is sent, in Node; browsers can't send a stream, and gather one that is no Blob first
 * @throws HoldfastError `PROVIDER_UNREACHABLE`, `PROVIDER_REFUSED`
 */
export async function upload(url: string, pieceCid: string, payload: Payload): Promise<void> {
  if (await has(url, pieceCid)) return;
  const begun = await call(url, "pdp/piece/uploads", { method: "POST" });
  await begun.body?.cancel();
  const place = begun.headers.get("location");
  if (!place) throw refused(url, "it named no place for the upload");
  const deadline = Math.min(MAX_TIMER_MS, DEAL_TIMEOUT_MS + Math.ceil(payload.size / SLOWEST_UPLOAD));
  await sendPayload(url, place, payload, AbortSignal.timeout(deadline));
  const finished = await call(url, place, { method: "POST", ...json({ pieceCid }) });
  await finished.body?.cancel();
}

/** Has a provider sign terms. @throws HoldfastError `PROVIDER_UNREACHABLE`, `PROVIDER_REFUSED`, `INVALID_REQUEST` */
export async function askSignature(url: string, terms: DealTerms): Promise<DealAnswer> {
  const response = await call(url, "deals", { method: "POST", ...json({ terms: termsToJson(terms) }) });
  return dealAnswerFromJson(await readJson(response, url));
}

/** Has a provider sign an amendment. @throws HoldfastError as {@link askSignature} */
export async function askAmendment(url: string, amendment: Amendment, owner: string): Promise<AmendmentAnswer> {
  const body = { amendment: amendmentToJson(amendment), owner };
  const response = await call(url, "amendments", { method: "POST", ...json(body) });
  return amendmentAnswerFromJson(await readJson(response, url));
}

/** Has a provider fetch the piece of a deal; the answer names it once it is there. @throws HoldfastError as above */
export async function askPull(url: string, dealId: bigint): Promise<PullAnswer> {
  const response = await call(url, "pulls", { method: "POST", ...json({ dealId: toBeHex(dealId, 32) }) });
  return pullAnswerFromJson(await readJson(response, url));
}

/** Has a provider sign the terms that follow a deal, and prove that it has the piece. @throws HoldfastError as above */
export async function askMigration(url: string, dealId: bigint, terms: DealTerms): Promise<MigrationAnswer> {
  const body = { dealId: toBeHex(dealId, 32), terms: termsToJson(terms) };
  const response = await call(url, "migrations", { method: "POST", ...json(body) });
  return migrationAnswerFromJson(await readJson(response, url));
}

/** The response to a download of a whole piece. @throws HoldfastError `PROVIDER_UNREACHABLE`, `PROVIDER_REFUSED` */
export function download(url: string, pieceCid: string, signal: AbortSignal): Promise<Response> {
  return request(url, `piece/${pieceCid}`, { signal });
}

/**
 * The CID of a piece of which only the tree is known, as a deal knows it: payloads that differ in zeros at their end alone have
 * one tree, and only who has the bytes can say which it is.
 *
 * @throws HoldfastError `PROVIDER_UNREACHABLE`, `PROVIDER_REFUSED`
 */
export async function askPieceCid(url: string, root: Uint8Array, leafCount: bigint): Promise<string> {
  const response = await call(url, `piece/${encodePieceCidV1(root)}?leafCount=${leafCount}`, { method: "HEAD" });
  const size = response.headers.get("content-length") ?? "";
  if (!/^[1-9]\d{0,14}$/.test(size) || leafCountOf(BigInt(size)) !== leafCount) {
    throw refused(url, `it says that the piece has ${size || "no"} bytes, which can't be`);
  }
  return encodePieceCid({ root, payloadSize: BigInt(size) }).toString();
}

/**
 * Bytes of a piece, at most `length` of them, from `offset` on. What comes is as good as its sender.
 *
 * @throws HoldfastError `PROVIDER_UNREACHABLE`, `PROVIDER_REFUSED`
 */
export async function downloadRange(
  url: string,
  pieceCid: string,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  const headers = { range: `bytes=${offset}-${offset + length - 1}` };
  const response = await call(url, `piece/${pieceCid}`, { headers });
  if (response.status !== 206) {
    await response.body?.cancel();
    throw refused(url, "it serves no ranges");
  }
  return readAtMost(response, url, length);
}

/** A node that can't say so gets the bytes. */
async function has(url: string, pieceCid: string): Promise<boolean> {
  try {
    const response = await call(url, `pdp/piece?pieceCid=${pieceCid}`, {});
    await response.body?.cancel();
    return response.status === 200;
  } catch {
    return false;
  }
}

function call(url: string, path: string, init: RequestInit): Promise<Response> {
  return request(url, path, { ...init, signal: AbortSignal.timeout(DEAL_TIMEOUT_MS) });
}

function json(value: unknown): RequestInit {
  return { body: JSON.stringify(value), headers: { "content-type": "application/json" } };
}
