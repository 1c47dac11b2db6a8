/**
 * Getting a piece into the store from sources that nobody vouches for.
 *
 * @packageDocumentation
 */
import { HoldfastError } from "../../errors.js";
import { sameBytes } from "../../piece/bytes.js";
import {
  type Commitment,
  decodePieceCid,
  encodePieceCid,
  encodePieceCidV1,
  MAX_PAYLOAD_SIZE,
} from "../../piece/index.js";
import type { PieceStore, PieceTree } from "../../store/index.js";
import { DiskRoom } from "../disk-room.js";
import { download, type FetchOptions, type SizeBounds } from "./download.js";

export interface FetchedPiece {
  readonly pieceCid: string;
  readonly payloadSize: bigint;
  /** The source that served it; undefined where the store had it already. */
  readonly source: string | undefined;
}

export interface FetchPieceOptions extends FetchOptions {
  /** Has `bring` put the piece into the store, once its name is known: whoever notes it does so before it is there. */
  readonly storing?: (pieceCid: string, bring: () => Promise<void>) => Promise<void>;
}

/** Where nobody says which disk it is, none is looked at. */
const NO_DISK = new DiskRoom({ freeBytes: async () => Number.POSITIVE_INFINITY, minFreeBytes: 0 });

/** The scheme of a `dataUri` that names a provider by its base URL: `piece:https://provider.example`. */
const PIECE_SCHEME = "piece:";

/** Sizes of payloads under so many leaves: a leaf holds 254 bits, so ⌈4n / 127⌉ = leafCount for 31 or 32 sizes n. */
export function payloadBounds(leafCount: bigint): { least: bigint; most: bigint } {
  const most = (leafCount * 127n) / 4n;
  return { least: ((leafCount - 1n) * 127n) / 4n + 1n, most: most < MAX_PAYLOAD_SIZE ? most : MAX_PAYLOAD_SIZE };
}

/**
 * Where a piece can be fetched: a `dataUri` as the client wrote it, then providers by their base URLs.
 *
 * @example
 * sourcesOf(piece, request.dataUri, ["https://survivor.example"]);
 */
export function sourcesOf(piece: PieceTree, dataUri: string, providers: readonly string[]): string[] {
  const cid = namedIn(dataUri, piece)?.pieceCid;
  const at = (base: string) => `${base.replace(/\/+$/, "")}/piece/${cid ?? treeName(piece)}`;
  const own = dataUri.startsWith(PIECE_SCHEME) ? at(dataUri.slice(PIECE_SCHEME.length)) : dataUri;
  return [...new Set([...(dataUri === "" ? [] : [own]), ...providers.map(at)])];
}

/**
 * Fetches a piece from the first of `sources` that serves it, commits to the bytes while they arrive and keeps them only
 * where they are the piece. Whatever fails leaves nothing behind.
 *
 * @param sources - URLs, as {@link sourcesOf} gives them
 * @throws HoldfastError `PIECE_UNAVAILABLE` where no source served it; `DISK_FULL`, `TOO_MANY_UPLOADS`
 * @throws the reason of `options.signal`
 */
export async function fetchPiece(
  store: PieceStore,
  piece: PieceTree,
  sources: readonly string[],
  options: FetchPieceOptions = {},
): Promise<FetchedPiece> {
  const here = await store.findTree(piece.root, piece.leafCount);
  if (here) return { ...named(here), source: undefined };
  const failures: HoldfastError[] = [];
  for (const source of sources) {
    try {
      return { ...named(await receive(store, piece, source, options)), source };
    } catch (error) {
      options.signal?.throwIfAborted();
      if (!(error instanceof HoldfastError) || !isSourcesFault(error)) throw error;
      failures.push(error);
    }
  }
  const reasons = failures.map(({ message }) => message).join("; ") || "none is named";
  const message = `no source served the piece: ${reasons}`;
  throw new HoldfastError("PIECE_UNAVAILABLE", message, "name other sources", { cause: failures.at(-1) });
}

async function receive(
  store: PieceStore,
  piece: PieceTree,
  source: string,
  { storing = (_, bring) => bring(), ...options }: FetchPieceOptions,
): Promise<Commitment> {
  const bounds = boundsOf(piece, source);
  const { room = NO_DISK } = options;
  const { id, commitment } = await room.during(bounds.most, async (meter) => {
    const begun = await store.beginUpload();
    const body = meter(download(source, bounds, options));
    return { id: begun, commitment: await store.writeUpload(begun, body, bounds.most) };
  });
  if (commitment.leafCount !== piece.leafCount || !sameBytes(commitment.root, piece.root)) {
    await store.discardUpload(id);
    const actual = encodePieceCid(commitment);
    throw new HoldfastError("PIECE_MISMATCH", `the source serves another piece, ${actual}`, "name another source");
  }
  try {
    const pieceCid = encodePieceCid(commitment).toString();
    await storing(pieceCid, () => store.finishUpload(id, pieceCid));
  } finally {
    // It is kept for whoever would name it again, and here nobody would.
    await store.discardUpload(id);
  }
  return commitment;
}

/** A URL that names the piece says its exact size as well. */
function boundsOf(piece: PieceTree, source: string): SizeBounds {
  const size = namedIn(source, piece)?.payloadSize;
  const { least, most } = payloadBounds(piece.leafCount);
  return { least: Number(size ?? least), most: Number(size ?? most) };
}

/**
 * The CID of the piece in the last step of a URL's path. Payloads that differ in zeros at their end alone have one root;
 * a client finds its file again by its own CID only, so that is the one to fetch.
 */
function namedIn(url: string, piece: PieceTree): ReturnType<typeof named> | undefined {
  const name = URL.parse(url)?.pathname.split("/").at(-1) ?? "";
  try {
    const commitment = decodePieceCid(name);
    const same = commitment.leafCount === piece.leafCount && sameBytes(commitment.root, piece.root);
    return same ? named(commitment) : undefined;
  } catch {
    return undefined; // A path may end in anything.
  }
}

function named(commitment: Commitment): { pieceCid: string; payloadSize: bigint } {
  return { pieceCid: encodePieceCid(commitment).toString(), payloadSize: commitment.payloadSize };
}

/** What a node answers to where only root and leafCount are known. */
function treeName({ root, leafCount }: PieceTree): string {
  return `${encodePieceCidV1(root)}?leafCount=${leafCount}`;
}

/** A disk that is full stays so with the next source. */
function isSourcesFault({ code }: HoldfastError): boolean {
  return code.startsWith("SOURCE_") || code === "PIECE_MISMATCH";
}
