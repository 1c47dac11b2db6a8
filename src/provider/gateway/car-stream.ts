import type { CID } from "multiformats/cid";
import { carHeader, carSection } from "../../piece/car/index.js";
import type { VisitedBlock } from "./walk.js";

/**
 * A CARv1 as a stream, a block at a time as it is read. Whoever stops reading stops the walk.
 *
 * @param cut - told what went wrong, once: it has to break the connection off, or the reader takes a part for the whole
 */
export function carStream(
  root: CID,
  blocks: AsyncGenerator<VisitedBlock>,
  cut: (error: unknown) => void,
): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(carHeader(root)),
    async pull(controller) {
      try {
        const { done, value } = await blocks.next();
        if (done) controller.close();
        else controller.enqueue(carSection(value.cid, value.bytes));
      } catch (error) {
        cut(error);
        controller.close();
      }
    },
    async cancel() {
      await blocks.return(undefined);
    },
  });
}
