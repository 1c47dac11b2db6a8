/** A JSON-RPC proxy that fails as real endpoints do. */
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

interface Question {
  readonly method: string;
  readonly params: readonly unknown[];
}

interface Answer {
  readonly id: unknown;
  readonly result?: unknown;
}

/**
 * What goes wrong with a request: an HTTP status instead of an answer; the connection cut before the node sees it, or cut
 * after the node has done it; no answer for ever; an answer that comes late, or one without end; an error instead of asking
 * the node, or after the node has done it; another result than the node's.
 */
export type Fault =
  | 429
  | 500
  | 503
  | "cut"
  | "lost"
  | "hang"
  | "flood"
  | { readonly status: number; readonly retryAfter: string }
  | { readonly lateMs: number }
  | { readonly refuses: { readonly code: number; readonly message: string } }
  | { readonly does: string; readonly andSays: { readonly code: number; readonly message: string } }
  | { readonly says: (question: Question, result: unknown) => unknown };

export interface RpcProxy {
  readonly url: string;
  readonly failed: number;
  /** The methods that it was asked, in order. */
  readonly asked: string[];
  /** How many requests it had at the same time, at most. */
  readonly most: number;
  stop(): Promise<void>;
}

/** @param fault - Asked for each HTTP request, with the methods in it, and all of it as it came. */
export async function startRpcProxy(
  target: string,
  fault: (methods: readonly string[], body: string) => Fault | undefined,
): Promise<RpcProxy> {
  let [failed, open, most] = [0, 0, 0];
  const asked: string[] = [];
  const server: Server = createServer(async (request, response) => {
    most = Math.max(most, ++open);
    response.once("close", () => open--);
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    const body = Buffer.concat(parts).toString();
    const parsed = JSON.parse(body);
    const methods: string[] = (Array.isArray(parsed) ? parsed : [parsed]).map(({ method }) => method);
    asked.push(...methods);
    const wrong = fault(methods, body);
    if (wrong !== undefined) failed++;
    if (refuses(wrong, response)) return;
    if (typeof wrong === "object" && "lateMs" in wrong) await new Promise((later) => setTimeout(later, wrong.lateMs));
    if (typeof wrong === "object" && "refuses" in wrong) return response.end(errors(parsed, wrong.refuses));
    const answer = await post(target, body);
    if (wrong === "lost" || answer === undefined) return request.socket.destroy();
    response.writeHead(answer.status, { "content-type": "application/json" });
    if (typeof wrong !== "object" || !("says" in wrong || "does" in wrong)) return response.end(await answer.text());
    const said = (await answer.json()) as Answer | Answer[];
    const changed = async (one: Answer) => {
      const question = [parsed].flat().find(({ id }) => id === one.id);
      if ("does" in wrong) return question.method === wrong.does ? JSON.parse(errors(question, wrong.andSays)) : one;
      return { ...one, result: await wrong.says(question, one.result) };
    };
    response.end(JSON.stringify(Array.isArray(said) ? await Promise.all(said.map(changed)) : await changed(said)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get failed() {
      return failed;
    },
    get most() {
      return most;
    },
    asked,
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** The same error for each question of a request. */
function errors(asked: Answer | Answer[], error: object): string {
  const of = ({ id }: Answer) => ({ jsonrpc: "2.0", id, error });
  return JSON.stringify(Array.isArray(asked) ? asked.map(of) : of(asked));
}

/** Undefined where the node behind is gone. */
function post(target: string, body: string): Promise<Response | undefined> {
  return fetch(target, { method: "POST", headers: { "content-type": "application/json" }, body }).catch(
    () => undefined,
  );
}

/** Whether the request is dealt with, and the node does not see it. */
function refuses(wrong: Fault | undefined, response: ServerResponse): boolean {
  if (wrong === "hang") return true;
  if (wrong === "cut") {
    response.socket?.destroy();
    return true;
  }
  if (wrong === "flood") {
    response.writeHead(200, { "content-type": "application/json" });
    const pour = () => {
      while (!response.destroyed && response.write(`"${"0".repeat(65_536)}`));
    };
    response.on("drain", pour);
    pour();
    return true;
  }
  const status = typeof wrong === "number" ? wrong : typeof wrong === "object" && "status" in wrong ? wrong.status : 0;
  if (status === 0) return false;
  const retryAfter = typeof wrong === "object" && "retryAfter" in wrong ? wrong.retryAfter : "0";
  response.writeHead(status, { "retry-after": retryAfter }).end("no");
  return true;
}

/** Takes what is sent, and says that it failed. */
export const failsAfter: Fault = {
  does: "eth_sendRawTransaction",
  andSays: { code: -32_603, message: "Internal error" },
};

/** Serves another chain. */
export const wrongChain: Fault = { says: ({ method }, result) => (method === "eth_chainId" ? "0x1" : result) };

/** Counts more, or fewer, transactions of everybody than there are. */
export const nonceOff = (by: number): Fault => ({
  says: ({ method }, result) =>
    method === "eth_getTransactionCount" ? `0x${Math.max(0, Number(result) + by).toString(16)}` : result,
});

/** Serves a head that is so many blocks old; other questions are answered as by the node behind. */
export const oldHead = (target: string, blocks: number): Fault => ({
  async says({ method, params }, result) {
    const older = (number: unknown) => `0x${Math.max(0, Number(number) - blocks).toString(16)}`;
    if (method === "eth_blockNumber") return older(result);
    if (method !== "eth_getBlockByNumber" || params[0] !== "latest") return result;
    const number = older((result as { number: string }).number);
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: [number, params[1]] });
    const answer = await post(target, body);
    return ((await answer?.json()) as { result?: unknown })?.result ?? null;
  },
});
