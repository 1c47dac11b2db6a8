/**
 * Bytes to a peer, no faster than it takes them, and no slower than it may.
 *
 * @packageDocumentation
 */
import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import { Patience } from "../client/patience.js";

/** What goes ahead of the bytes. */
export interface Head {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
}

export interface PourOptions {
  /** Bytes that there are; without it, the body says itself where it ends. */
  readonly size?: number;
  /** Told of what kept the bytes from coming, where the answer was broken off for it. */
  readonly broken: (error: unknown) => void;
  /** A peer that takes no 64 KiB in this time is given up, in milliseconds; 60,000 by default. */
  readonly stallMs?: number | undefined;
}

const STALL_MS = 60_000;
const LAP_BYTES = 64 * 1024;

/**
 * Answers with all chunks, each handed to the kernel before the next is asked for.
 *
 * @throws what comes instead of the first chunk; nothing is answered then
 */
export async function pour(
  response: ServerResponse,
  { status, headers }: Head,
  chunks: AsyncIterable<Uint8Array>,
  { size, broken, stallMs }: PourOptions,
): Promise<void> {
  const pace = new Pace(() => response.destroy(), stallMs);
  let left = size ?? Number.POSITIVE_INFINITY;
  try {
    for await (const chunk of chunks) {
      if (!response.headersSent) response.writeHead(status, headers);
      left -= chunk.length;
      if (!(await pace.of(chunk.length, () => written(response, chunk, left === 0)))) return;
    }
    if (!response.headersSent) response.writeHead(status, headers);
    if (!response.writableEnded) response.end();
  } catch (error) {
    if (!response.headersSent) throw error;
    broken(error);
    // It can only be told by breaking off: a short body would have to wait for a timeout.
    response.socket?.destroySoon();
  }
}

/** How long a peer may take: so long for each 64 KiB, of a large chunk as of many small ones. */
class Pace {
  readonly #giveUp: () => void;
  readonly #stallMs: number;
  #laps = 0;
  #patience: Patience | undefined;

  constructor(giveUp: () => void, stallMs = STALL_MS) {
    this.#giveUp = giveUp;
    this.#stallMs = stallMs;
  }

  async of(bytes: number, sent: () => Promise<boolean>): Promise<boolean> {
    const laps = Math.ceil(bytes / LAP_BYTES);
    if (this.#patience === undefined || laps > this.#laps) {
      this.#laps = laps;
      this.#patience = new Patience(this.#stallMs * laps, this.#giveUp, LAP_BYTES * laps);
    }
    const patience = this.#patience;
    const isSent = await patience.during(sent());
    patience.received(bytes);
    return isSent;
  }
}

/** Resolves when the chunk has been handed to the kernel, which is what slow peers wait at; to false where the peer is gone. */
function written(response: ServerResponse, chunk: Uint8Array, last: boolean): Promise<boolean> {
  return new Promise((resolve) => {
    // A write that comes between the end of a connection and its closing is never called back.
    const gone = () => resolve(false);
    response.once("close", gone);
    response.write(chunk, (error) => {
      response.off("close", gone);
      resolve(!error);
    });
    if (last) response.end();
  });
}
