/**
 * Sending a payload to the place that a node named for it, over as many connections as it takes.
 *
 * @packageDocumentation
 */
import { HoldfastError } from "../errors.js";
import { type Payload, readStream, streamOf } from "../piece/index.js";
import { pause, refused, request } from "./http.js";

/** Breaks after which an upload is given up, not counting those before which so many bytes got across. */
const MAX_BREAKS = 8;
const PROGRESS_BYTES = 1 << 20;
/** Milliseconds before a node is asked how far it got, doubled each time that it does not answer. */
const PAUSE_MS = 250;
/** Times that it is asked. */
const MAX_QUESTIONS = 6;
const QUESTION_TIMEOUT_MS = 10_000;

/**
 * Sends all bytes of a payload. After a break the node is asked how many it has, and gets the rest.
 *
 * @param payload - read as it is sent, in Node; browsers can't send a stream, and gather one that is no Blob first
 * @param place - what the node named, as a path or a URL of its origin
 * @throws HoldfastError `PROVIDER_UNREACHABLE`, `PROVIDER_REFUSED`
 */
export async function sendPayload(url: string, place: string, payload: Payload, signal: AbortSignal): Promise<void> {
  for (let from = 0, breaks = 0; ; ) {
    try {
      const sent = await request(url, place, { ...(await partOf(payload, from)), signal });
      await sent.body?.cancel();
      return;
    } catch (error) {
      if (!isBreak(error) || ++breaks > MAX_BREAKS || signal.aborted) throw error;
      const next = await arrived(url, place, payload.size, signal);
      // A node that can't say goes on with nothing.
      if (next === undefined) throw error;
      if (next === "all") return;
      if (next >= from + PROGRESS_BYTES) breaks = 0;
      from = next;
    }
  }
}

/** How many bytes a node has; undefined where it does not say so, or not any more. */
async function arrived(
  url: string,
  place: string,
  size: number,
  signal: AbortSignal,
): Promise<number | "all" | undefined> {
  for (let question = 0; question < MAX_QUESTIONS; question++) {
    await pause(PAUSE_MS * 2 ** question, signal);
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(QUESTION_TIMEOUT_MS)]);
    try {
      const { headers } = await request(url, place, { method: "HEAD", signal: bounded });
      const offset = headers.get("upload-offset") ?? "";
      if (!/^\d{1,16}$/.test(offset)) return undefined;
      if (Number(offset) > size) throw refused(url, `it says that it has ${offset} bytes of ${size}`);
      return headers.get("upload-complete") === "?1" && Number(offset) === size ? "all" : Number(offset);
    } catch (error) {
      if (!isBreak(error) || signal.aborted) return undefined;
    }
  }
  return undefined;
}

/** The request for the bytes from `from` on. `duplex` is what fetch wants of a stream. */
async function partOf(payload: Payload, from: number): Promise<RequestInit & { duplex?: "half" }> {
  const method = from === 0 ? "PUT" : "PATCH";
  const resumed = { "upload-offset": String(from), "upload-complete": "?1" };
  const headers: Record<string, string> =
    from === 0 ? {} : { ...resumed, "content-type": "application/partial-upload" };
  if (payload instanceof Blob) return { method, headers, body: payload.slice(from) };
  const rest = from === 0 ? payload.stream() : streamOf(after(payload.stream(), from));
  if (!sendsStreams()) return { method, headers, body: await new Response(rest).blob() };
  // The length lets a provider refuse what is too large at once.
  headers["content-length"] = String(payload.size - from);
  return { method, headers, body: rest, duplex: "half" };
}

async function* after(stream: ReadableStream<Uint8Array>, from: number): AsyncGenerator<Uint8Array> {
  let left = from;
  for await (const chunk of readStream(stream)) {
    if (chunk.length > left) yield chunk.subarray(left);
    left = Math.max(0, left - chunk.length);
  }
}

/** Browsers that can send a stream at all do so over HTTP/2 only, which a node does not speak. */
function sendsStreams(): boolean {
  return typeof process === "object" && process.versions?.node !== undefined;
}

function isBreak(error: unknown): boolean {
  return error instanceof HoldfastError && error.code === "PROVIDER_UNREACHABLE";
}
