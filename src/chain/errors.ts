/**
 * What a chain says when it refuses: custom errors by their names, and whether trying again can help.
 */
import { type ErrorDescription, Interface, isError, type JsonFragment } from "ethers";
import {
  DrandRandomness__factory,
  MarketLens__factory,
  ProvenanceRegistry__factory,
  ProviderRegistry__factory,
  RandaoRandomness__factory,
  SectorProofs__factory,
  StorageMarket__factory,
  StorageRequests__factory,
  Vault__factory,
} from "../../typechain-types/index.js";
import { HoldfastError } from "../errors.js";

/**
 * `retry`: the same may work later (network, nonces, a seed that is not there yet). `done`: what was wanted is so
 * already, by somebody else's hand. `hopeless`: it will be refused again.
 */
export type FailureClass = "retry" | "done" | "hopeless";

/** A decoded custom error of a contract. */
export interface Revert {
  /** `AlreadyProven`; `Error` and `Panic` are Solidity's own. */
  readonly name: string;
  readonly args: readonly unknown[];
  /** `AlreadyProven(123, 4)`. */
  readonly text: string;
}

/**
 * A call or transaction that the chain, or the way to it, refused. `code` is `REVERTED` where a contract did, otherwise
 * ethers' code (`NETWORK_ERROR`, `INSUFFICIENT_FUNDS`, …), `TOO_LARGE` where a smaller one may be taken, or `RPC_FAILED`.
 */
export class ChainError extends HoldfastError {
  readonly failure: FailureClass;
  /** Set where a contract refused with an error that some contract here declares. */
  readonly revert: Revert | undefined;

  constructor(
    code: string,
    message: string,
    hint: string,
    failure: FailureClass,
    revert: Revert | undefined,
    cause?: unknown,
  ) {
    super(code, message, hint, { cause });
    this.name = "ChainError";
    this.failure = failure;
    this.revert = revert;
  }
}

const DONE: ReadonlySet<string> = new Set([
  ...["AlreadyProven", "AlreadyRegistered", "DealExists"],
  ...["RequestExists", "AlreadyFilled", "AlreadyCancelled", "NothingToRefund", "ReplicaClosed", "NothingLocked"],
  ...["RecordExists", "AlreadyWithdrawn", "AlreadySuperseded", "NothingToRevoke", "AlreadyLinked"],
]);
const RETRY: ReadonlySet<string> = new Set([
  ...["SeedUnavailable", "ReentrancyGuardReentrantCall"],
  ...["TooEarly", "PriceTooHigh", "NotOverYet"],
]);

/** Every error that any contract of Holdfast declares or passes on, once for each selector. */
const declared = new Interface(allErrors());

function allErrors(): JsonFragment[] {
  const factories = [
    Vault__factory,
    ProviderRegistry__factory,
    StorageMarket__factory,
    MarketLens__factory,
    StorageRequests__factory,
    ProvenanceRegistry__factory,
    RandaoRandomness__factory,
    DrandRandomness__factory,
    SectorProofs__factory,
  ];
  const unique = new Map<string, JsonFragment>();
  for (const { abi } of factories) {
    for (const fragment of abi) if (fragment.type === "error") unique.set(JSON.stringify(fragment), fragment);
  }
  return [...unique.values()];
}

/**
 * The name of a custom error by its selector, as `ProofSkipped` events carry it.
 *
 * @param selector - Four bytes as `0x`-prefixed hex.
 * @returns The name, or the selector itself where nobody here declares it.
 */
export function errorName(selector: string): string {
  return declared.getError(selector)?.name ?? selector;
}

/** Decodes revert data; undefined where it is empty or no contract here declares the error. */
export function decodeRevert(data: string): Revert | undefined {
  let description: ErrorDescription | null;
  try {
    description = declared.parseError(data);
  } catch {
    // A known selector with arguments that don't fit it: somebody else's error.
    return undefined;
  }
  if (description === null) return undefined;
  const args = [...description.args];
  return { name: description.name, args, text: `${description.name}(${args.map(String).join(", ")})` };
}

/**
 * The revert data in an error of ethers or of a JSON-RPC node, wherever that put it; undefined where there is none.
 */
export function revertDataOf(error: unknown): string | undefined {
  for (let at = error, depth = 0; typeof at === "object" && at !== null && depth < 6; depth++) {
    const {
      data,
      error: inner,
      info,
      cause,
    } = at as { data?: unknown; error?: unknown; info?: unknown; cause?: unknown };
    if (typeof data === "string" && /^0x([0-9a-f]{2})*$/i.test(data)) return data;
    at = inner ?? info ?? (typeof data === "object" && data !== null ? data : cause);
  }
  return undefined;
}

/**
 * Says what went wrong in a call or transaction.
 *
 * @param error - What ethers, or a node, threw. A {@link ChainError} comes back as it is.
 * @param doing - What was tried, for the message: `"prove 40 deals"`.
 *
 * @example
 * ```ts
 * try {
 *   await market.prove(id, proof);
 * } catch (error) {
 *   const { failure, revert } = chainError(error, "prove");
 *   if (failure !== "done") throw error;
 * }
 * ```
 */
