/** What goes on with the transactions of an account after a crash and a reorganisation. */
import type { Logger } from "pino";
import type { Chain } from "../chain/chain.js";
import type { TransactionSender } from "../chain/sender.js";
import { watchHeads } from "./heads.js";

export interface SendingOptions {
  readonly chain: Pick<Chain, "follower">;
  readonly sender: TransactionSender;
  readonly logger: Logger;
}

/**
 * Brings to its end what an account has on its way: at the start what a process has left that is gone, afterwards what a
 * reorganisation took out of its block. The same bytes are sent again. Of all who send for an account, one runs this.
 *
 * @param signal - ends it, and the waiting; what is on its way stays so in the journal
 */
export async function keepSending({ chain, sender, logger }: SendingOptions, signal: AbortSignal): Promise<void> {
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
    begin(sender.goOn(signal));
    if (ancestor !== undefined) begin(sender.reorganised(ancestor, signal));
  });
  await Promise.all(jobs);
}
