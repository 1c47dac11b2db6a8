import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { fileSink } from "../client/blob-node.js";
import { holders, type Retrieval, retrieve } from "../client/index.js";
import { HoldfastError } from "../errors.js";
import { splitPath } from "../piece/car/index.js";
import { decodePieceCid } from "../piece/index.js";
import { type ChainFlags, chainCommand, printResult, tell, withChain } from "./context.js";
import { fetchFile, fetchFolder, type ListedItem, listFolder } from "./folders.js";
import { printable } from "./printable.js";
import { fetchedLines, fetchReplicas, type KeyringFlags, type UniqueFetchReport, withKeyring } from "./replicas.js";

interface FetchFlags extends ChainFlags, KeyringFlags {
  readonly output?: string;
  readonly url?: string[];
  readonly unpack?: boolean;
  readonly list?: boolean;
}

/** What every `holdfast fetch --json` prints. */
export interface FetchedReport {
  readonly pieceCid: string;
  /** The node that served it. */
  readonly url: string;
  /** Nodes that were asked before, and what was wrong with them. */
  readonly failures: readonly { readonly url: string; readonly reason: string }[];
}

/** What `holdfast fetch --json` prints of a piece, or of a file in a folder. */
export interface FetchReport extends FetchedReport {
  /** Absolute path. */
  readonly file: string;
  readonly bytes: number;
}

/** What `holdfast fetch --unpack --json` prints. */
export interface UnpackReport extends FetchedReport {
  /** Absolute path. */
  readonly folder: string;
  readonly files: number;
  readonly folders: number;
  readonly bytes: bigint;
}

/** What `holdfast fetch --list --json` prints. */
export interface ListReport extends FetchedReport {
  readonly items: readonly ListedItem[];
}

/** A piece and, in a folder, what of it. */
interface Target {
  readonly pieceCid: string;
  /** Empty for all of it. */
  readonly path: string;
}

/**
 * Fetches a piece into a file, verified; the file appears when it is whole.
 *
 * @throws HoldfastError `INVALID_PIECE_CID`, `PIECE_UNAVAILABLE`, `FILE_UNWRITABLE`
 */
export async function fetchPiece(
  pieceCid: string,
  urls: readonly string[],
  output = pieceCid,
): Promise<Retrieval<{ file: string; bytes: number }>> {
  const file = resolve(output);
  const fetched = await retrieve(pieceCid, urls, () => fileSink(file));
  return { ...fetched, value: { file, bytes: (await stat(file)).size } };
}

/** What is wanted, as far as it can be checked before anybody is asked. @throws HoldfastError `INVALID_PIECE_CID`, `INVALID_PATH` */
function parseTarget(text: string): Target {
  const at = text.indexOf("/");
  const target = at < 0 ? { pieceCid: text, path: "" } : { pieceCid: text.slice(0, at), path: text.slice(at + 1) };
  decodePieceCid(target.pieceCid);
  splitPath(target.path);
  return target;
}

/** Whether a text that names no piece is the path of a file: a manifest of unique replicas, then. */
function isManifest(text: string): boolean {
  try {
    decodePieceCid(text.split("/", 1)[0] as string);
    return false;
  } catch {
    return existsSync(text);
  }
}

async function fetchManifest(path: string, flags: FetchFlags): Promise<void> {
  if (flags.list || flags.unpack || flags.url) {
    const hint = "leave out --list, --unpack and --url";
    throw new HoldfastError("INVALID_OPTION", "a manifest names one file, and who has it", hint);
  }
  printResult<UniqueFetchReport>(flags, await fetchReplicas(path, flags), fetchedLines);
}

function reportOf<T extends object>({ pieceCid }: Target, { value, url, failures }: Retrieval<T>): T & FetchedReport {
  const reasons = failures.map((failure) => ({ url: failure.url, reason: failure.error.message }));
  for (const { reason } of reasons) tell(reason);
  return { pieceCid, ...value, url, failures: reasons };
}

async function fetchTarget(target: Target, flags: FetchFlags): Promise<void> {
  const { pieceCid, path } = target;
  // Without URLs, those are asked that have deals on the piece.
  const urls = flags.url ?? (await withChain(flags, (chain) => holders(chain, decodePieceCid(pieceCid))));
  if (flags.list) {
    const { value: items, ...rest } = await listFolder(pieceCid, path, urls);
    printResult<ListReport>(flags, reportOf(target, { value: { items }, ...rest }), listLines);
  } else if (flags.unpack) {
    const fetched = await fetchFolder(pieceCid, path, urls, flags.output ?? pieceCid);
    printResult<UnpackReport>(flags, reportOf(target, fetched), ({ folder, files, bytes, url }) => [
      `${folder}  ${files} files, ${bytes} bytes from ${url}, verified`,
    ]);
  } else {
    const fetched = path
      ? await fetchFile(pieceCid, path, urls, flags.output)
      : await fetchPiece(pieceCid, urls, flags.output);
    printResult<FetchReport>(flags, reportOf(target, fetched), ({ file, bytes, url }) => [
      `${file}  ${bytes} bytes from ${url}, verified`,
    ]);
  }
}

function listLines({ items }: ListReport): string[] {
  const width = Math.max(0, ...items.slice(0, 1_000).map(({ bytes }) => String(bytes).length));
  return items.map(
    ({ path, type, bytes }) => `${String(bytes).padStart(width)}  ${printable(path)}${type === "folder" ? "/" : ""}`,
  );
}

/** `holdfast fetch MANIFEST | PIECECID[/PATH] [-o FILE] [--unpack | --list] [--url URL …]`. */
export function fetchCommand(): Command {
  return withKeyring(chainCommand("fetch"))
    .description("fetch a piece, or a file out of a folder, from a provider that has it, and verify every byte of it")
    .argument("<piececid[/path]>", "PieceCIDv2 of the piece; for a folder also the path of a file in it; or a manifest")
    .option("-o, --output <file>", "where to write it; here, named by the CID or as the file in the folder, by default")
    .option("--unpack", "unpack the folder that it is; the output is a new folder then")
    .addOption(new Option("--list", "write nothing, and list what is in the folder").conflicts(["unpack", "output"]))
    .option("--url <url...>", "nodes to ask, in this order; those with deals on the piece by default")
    .action((text: string, flags: FetchFlags) =>
      isManifest(text) ? fetchManifest(text, flags) : fetchTarget(parseTarget(text), flags),
    );
}
