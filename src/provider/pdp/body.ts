import type { IncomingMessage } from "node:http";
import { Patience } from "../../client/patience.js";
import { HoldfastError } from "../../errors.js";

/**
 * A request's bytes as they come, read no faster than they are used. A peer that hangs up half-way, or is too slow, ends in
 * an error, never in a short piece.
 *
 * @param stallMs - a peer that gets no 64 KiB across in this time is cut off, in milliseconds
 * @throws HoldfastError `UPLOAD_BROKEN`
 */
export async function* bytesOf(
  incoming: IncomingMessage,
  stallMs: number,
): AsyncGenerator<Uint8Array, void, undefined> {
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
    throw new HoldfastError("UPLOAD_BROKEN", what, "send the rest, or all of it again", { cause });
  }
  if (!incoming.complete) {
    throw new HoldfastError("UPLOAD_BROKEN", "the last byte did not come", "send the rest, or all of it again");
  }
}

/** The number in a header that counts bytes; undefined where it is missing. @throws HoldfastError `INVALID_REQUEST` */
export function byteCount(name: string, header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const count = /^\d{1,16}$/.test(header) ? Number(header) : Number.NaN;
  if (Number.isSafeInteger(count)) return count;
  throw new HoldfastError("INVALID_REQUEST", `${name} is no number of bytes`, "see docs/pdp.md");
}
