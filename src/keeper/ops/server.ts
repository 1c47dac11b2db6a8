/** Metrics and health over HTTP, for machines of one's own. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Logger } from "pino";
import { HoldfastError } from "../../errors.js";
import type { KeeperObserver } from "./observer.js";

export interface OpsServerOptions {
  readonly observer: Pick<KeeperObserver, "health" | "metrics">;
  readonly logger: Logger;
  /** 127.0.0.1 by default: what is told here is nobody else's business, and asks for no password. */
  readonly host?: string;
  /** A free one by default. */
  readonly port?: number;
}

export interface OpsServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Scrapers are few and quick. */
const MAX_CONNECTIONS = 32;
const TIMEOUT_MS = 10_000;

/**
 * Serves `GET /metrics` (Prometheus) and `GET /health` (JSON; 200 where all is well, 503 where it is not).
 *
 * @throws {HoldfastError} `LISTEN_FAILED`.
 */
export async function startOpsServer({
  observer,
  logger,
  host = "127.0.0.1",
  port = 0,
}: OpsServerOptions): Promise<OpsServer> {
  const server = createServer((request, response) => {
    answer(observer, request, response).catch((err: unknown) => {
      logger.error({ err }, "metrics or health could not be told");
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.requestTimeout = server.headersTimeout = TIMEOUT_MS;
  server.setTimeout(TIMEOUT_MS);
  await listen(server, host, port);
  const { port: actual } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${actual}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  observer: OpsServerOptions["observer"],
  { method = "", url = "" }: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const send = (status: number, type: string, body: string) => {
    response.writeHead(status, { "content-type": type, "cache-control": "no-store" });
    response.end(method === "HEAD" ? undefined : body);
  };
  if (method !== "GET" && method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD");
    return send(405, "text/plain", "only GET\n");
  }
  const [path] = url.split("?", 1);
  if (path === "/metrics") {
    const { contentType, text } = await observer.metrics();
    return send(200, contentType, text);
  }
  if (path !== "/health") return send(404, "text/plain", "there are /metrics and /health\n");
  const report = observer.health();
  send(report.healthy ? 200 : 503, "application/json", `${JSON.stringify(report)}\n`);
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      const message = `${host} port ${port} can't be listened at: ${cause.message}`;
      reject(new HoldfastError("LISTEN_FAILED", message, "choose another host or port", { cause }));
    });
    server.listen(port, host, () => resolve());
  });
}
