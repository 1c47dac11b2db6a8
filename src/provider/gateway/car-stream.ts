import { varint } from "multiformats";
import type { CID } from "multiformats/cid";
import { carHeader } from "../../piece/car/index.js";
import type { HeldBlocks } from "./held-blocks.js";
import type { VisitedBlock } from "./walk.js";

/** Small blocks are sent together, until they are so many bytes. */
const CHUNK_BYTES = 64 << 10;

/**
 * A CARv1, made as it is read. Whoever stops reading stops the walk.
 *
 * @throws what `visited` throws, once all that came before it is read; what `blocks` throws
 */
export async function* carChunks(
  root: CID,
  visited: AsyncIterable<VisitedBlock>,
  blocks: Pick<HeldBlocks, "slices">,
): AsyncGenerator<Uint8Array> {
  let [waiting, size] = [[carHeader(root)], 0];
  let failure: { readonly error: unknown } | undefined;
  try {
    for await (const part of parts(visited, blocks)) {
      waiting.push(part);
      size += part.length;
      if (size < CHUNK_BYTES) continue;
      yield Buffer.concat(waiting);
      [waiting, size] = [[], 0];
    }
  } catch (error) {
    failure = { error };
  }
  // What came before the failure is right, and is sent.
  if (waiting.length > 0) yield Buffer.concat(waiting);
  if (failure) throw failure.error;
}

async function* parts(visited: AsyncIterable<VisitedBlock>, blocks: Pick<HeldBlocks, "slices">) {
  for await (const { cid, size } of visited) {
    yield sectionHead(cid, size);
    yield* blocks.slices(cid, 0, size);
  }
}

/** What stands before a block in a CAR: the length of what follows, and the CID. */
function sectionHead({ bytes }: CID, size: number): Uint8Array {
  const length = bytes.length + size;
  const cidAt = varint.encodingLength(length);
  const head = new Uint8Array(cidAt + bytes.length);
  varint.encodeTo(length, head);
  head.set(bytes, cidAt);
  return head;
}
