/**
 * Talking to providers: what they offer, handing them a piece, having terms signed.
 *
 * @packageDocumentation
 */
import {
  type DealAnswer,
  type DealTerms,
  dealAnswerFromJson,
  type ProviderInfo,
  providerInfoFromJson,
  termsToJson,
} from "../protocol/index.js";
import { readJson, refused, request } from "./http.js";

/** A provider's node as a client sees it. */
export interface ProviderNode {
  readonly url: string;
  /** What it says of itself. Only a signature shows that it speaks for `info.provider`. */
  readonly info: ProviderInfo;
}

const QUOTE_TIMEOUT_MS = 5_000;
const DEAL_TIMEOUT_MS = 30_000;
const MAX_TIMER_MS = 2 ** 31 - 1;
/** An upload slower than this on average, in bytes a millisecond (128 KB/s), is given up. */
const SLOWEST_UPLOAD = 128;

/** Asks a node what it offers. @throws HoldfastError `PROVIDER_UNREACHABLE`, `PROVIDER_REFUSED`, `INVALID_REQUEST` */
export async function askInfo(url: string, timeoutMs = QUOTE_TIMEOUT_MS): Promise<ProviderNode> {
  const response = await request(url, "info", { signal: AbortSignal.timeout(timeoutMs) });
  return { url, info: providerInfoFromJson(await readJson(response, url)) };
}

/**
 * Hands a piece to a node, unless it has it.
 *
 * @param payload - a Blob backed by a file is read as it is sent
 * @throws HoldfastError `PROVIDER_UNREACHABLE`, `PROVIDER_REFUSED`
 */
export async function upload(url: string, pieceCid: string, payload: Blob): Promise<void> {
  if (await has(url, pieceCid)) return;
  const begun = await call(url, "pdp/piece/uploads", { method: "POST" });
  await begun.body?.cancel();
  const place = begun.headers.get("location");
  if (!place) throw refused(url, "it named no place for the upload");
  const deadline = Math.min(MAX_TIMER_MS, DEAL_TIMEOUT_MS + Math.ceil(payload.size / SLOWEST_UPLOAD));
  const sent = await request(url, place, { method: "PUT", body: payload, signal: AbortSignal.timeout(deadline) });
  await sent.body?.cancel();
  const finished = await call(url, place, { method: "POST", ...json({ pieceCid }) });
  await finished.body?.cancel();
}

/** Has a provider sign terms. @throws HoldfastError `PROVIDER_UNREACHABLE`, `PROVIDER_REFUSED`, `INVALID_REQUEST` */
export async function askSignature(url: string, terms: DealTerms): Promise<DealAnswer> {
  const response = await call(url, "deals", { method: "POST", ...json({ terms: termsToJson(terms) }) });
  return dealAnswerFromJson(await readJson(response, url));
}

/** The response to a download of a whole piece. @throws HoldfastError `PROVIDER_UNREACHABLE`, `PROVIDER_REFUSED` */
export function download(url: string, pieceCid: string, signal: AbortSignal): Promise<Response> {
  return request(url, `piece/${pieceCid}`, { signal });
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
