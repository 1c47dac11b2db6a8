/** What is said of endpoints that can't be used. */
import { HoldfastError } from "../errors.js";

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
