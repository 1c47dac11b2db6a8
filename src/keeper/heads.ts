/** The loop that every keeper runs in. */
import type { Logger } from "pino";
import type { BlockFollower, HeadUpdate } from "../chain/follower.js";

/** How often a head is looked at where that fails, before the next one is waited for. */
const TRIES = 3;

/**
 * Looks at each head until the signal is aborted. Where that fails it is done again, and at the next head in any case. A head
 * that is stale when it comes is not looked at: what is due by it may long be over.
 *
 * @param look - Must bear being called twice with the same update.
 */
export async function watchHeads(
  follower: BlockFollower,
  logger: Logger,
  signal: AbortSignal,
  look: (update: HeadUpdate) => Promise<void>,
): Promise<void> {
  /** Of heads that were not looked at: what they said of blocks that are gone holds for the next one. */
  let unheard: number | undefined;
  for await (const { head, ancestor } of follower.heads(signal)) {
    const stayed = Math.min(ancestor ?? Infinity, unheard ?? Infinity);
    const update = Number.isFinite(stayed) ? { head, ancestor: stayed } : { head };
    unheard = update.ancestor;
    try {
      follower.watch?.requireFresh();
    } catch (error) {
      logger.error({ err: error, head: head.number }, "the head is stale, nothing is done at it");
      continue;
    }
    for (let attempt = 1; attempt <= TRIES && !signal.aborted; attempt++) {
      try {
        await look(update);
        unheard = undefined;
        break;
      } catch (error) {
        if (!signal.aborted) logger.error({ err: error, head: head.number, attempt }, "looking at a head failed");
      }
    }
  }
}
