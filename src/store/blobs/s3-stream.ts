import type { Readable } from "node:stream";
import { HoldfastError } from "../../errors.js";

/** Times that a body which breaks off is asked for again without a byte of it having come. */
const TRIES = 3;
/** Milliseconds for the next bytes of a body. */
const STALL_MS = 30_000;

/**
 * The bytes of an object from `start` to `end`, whichever connections break on the way: they are gone on with where they ended.
 *
 * @param first - the body from `start` on, which was asked for already
 * @param ask - asks for the body from another byte on; undefined where the object is gone
 * @param explain - what to throw for what broke the last one
 */
export function steadyStream(
  name: string,
  [start, end]: readonly [start: number, end: number],
  first: Readable,
  ask: (from: number) => Promise<Readable | undefined>,
  explain: (cause: unknown) => unknown,
): ReadableStream<Uint8Array> {
  let [at, body, chunks, failures] = [start, first, iterate(first), 0];
  const goOn = async (cause: unknown): Promise<void> => {
    body.destroy();
    if (++failures > TRIES) throw explain(cause);
    const next = await ask(at);
    if (!next) throw damaged(name, at);
    body = next;
    chunks = iterate(next);
  };
  const nextChunk = async (): Promise<Uint8Array> => {
    for (;;) {
      try {
        const { done, value } = await within(STALL_MS, chunks.next());
        if (!done && value.length > 0) return value;
        if (done) await goOn(damaged(name, at));
      } catch (error) {
        await goOn(error);
      }
    }
  };
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (at < end) {
        const chunk = await nextChunk();
        failures = 0;
        // A service may send more than it was asked for.
        controller.enqueue(chunk.subarray(0, end - at));
        at += chunk.length;
      }
      if (at < end) return;
      body.destroy();
      controller.close();
    },
    cancel: () => void body.destroy(),
  });
}

function iterate(body: Readable): AsyncIterator<Uint8Array> {
  // Between two looks at it an error would be nobody's.
  body.on("error", () => undefined);
  return body[Symbol.asyncIterator]();
}

async function within<T>(ms: number, waiting: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new HoldfastError("BLOBS_UNREACHABLE", `no byte came for ${ms / 1_000} seconds`, "check the service"));
    }, ms);
  });
  try {
    return await Promise.race([waiting, late]);
  } finally {
    clearTimeout(timer);
  }
}

function damaged(name: string, at: number): HoldfastError {
  return new HoldfastError("BLOB_DAMAGED", `${name} is damaged: it ends at ${at}`, "restore it from another copy");
}
