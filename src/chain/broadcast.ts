/**
 * Handing signed bytes to a node, and what its refusals mean.
 *
 * @packageDocumentation
 */
import type { JsonRpcApiProvider } from "ethers";
import { rpcMessage } from "./errors.js";
import type { SignedAttempt } from "./journal.js";
import { isDefiniteRefusal, isKnown, isNonceTakenBy, isNonceUsed } from "./refusals.js";

/**
 * Hands a transaction to a node. To have it already is success.
 *
 * @throws what the provider throws: see {@link isRefused} and {@link isNonceTaken}
 */
export async function broadcast(provider: JsonRpcApiProvider, { hash, raw }: SignedAttempt): Promise<void> {
  try {
    await provider.send("eth_sendRawTransaction", [raw]);
  } catch (error) {
    const text = rpcMessage(error) ?? "";
    if (isKnown(text)) return;
    // The nonce may be used by these very bytes, where an answer before this one was lost.
    if (isNonceUsed(text) && (await provider.getTransaction(hash)) !== null) return;
    throw error;
  }
}

/**
 * Whether a node said, in words that leave no doubt, that it has not taken the bytes. After anything else, a lost answer or an
 * error of the node's own, it may have them, and may hand them on at any time.
 */
export function isRefused(error: unknown): boolean {
  const text = rpcMessage(error);
  return text !== undefined && isDefiniteRefusal(text);
}

/** Whether it is refused because the nonce is another transaction's. */
export function isNonceTaken(error: unknown): boolean {
  return isNonceTakenBy(rpcMessage(error) ?? "");
}

/** Everything that was said in an error: ethers' own words and the node's. */
export function said(error: unknown): string {
  const { message } = error as { message?: unknown };
  return [message, rpcMessage(error)].filter((part) => typeof part === "string").join("; ");
}
