/** What ended a deployment, in a line for whoever runs it. */
import { rpcMessage } from "../../src/chain/errors.js";
import { HoldfastError } from "../../src/errors.js";

const AGAIN = "run the same again: what is there is not deployed twice";
const LONGEST = 300;

/** What goes wrong with an account that can't pay, as nodes and Ignition have it. */
const POOR = /insufficient (funds|balance)|not enough funds|gas required exceeds allowance/i;

/**
 * Runs a part of a deployment.
 *
 * @param what - what has not been done where it fails: "the deployment is not finished"
 * @throws HoldfastError `DEPLOYMENT_FAILED` for what nodes, Ignition and the file system throw; anything else as it is
 */
export async function explained<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof HoldfastError || !isForeign(error)) throw error;
    const { formattedMessage, shortMessage, message } = error;
    throw unfinished(what, rpcMessage(error) ?? formattedMessage ?? shortMessage ?? message, error);
  }
}

/** A failure that is mended by running the same again. */
export function unfinished(what: string, reason: string, cause?: unknown): HoldfastError {
  const hint = POOR.test(reason) ? `send the account coin and ${AGAIN}` : `mend it and ${AGAIN}`;
  return new HoldfastError("DEPLOYMENT_FAILED", `${what}: ${brief(reason)}`, hint, { cause });
}

/** A failure over what an earlier run has left. */
export function startedOtherwise(message: string): HoldfastError {
  const hint = "go on as it was begun, or name another file with --out for a deployment of its own";
  return new HoldfastError("DEPLOYMENT_FAILED", message, hint);
}

/** What somebody says without what nobody reads: code in hex, and the objects that ethers has in brackets. */
export function brief(text: string): string {
  const plain = text.replace(/ \(\w+=.*$/s, "").replace(/(0x[0-9a-f]{16})[0-9a-f]{64,}/gi, "$1…");
  return plain.length <= LONGEST ? plain : `${plain.slice(0, LONGEST)}…`;
}

/** Ignition's errors say what is to be said in one way, and ethers' in another; those of the system have a code, too. */
interface Foreign extends Error {
  readonly code?: string;
  readonly formattedMessage?: string;
  readonly shortMessage?: string;
}

function isForeign(error: unknown): error is Foreign {
  if (!(error instanceof Error)) return false;
  const { code, formattedMessage } = error as Foreign;
  return typeof code === "string" || typeof formattedMessage === "string";
}
