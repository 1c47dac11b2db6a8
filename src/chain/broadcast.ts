/**
 * Handing signed bytes to a node, and what its refusals mean.
 *
 * @packageDocumentation
 */
import { isError, type JsonRpcApiProvider } from "ethers";
import { HoldfastError } from "../errors.js";
import { rpcMessage } from "./errors.js";
import type { SignedAttempt } from "./journal.js";
import { KNOWN_TRANSACTION } from "./rpc-methods.js";

/** What nodes say of a nonce that is used, and of one that is being used. */
const NONCE_USED = /nonce too low|nonce has already been used|nonce is too low/i;
const NONCE_IN_USE = /replacement (transaction )?(is )?underpriced|replacement fee too low/i;

const NOBODY: ReadonlySet<string> = new Set(["CHAIN_UNREACHABLE", "RATE_LIMITED", "STALE_HEAD"]);

/**
 * Hands a transaction to a node. To have it already is success.
 *
 * @throws what the provider throws: see {@link isNonceTaken} and {@link isConnectionLost}
 */
export async function broadcast(provider: JsonRpcApiProvider, { hash, raw }: SignedAttempt): Promise<void> {
  try {
    await provider.send("eth_sendRawTransaction", [raw]);
  } catch (error) {
    if (KNOWN_TRANSACTION.test(said(error))) return;
    // The nonce may be used by these very bytes, where an answer before this one was lost.
    if (NONCE_USED.test(said(error)) && (await provider.getTransaction(hash)) !== null) return;
    throw error;
  }
}

/** Whether the nonce is another transaction's. */
export function isNonceTaken(error: unknown): boolean {
  return NONCE_USED.test(said(error)) || NONCE_IN_USE.test(said(error));
}

/** Whether there was no answer, or none that says what became of it. Node reports a broken connection by a code of the system. */
export function isConnectionLost(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  // No endpoint of several could be asked.
  if (error instanceof HoldfastError) return NOBODY.has(error.code);
  if (isError(error, "NETWORK_ERROR") || isError(error, "TIMEOUT") || isError(error, "SERVER_ERROR")) return true;
  return typeof code === "string" && /^(ECONN|EPIPE|ETIMEDOUT|EAI_|ENOTFOUND|UND_ERR)/.test(code);
}

/** Everything that was said in an error: ethers' own words and the node's. */
export function said(error: unknown): string {
  const { message } = error as { message?: unknown };
  return [message, rpcMessage(error)].filter((part) => typeof part === "string").join("; ");
}
