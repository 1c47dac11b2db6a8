/** Serving a file from this machine while providers fetch it. */
import { setTimeout as delay } from "node:timers/promises";
import { type Command, InvalidArgumentError, Option } from "commander";
import { ChainError } from "../chain/errors.js";
import { requestStatus } from "../client/index.js";
import { startSource } from "../provider/index.js";
import { commandLogger, type Session, tell } from "./context.js";

/** The options that {@link withServing} gives a command. */
export interface ServeFlags {
  readonly serve?: boolean;
  readonly bind?: { readonly host: string; readonly port: number };
  readonly publicUrl?: string;
}

const POLL_MS = 1_000;

/** Adds `--serve`, `--bind` and `--public-url`. */
export function withServing(command: Command): Command {
  return command
    .option("--serve", "serve the file from here until all replicas are filled")
    .addOption(
      new Option("--bind <host:port>", "where to listen; a free port of 127.0.0.1 by default").argParser(parseBind),
    )
    .addOption(
      new Option("--public-url <url>", "what providers reach that at; where it listens by default").argParser(parseUrl),
    );
}

/**
 * Serves a file, posts a request that points to it, and serves on until every replica is filled, or nobody can fill one
 * any more.
 *
 * @param post - sends the request for a `dataUri`
 * @throws HoldfastError `LISTEN_FAILED`, and what `post` throws
 */
export async function withSource<R extends { readonly id: string }>(
  payload: Blob,
  { bind, publicUrl }: ServeFlags,
  { chain }: Session,
  post: (dataUri: string) => Promise<R>,
): Promise<R> {
  const source = await startSource(payload, commandLogger(), bind);
  try {
    const dataUri = `${publicUrl ?? source.url}/`;
    tell(`serving at ${dataUri}`);
    if (publicUrl === undefined && bind === undefined)
      tell("only this machine reaches that; see --bind and --public-url");
    const report = await post(dataUri);
    await untilFilled(chain, BigInt(report.id));
    return report;
  } finally {
    await source.close();
  }
}

async function untilFilled(chain: Session["chain"], id: bigint): Promise<void> {
  for (let filled = -1; ; await delay(POLL_MS)) {
    try {
      const { replicasFilled, request, open } = await requestStatus(chain, id);
      if (replicasFilled !== filled) tell(`${replicasFilled} of ${request.replicas} replicas filled`);
      filled = replicasFilled;
      if (!open) return;
    } catch (error) {
      // The request is posted, and providers may be fetching: a node that does not answer is asked again.
      if (!(error instanceof ChainError) || error.failure !== "retry") throw error;
      tell(error.message);
    }
  }
}

function parseBind(text: string): { host: string; port: number } {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host !== undefined && Number(port) <= 65_535) return { host, port: Number(port) };
  throw new InvalidArgumentError("It has to be HOST:PORT: 0.0.0.0:8080, [::1]:8080.");
}

function parseUrl(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text.replace(/\/+$/, "");
  throw new InvalidArgumentError("It has to be an http: or https: URL.");
}
