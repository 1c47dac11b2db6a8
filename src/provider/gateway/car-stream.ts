import type { CID } from "multiformats/cid";
import { carHeader, carSection } from "../../piece/car/index.js";
import { streamOf } from "../../piece/index.js";
import type { VisitedBlock } from "./walk.js";

/** Small blocks are sent together: so many bytes, unless the last of them has more. */
const CHUNK_BYTES = 64 << 10;

/**
 * A CARv1 as a stream, made as it is read. Whoever stops reading stops the walk.
 *
 * @param cut - told what went wrong, once: it has to break the connection off, or the reader takes a part for the whole
 */
export function carStream(
  root: CID,
  blocks: AsyncIterable<VisitedBlock>,
  cut: (error: unknown) => void,
): ReadableStream<Uint8Array> {
  return streamOf(chunks(root, blocks, cut));
}

async function* chunks(
  root: CID,
  blocks: AsyncIterable<VisitedBlock>,
  cut: (error: unknown) => void,
): AsyncGenerator<Uint8Array> {
  let waiting = [carHeader(root)];
  let size = 0;
  let failure: { readonly error: unknown } | undefined;
  try {
    for await (const { cid, bytes } of blocks) {
      const section = carSection(cid, bytes);
      waiting.push(section);
      size += section.length;
      if (size < CHUNK_BYTES) continue;
      yield Buffer.concat(waiting);
      [waiting, size] = [[], 0];
    }
  } catch (error) {
    failure = { error };
  }
  // What came before the failure is right, and is sent.
  if (waiting.length > 0) yield Buffer.concat(waiting);
  if (failure) cut(failure.error);
}
