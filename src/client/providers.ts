/**
 * Talking to providers: what they offer, handing them a piece, having terms signed.
 *
 * @packageDocumentation
 */
import { HoldfastError } from "../errors.js";
import type { DealTerms } from "../protocol/index.js";
import {
  type DealAnswer,
  dealAnswerFromJson,
  type ProviderInfo,
  providerInfoFromJson,
  termsToJson,
} from "../protocol/wire.js";

/** A provider's node as a client sees it. */
export interface ProviderNode {
  readonly url: string;
  readonly info: ProviderInfo;
}

const QUOTE_TIMEOUT_MS = 5_000;
const DEAL_TIMEOUT_MS = 30_000;

/** Asks a node what it offers. @throws HoldfastError `PROVIDER_UNREACHABLE`, `INVALID_REQUEST` */
export async function askInfo(url: string, timeoutMs = QUOTE_TIMEOUT_MS): Promise<ProviderNode> {
  const response = await request(url, "info", { signal: AbortSignal.timeout(timeoutMs) });
  return { url, info: providerInfoFromJson(await response.json()) };
}

/**
 * Hands a piece to a node, unless it has it.
 *
 * @throws HoldfastError `PROVIDER_UNREACHABLE`, `PROVIDER_REFUSED`
 */
export async function upload(url: string, pieceCid: string, payload: Blob, signal?: AbortSignal): Promise<void> {
  const init = signal ? { signal } : {};
  const known = await fetch(at(url, `pdp/piece?pieceCid=${pieceCid}`), init).catch(() => undefined);
  await known?.body?.cancel();
  if (known?.ok) return;
  const begun = await request(url, "pdp/piece/uploads", { method: "POST", ...init });
  const location = begun.headers.get("location");
  if (!location) throw refused(url, "it named no place for the upload");
  const place = new URL(location, url).href;
  await request(url, place, { method: "PUT", body: payload, ...init });
  await request(url, place, { method: "POST", ...json({ pieceCid }), ...init });
}

/** Has a provider sign terms. @throws HoldfastError `PROVIDER_UNREACHABLE`, `PROVIDER_REFUSED`, `INVALID_REQUEST` */
export async function askSignature(url: string, terms: DealTerms): Promise<DealAnswer> {
  const signal = AbortSignal.timeout(DEAL_TIMEOUT_MS);
  const response = await request(url, "deals", { method: "POST", ...json({ terms: termsToJson(terms) }), signal });
  return dealAnswerFromJson(await response.json());
}

/** The response to a download of a whole piece. @throws HoldfastError `PROVIDER_UNREACHABLE`, `PROVIDER_REFUSED` */
export async function download(url: string, pieceCid: string, signal: AbortSignal): Promise<Response> {
  return request(url, `piece/${pieceCid}`, { signal });
}

function json(value: unknown): RequestInit {
  return { body: JSON.stringify(value), headers: { "content-type": "application/json" } };
}

function at(url: string, path: string): string {
  return new URL(path, url.endsWith("/") ? url : `${url}/`).href;
}

async function request(url: string, path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(at(url, path), init);
  } catch (cause) {
    throw new HoldfastError("PROVIDER_UNREACHABLE", `${url} does not answer`, "try another provider", { cause });
  }
  if (response.ok) return response;
  const text = (await response.text().catch(() => "")).slice(0, 500);
  throw refused(url, `${response.status} ${text}`.trim());
}

function refused(url: string, reason: string): HoldfastError {
  return new HoldfastError("PROVIDER_REFUSED", `${url} refused: ${reason}`, "mend what it names, or try another");
}
