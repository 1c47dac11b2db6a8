/** What a pool of endpoints has to know of JSON-RPC methods, and of what nodes say. */
import type { RpcQuestion, RpcRefusal } from "./rpc-http.js";

/**
 * `broadcast`: to everybody. `several`: asked of everybody, since money hangs on it. `read`: asked of one, again of another where that fails. `once`:
 * whatever else, which may not bear being asked twice.
 */
export type MethodKind = "broadcast" | "several" | "read" | "once";

/** Methods that make or sign something at the node itself, or keep something there. */
const NOT_REPEATABLE = /^eth_(send(?!RawTransaction$)|sign|new|uninstall|subscribe|unsubscribe|getFilter|accounts)/;

export function methodKind(method: string): MethodKind {
  if (method === "eth_sendRawTransaction") return "broadcast";
  if (method === "eth_getTransactionCount" || method === "eth_maxPriorityFeePerGas") return "several";
  return /^(eth|net|web3)_/.test(method) && !NOT_REPEATABLE.test(method) ? "read" : "once";
}

/**
 * The block that an answer shows to be there: of a head, a block, or what lies in a block. Undefined where it shows
 * none.
 */
export function blockShown({ method, params }: RpcQuestion, result: unknown): number | undefined {
  if (method === "eth_blockNumber") return quantity(result);
  if (method === "eth_getBlockByNumber") {
    const pending = tagOf(params) === "pending";
    const number = quantity((result as { number?: unknown } | null)?.number);
    return number === undefined || pending ? undefined : number;
  }
  if (method === "eth_getTransactionReceipt" || method === "eth_getTransactionByHash")
    return quantity((result as { blockNumber?: unknown } | null)?.blockNumber);
  return undefined;
}

/** Whether the answer to a question is the head itself. */
export function asksForHead({ method, params }: RpcQuestion): boolean {
  return method === "eth_blockNumber" || (method === "eth_getBlockByNumber" && tagOf(params) === "latest");
}

/** The number of the block that is asked for; undefined where it is asked for by a name. */
export function blockAskedFor({ method, params }: RpcQuestion): number | undefined {
  return method === "eth_getBlockByNumber" ? quantity(tagOf(params)) : undefined;
}

const RATE_LIMITED = /rate.?limit|too many requests|requests? per second|throughput|compute units|capacity/i;
const LACKS_STATE =
  /header not found|unknown block|block .*not (found|available)|block height is|missing trie node|state .*not available|pruned|requested a future epoch/i;
const METHOD_NOT_FOUND = -32_601;

/**
 * Whether a refusal is about the endpoint and not about the question: another one may answer. A range of logs that is too
 * long for one is left to whoever asked, who halves it.
 */
export function isEndpointsOwn(
  { method }: RpcQuestion,
  { code, message, data }: RpcRefusal,
): "limited" | "lacking" | undefined {
  // A revert's text is whatever a contract says.
  if (code === 3 || typeof data === "string") return undefined;
  if (method !== "eth_getLogs" && (code === 429 || code === -32_005 || RATE_LIMITED.test(message))) return "limited";
  if (method === "eth_getLogs" && (code === 429 || /too many requests|rate.?limit/i.test(message))) return "limited";
  return code === METHOD_NOT_FOUND || LACKS_STATE.test(message) ? "lacking" : undefined;
}

function tagOf(params: unknown): unknown {
  return Array.isArray(params) ? params[0] : undefined;
}

/** A JSON-RPC quantity that is a safe integer. */
export function quantity(value: unknown): number | undefined {
  if (typeof value !== "string" || !/^0x[0-9a-f]{1,13}$/i.test(value)) return undefined;
  return Number(value);
}