export function chainError(error: unknown, doing: string): ChainError {
  if (error instanceof ChainError) return error;
  const data = revertDataOf(error);
  const revert = data === undefined ? undefined : decodeRevert(data);
  if (revert !== undefined) return reverted(revert, doing, error);
  if (isError(error, "CALL_EXCEPTION") && !isNodesOwn(error, data)) {
    const what = data === undefined || data === "0x" ? "without a reason" : `with unknown data ${data}`;
    const hint = "Check the addresses of the deployment, and the gas that the chain allows.";
    return new ChainError("REVERTED", `Failed to ${doing}: reverted ${what}`, hint, "hopeless", undefined, error);
  }
  return unreachable(error, doing);
}

/** What nodes say of a call that the EVM has refused: geth, Erigon, anvil; Hardhat; Nethermind; Lotus. */
const REFUSED_BY_EVM =
  /revert|vm (execution )?error|vm exception|invalid (opcode|jump)|stack (under|over)flow|message execution failed|out ?of ?gas|write protection/i;

/**
 * Whether a node failed over a call, and not the call at the chain. ethers takes every error of `eth_call` and `eth_estimateGas` for a
 * revert: what a node could not look up would be given up for good.
 */
function isNodesOwn(error: unknown, data: string | undefined): boolean {
  const said = rpcMessage(error);
  return data === undefined && said !== undefined && !REFUSED_BY_EVM.test(said);
}

function reverted(revert: Revert, doing: string, cause: unknown): ChainError {
  const failure = DONE.has(revert.name) ? "done" : RETRY.has(revert.name) ? "retry" : "hopeless";
  const hint = {
    done: "Nothing to do: it is so already.",
    retry: "Try again in a later block.",
    hopeless: "The contract refuses this for good: look the error up in its interface.",
  }[failure];
  return new ChainError("REVERTED", `Failed to ${doing}: ${revert.text}`, hint, failure, revert, cause);
}

/** ethers' codes for what a caller got wrong: no node will ever take it. */
const CALLERS_FAULT: ReadonlySet<string> = new Set(["INVALID_ARGUMENT", "UNSUPPORTED_OPERATION", "NOT_IMPLEMENTED"]);

/**
 * What nodes say of bytes that are too many (geth, anvil, Lotus, and proxies before them), and of gas that is more than a block, a transaction
 * (EIP-7825) or a simulation may take.
 */
const TOO_LARGE: readonly RegExp[] = [
  /oversized data|(transaction|tx|message|request|payload|body|entity)( size)? (is )?too (large|big|long)/i,
  /(transaction|tx|message) size .*(exceeds|limit|larger|over)|max(imum)? (transaction|tx|message) size/i,
  /exceeds? (the )?(block|transaction|tx)('s)? gas limit|gas limit (is )?too high|gas required exceeds allowance/i,
  /(block|transaction|tx)[ _]?gas[ _]?limit ?(reached|exceeded)|exceeds? .*gas (limit )?cap/i,
  /\bout ?of ?gas\b/i,
];
/** HTTP's "Content Too Large". */
const HTTP_TOO_LARGE = 413;

function isTooLarge(error: unknown, said: string): boolean {
  for (let at = error, depth = 0; typeof at === "object" && at !== null && depth < 6; depth++) {
    if ((at as { status?: unknown }).status === HTTP_TOO_LARGE) return true;
    at = (at as { cause?: unknown }).cause;
  }
  return TOO_LARGE.some((words) => words.test(said));
}

function tooLarge(said: string, doing: string, cause: unknown): ChainError {
  const hint =
    "Send less at once; proofs: lower proving.calldata or proving.gasShare, and look whether the account has coin for gas.";
  return new ChainError("TOO_LARGE", `Failed to ${doing}: ${said}`, hint, "hopeless", undefined, cause);
}

function unreachable(error: unknown, doing: string): ChainError {
  const { code: given, shortMessage, message } = error as { code?: unknown; shortMessage?: string; message?: string };
  const isNamed = typeof given === "string" && given !== "UNKNOWN_ERROR" && given !== "CALL_EXCEPTION";
  const code = isNamed ? given : "RPC_FAILED";
  const said = rpcMessage(error) ?? shortMessage ?? message ?? String(error);
  if (code !== "INSUFFICIENT_FUNDS" && isTooLarge(error, said)) return tooLarge(said, doing, error);
  const failure = CALLERS_FAULT.has(code) ? "hopeless" : "retry";
  const hint =
    code === "INSUFFICIENT_FUNDS"
      ? "Send native coin for gas to the account."
      : "Check the RPC endpoint; if it is well, trying again may help.";
  return new ChainError(code, `Failed to ${doing}: ${said}`, hint, failure, undefined, error);
}

/** What the node itself said, where ethers wrapped it ("could not coalesce error"). */
export function rpcMessage(error: unknown): string | undefined {
  const { error: inner, info } = error as {
    error?: { message?: unknown };
    info?: { error?: { message?: unknown } };
  };
  const said = inner?.message ?? info?.error?.message;
  return typeof said === "string" ? said : undefined;
}
