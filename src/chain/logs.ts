/** Logs in ranges that a node will answer. */
import type { Filter, Log, Provider } from "ethers";

/** Logs of consecutive blocks. */
export interface LogRange {
  readonly logs: readonly Log[];
  /** Everything up to this block has been read. */
  readonly to: number;
}

export interface LogOptions {
  /** Blocks in one `eth_getLogs` at most; 2,000 by default. Halved for as long as the node refuses. */
  readonly range?: number;
  readonly signal?: AbortSignal;
  /** Told of each range that the node refused and that is asked for in halves. */
  readonly onRefused?: (error: unknown, from: number, to: number) => void;
}

const DEFAULT_RANGE = 2_000;
/** The first of many ranges is short: how close logs lie is known when some have been read. */
const FIRST_RANGE = 16;
/** Blocks that are asked for at once all the same: what has come since somebody last looked. */
const SHORT = 64;
const GROWTH = 4;
/** Logs in one answer, about. ethers copies what it has of an answer with each piece that comes, so big ones take long. */
const WANTED_LOGS = 1_000;

/**
 * The logs of blocks `from` to `to`, both included, in order, a range at a time, each with the last block of its range.
 * Where logs lie close, ranges are shorter. A range that the node refuses (too many logs, too many blocks) is halved.
 *
 * @throws What the node answers for a single block; the reason of `signal`.
 * @example
 * ```ts
 * const filter = { address: deployment.market };
 * for await (const { logs } of logsBetween(provider, filter, deployment.block, head)) read(logs);
 * ```
 */
export async function* logsBetween(
  provider: Provider,
  filter: Omit<Filter, "fromBlock" | "toBlock">,
  from: number,
  to: number,
  { range: limit = DEFAULT_RANGE, signal, onRefused }: LogOptions = {},
): AsyncGenerator<LogRange, void, undefined> {
  let most = limit;
  let range = Math.min(to - from < SHORT ? SHORT : FIRST_RANGE, most);
  for (let at = from; at <= to; ) {
    signal?.throwIfAborted();
    const end = Math.min(at + range - 1, to);
    let logs: Log[];
    try {
      logs = await provider.getLogs({ ...filter, fromBlock: at, toBlock: end });
    } catch (error) {
      if (end === at) throw error;
      most = range = Math.ceil((end - at + 1) / 2);
      onRefused?.(error, at, end);
      continue;
    }
    yield { logs, to: end };
    at = end + 1;
    const fitting = Math.max(1, Math.floor((range * WANTED_LOGS) / Math.max(1, logs.length)));
    range = Math.min(fitting, range * GROWTH, most);
  }
}
