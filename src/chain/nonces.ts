/** Which nonce comes next, where whoever counts may be wrong. */
import type { JsonRpcApiProvider } from "ethers";
import { ChainError } from "./errors.js";

/** Transactions of others with the same key that may wait for a block: geth keeps 64 of an account beside those that can go. */
const MAX_STRANGE = 64;
/** Nonces in a row that nobody has used, beyond which no transaction waits: nothing comes to it, ever. */
export const REACH = 1_024;

/** What is known when a nonce is to be given. */
export interface Counted {
  /** Below, all are refused. */
  readonly least: number;
  /** What the chain counts in blocks, and with what waits for one. */
  readonly latest: number;
  readonly pending: number;
  /** Nonces from `latest` on that the journal knows, in order. */
  readonly own: readonly number[];
}

/**
 * The nonce to give: with nothing live the chain's count is right, also where it dropped one of ours; otherwise it may lag
 * behind. A count far above what is known is refused: what is sent at it waits for nonces that nobody uses.
 *
 * @param next - follows on the highest live one
 * @throws ChainError `NONCE_UNLIKELY`
 */
export function nonceAfter({ least, latest, pending, own }: Counted, next = 0): number {
  const followed = next - latest <= REACH ? next : endOf(own, latest);
  const known = Math.max(least, latest, followed);
  if (pending - known > MAX_STRANGE) throw unlikely(pending, known);
  // What is in blocks only tells whether the rest can be: a wrong answer to that leaves no gap.
  return Math.max(least, followed, pending);
}

/** Where what can get into a block ends: what lies beyond a gap that is too wide is not followed. */
function endOf(own: readonly number[], latest: number): number {
  let end = latest;
  for (const nonce of own) {
    if (nonce - end > REACH) break;
    end = nonce + 1;
  }
  return end;
}

/**
 * The nonce to try after one that is another's: the lowest that anybody counts of those that can be right. Whoever counts fewer
 * than were refused is wrong or late; of the others, one that counts too many would leave a gap.
 *
 * @param own - nonces that the journal knows
 * @param counts - what each endpoint counts in blocks
 */
export function nonceBeyond(taken: number, own: readonly number[], counts: readonly number[]): number {
  const least = Math.max(taken, ...own.slice(-1)) + 1;
  const right = counts.filter((count) => count >= least && count - least <= REACH);
  return right.length === 0 ? least : Math.min(...right);
}

/** A provider that can ask several endpoints. */
interface Several {
  transactionCounts(account: string): Promise<readonly number[]>;
}

/**
 * What every endpoint counts of an account's transactions in blocks, where there are several.
 *
 * @throws what the provider throws
 */
export async function countsOf(provider: JsonRpcApiProvider, account: string): Promise<readonly number[]> {
  if ("transactionCounts" in provider) return (provider as JsonRpcApiProvider & Several).transactionCounts(account);
  return [await provider.getTransactionCount(account, "latest")];
}

function unlikely(pending: number, known: number): ChainError {
  const message = `The node counts ${pending} transactions of this account, and ${known} are known of`;
  const hint = "Wait until they are in blocks if somebody else sends with this key; otherwise check the RPC endpoint.";
  return new ChainError("NONCE_UNLIKELY", message, hint, "retry", undefined);
}
