/** What goes on with the transactions of an account after a crash and a reorganisation. */
import type { Logger } from "pino";
import type { Chain } from "../chain/chain.js";
import { type Clock, systemClock } from "../chain/clock.js";
import type { TransactionSender } from "../chain/sender.js";
import { watchHeads } from "./heads.js";

/** Nothing is on its way for so long that somebody waits for it. */
const FORGET_MS = 3_600_000;

export interface SendingOptions {
  readonly chain: Pick<Chain, "follower">;
  readonly sender: TransactionSender;
  readonly logger: Logger;
  /**
   * Milliseconds for which a transaction is left to whoever else may be waiting for it; 0 by default, for a process that is alone
   * with its journal.
   */
  readonly leaveMs?: number;
  readonly clock?: Clock;
}

/**
 * Brings to its end what an account has on its way: at the start what a process has left that is gone, afterwards what a
 * reorganisation took out of its block. The same bytes are sent again. Where several processes share a journal and a key, each
 * runs this: what one leaves behind, another goes on with.
 *
 * @param signal - ends it, and the waiting; what is on its way stays so in the journal
 */
export async function keepSending(options: SendingOptions, signal: AbortSignal): Promise<void> {
  const { chain, sender, logger, leaveMs = 0, clock = systemClock } = options;
  const since = new Map<string, number>();
  const isLeft = ({ id }: { readonly id: string }) => {
    const first = since.get(id) ?? clock.now();
    since.set(id, first);
    return clock.now() - first >= leaveMs;
  };
  const jobs = new Set<Promise<void>>();
  const begin = (work: Promise<void>) => {
    const job = work
      .catch((error: unknown) => {
        if (!signal.aborted) logger.error({ err: error }, "going on with sent transactions failed");
      })
      .finally(() => jobs.delete(job));
    jobs.add(job);
  };
  let recovered = false;
  await watchHeads(chain.follower, logger, signal, async ({ ancestor }) => {
    if (!recovered) await sender.recover();
    recovered = true;
    // At each head: what a sender has given up on is gone on with as well.
    begin(sender.goOn(signal, isLeft));
    for (const [id, first] of since) if (clock.now() - first > FORGET_MS) since.delete(id);
    if (ancestor !== undefined) begin(sender.reorganised(ancestor, signal));
  });
  await Promise.all(jobs);
}
