/** A JSON-RPC server of this machine's own, and asking one. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface RpcCall {
  readonly method: string;
  readonly params: readonly unknown[];
}

export interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

export type RpcReply = { readonly result: unknown } | { readonly error: RpcError };

interface RpcRequest extends Partial<RpcCall> {
  readonly id?: unknown;
}

export interface RpcServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** Serves on a free port of 127.0.0.1; batches are answered one question after the other. */
export async function serveRpc(answer: (call: RpcCall) => Promise<RpcReply>): Promise<RpcServer> {
  const server = createServer((request, response) => {
    respond(request, response, answer).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  answer: (call: RpcCall) => Promise<RpcReply>,
): Promise<void> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  const asked = JSON.parse(Buffer.concat(parts).toString()) as RpcRequest | RpcRequest[];
  const one = async ({ id, method = "", params = [] }: RpcRequest) => {
    return { jsonrpc: "2.0", id: id ?? null, ...(await answer({ method, params })) };
  };
  const said: object[] = [];
  for (const each of [asked].flat()) said.push(await one(each));
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify(Array.isArray(asked) ? said : said[0]));
}

/** Asks a node; what it refuses is an answer, too. @throws what fetch throws where the node is gone */
export async function askRpc(url: string, { method, params }: RpcCall): Promise<RpcReply> {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
  const response = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
  const { result, error } = (await response.json()) as { result?: unknown; error?: RpcError };
  return error === undefined ? { result } : { error };
}
