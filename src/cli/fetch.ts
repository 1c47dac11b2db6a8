import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { Command } from "commander";
import { fileSink } from "../client/file-node.js";
import { holders, retrieve } from "../client/index.js";
import { decodePieceCid } from "../piece/index.js";
import { type ChainFlags, chainCommand, printResult, tell, withChain } from "./context.js";

interface FetchFlags extends ChainFlags {
  readonly output?: string;
  readonly url?: string[];
}

/** What `holdfast fetch --json` prints. */
export interface FetchReport {
  readonly pieceCid: string;
  /** Absolute path. */
  readonly file: string;
  readonly bytes: number;
  /** The node that served it. */
  readonly url: string;
  /** Nodes that were asked before, and what was wrong with them. */
  readonly failures: readonly { readonly url: string; readonly reason: string }[];
}

/**
 * Fetches a piece into a file, verified; the file appears when it is whole. Without URLs, it asks the providers that
 * have deals on the piece.
 *
 * @throws HoldfastError `INVALID_PIECE_CID`, `PIECE_UNAVAILABLE`, `FILE_UNWRITABLE`, and what `withChain` throws
 */
export async function fetchPiece(pieceCid: string, flags: FetchFlags): Promise<FetchReport> {
  const commitment = decodePieceCid(pieceCid); // A CID that is none is known before anything is asked.
  const urls = flags.url ?? (await withChain(flags, (chain) => holders(chain, commitment)));
  const file = resolve(flags.output ?? pieceCid);
  const { url, failures } = await retrieve(pieceCid, urls, () => fileSink(file));
  const reasons = failures.map((failure) => ({ url: failure.url, reason: failure.error.message }));
  for (const { reason } of reasons) tell(reason);
  return { pieceCid, file, bytes: (await stat(file)).size, url, failures: reasons };
}

/** `holdfast fetch PIECECID [-o FILE] [--url URL …]`. */
export function fetchCommand(): Command {
  return chainCommand("fetch")
    .description("fetch a piece from a provider that has it, and verify every byte of it")
    .argument("<piececid>", "PieceCIDv2 of the piece")
    .option("-o, --output <file>", "where to write it; a file named by the CID by default")
    .option("--url <url...>", "nodes to ask, in this order; those with deals on the piece by default")
    .action(async (pieceCid: string, flags: FetchFlags) => {
      printResult(flags, await fetchPiece(pieceCid, flags), ({ file, bytes, url }) => [
        `${file}  ${bytes} bytes from ${url}, verified`,
      ]);
    });
}
