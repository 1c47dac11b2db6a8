/** What is said of endpoints that can't be used. */
import { HoldfastError } from "../errors.js";
import type { EndpointFault } from "./rpc-http.js";

/** Of Node.js and its fetch: no connection came about. */
const NOT_CONNECTED: ReadonlySet<unknown> = new Set([
  ...["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "UND_ERR_CONNECT_TIMEOUT"],
]);

/** Whether the endpoint can't have seen the question: after any other fault it may have done what it was asked to. */
export function neverAsked({ kind, cause }: EndpointFault): boolean {
  const { cause: of } = (cause ?? {}) as { cause?: { code?: unknown } };
  return kind === "connection" && NOT_CONNECTED.has(of?.code);
}

export function unreachable(name: string, cause?: unknown): HoldfastError {
  return new HoldfastError(
    "CHAIN_UNREACHABLE",
    `The node at ${name} does not answer`,
    "Check the address, and that the node is running and lets this machine in.",
    { cause },
  );
}

export function wrongChain(name: string, actual: number | undefined, expected: number): HoldfastError {
  return new HoldfastError(
    "WRONG_CHAIN",
    `The node at ${name} serves chain ${actual ?? "without an id"}, not ${expected}`,
    "Use a node of the deployment's chain, or the deployment of the node's chain.",
  );
}

export function rateLimited(): HoldfastError {
  const message = "Every endpoint asks to be left alone for a while";
  return new HoldfastError("RATE_LIMITED", message, "Add an endpoint, or take one with higher limits.");
}

export function behind(head: number, shown: number): HoldfastError {
  const message = `Every endpoint is at block ${head} or before, and block ${shown} was there already`;
  return new HoldfastError("STALE_HEAD", message, "Wait, or add an endpoint that is up to date.");
}
