/** A JSON-RPC proxy that fails as real endpoints do. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * What goes wrong with a request: an HTTP status instead of an answer, the connection cut before the node sees it, or cut
 * after the node has done it.
 */
export type Fault = 429 | 500 | 503 | "cut" | "lost";

export interface RpcProxy {
  readonly url: string;
  readonly failed: number;
  stop(): Promise<void>;
}

/** @param fault - Asked for each HTTP request, with the methods in it. */
export async function startRpcProxy(
  target: string,
  fault: (methods: readonly string[]) => Fault | undefined,
): Promise<RpcProxy> {
  let failed = 0;
  const server: Server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    const body = Buffer.concat(parts).toString();
    const parsed: unknown = JSON.parse(body);
    const methods = (Array.isArray(parsed) ? parsed : [parsed]).map(({ method }) => method as string);
    const wrong = fault(methods);
    if (wrong !== undefined) failed++;
    if (wrong === "cut") return request.socket.destroy();
    if (typeof wrong === "number") return response.writeHead(wrong, { "retry-after": "0" }).end("no");
    const answer = await fetch(target, { method: "POST", headers: { "content-type": "application/json" }, body });
    if (wrong === "lost") return request.socket.destroy();
    response.writeHead(answer.status, { "content-type": "application/json" }).end(await answer.text());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get failed() {
      return failed;
    },
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
