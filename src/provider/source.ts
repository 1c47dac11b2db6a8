/**
 * A payload served from the machine that it is on, for as long as providers fetch it: what a request's `dataUri` names.
 *
 * @packageDocumentation
 */
import { randomUUID } from "node:crypto";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Logger } from "pino";
import { readStream } from "../piece/index.js";
import { EVERYWHERE } from "./app.js";
import { harmless, type Representation, sendBytes, sendText, withFailures } from "./send-bytes.js";
import { type ListenOptions, type RunningNode, startServer } from "./server.js";

/**
 * Serves a payload at `/` of the URL it gives back, whole or in ranges, to anybody who asks.
 *
 * @param payload - a Blob backed by a file is read as it is sent
 * @throws HoldfastError `LISTEN_FAILED`
 * @example
 * const source = await startSource(await fileBlob("video.mp4"), logger, { host: "0.0.0.0", port: 8080 });
 * await client.request(commitment, { dataUri: "http://203.0.113.7:8080/", ...wishes });
 */
export function startSource(payload: Blob, logger: Logger, options: ListenOptions = {}): Promise<RunningNode> {
  const source: Representation = {
    // The file can be another the next time; a download that was cut off must not go on with that one's bytes.
    etag: `"${randomUUID()}"`,
    size: payload.size,
    cacheControl: "no-store",
    headers: harmless(),
    read: (start, end) => readStream(payload.slice(start, end).stream()),
    broken: (error) => logger.error({ err: error }, "the payload can't be read"),
  };
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const isAsked = request.url === "/" && (request.method === "GET" || request.method === "HEAD");
    if (isAsked) await sendBytes(request, response, source);
    else sendText(response, 404, "no such route", EVERYWHERE);
  };
  const listener: RequestListener = (request, response) =>
    withFailures({ request, response, logger }, () => answer(request, response));
  return startServer(listener, options);
}
