/** An ethers provider over several endpoints of one chain. */
import {
  type AbstractProvider,
  JsonRpcApiProvider,
  type JsonRpcError,
  type JsonRpcPayload,
  type JsonRpcResult,
  makeError,
  Network,
} from "ethers";
import type { EndpointFault, RpcAnswer, RpcQuestion } from "./rpc-http.js";

type Subscription = Parameters<AbstractProvider["_getSubscriber"]>[0];

/**
 * Speaks JSON-RPC through a function. Nothing is batched, so that a question that fails fails alone, and nothing is answered
 * from memory, which loses money here.
 */
export class RpcProvider extends JsonRpcApiProvider {
  readonly #ask: (question: RpcQuestion) => Promise<RpcAnswer>;
  readonly #pollingMs: number;

  /** @param pollingMs - Milliseconds between polls of ethers' own subscriptions (`tx.wait()`). */
  constructor(ask: (question: RpcQuestion) => Promise<RpcAnswer>, chainId: number, pollingMs: number) {
    // Filters of a node are nothing to another one, so events are polled for.
    super(Network.from(chainId), { staticNetwork: true, cacheTimeout: -1, batchMaxCount: 1, polling: true });
    this.#ask = ask;
    this.#pollingMs = pollingMs;
  }

  override async send(method: string, params: unknown[] | Record<string, unknown>): Promise<unknown> {
    await this._start();
    return super.send(method, params);
  }

  override async _send(payload: JsonRpcPayload | JsonRpcPayload[]): Promise<(JsonRpcResult | JsonRpcError)[]> {
    const payloads = Array.isArray(payload) ? payload : [payload];
    return Promise.all(
      payloads.map(
        async ({ id, method, params }) => ({ id, ...(await this.#ask({ method, params })) }) as JsonRpcResult,
      ),
    );
  }

  override get pollingInterval(): number {
    return this.#pollingMs;
  }

  override _getSubscriber(subscription: Subscription): ReturnType<AbstractProvider["_getSubscriber"]> {
    const subscriber = super._getSubscriber(subscription);
    if ("pollingInterval" in subscriber) subscriber.pollingInterval = this.#pollingMs;
    return subscriber;
  }
}

/**
 * What ethers throws where there was no answer, so that everybody who tells failures of the way from refusals goes on to:
 * `TIMEOUT`, `NETWORK_ERROR`, `SERVER_ERROR`.
 *
 * @param name - Of the endpoint.
 */
export function noAnswer(name: string, method: string, fault: EndpointFault): Error {
  const message = `${name}: ${fault.message}`;
  const made =
    fault.kind === "timeout"
      ? makeError(message, "TIMEOUT", { operation: method, reason: "timeout" })
      : fault.kind === "connection"
        ? makeError(message, "NETWORK_ERROR", { event: method })
        : makeError(message, "SERVER_ERROR", { request: name });
  made.cause = fault;
  return made;
}
