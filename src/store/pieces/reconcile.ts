/** Brings an index in line with the blobs that are there. */
import type { Logger } from "pino";
import { decodePieceCid } from "../../piece/index.js";
import type { BlobStore } from "../blobs/index.js";
import type { Lease } from "./leases.js";
import {
  BLOCKS,
  BLOCKS_SUFFIX,
  blocksBlob,
  isName,
  LAYER_SUFFIX,
  layerBlob,
  leaseName,
  PAYLOAD_SUFFIX,
  PIECES,
  payloadBlob,
} from "./names.js";
import type { PieceIndex } from "./types.js";

interface Listed {
  /** Whole payloads, by the piece's name. */
  readonly whole: Set<string>;
  /** Names that other blobs go by. */
  readonly others: Set<string>;
}

/**
 * Notes pieces whose blobs are there and that the index doesn't know: an earlier version of the node, a lost database, or a
 * process that died between the two. Deletes layers and indexes of blocks that belong to no piece. Pieces whose blobs are missing
 * are told of and stay in the index: a disk that is not mounted and the wrong bucket look like that as well, and whoever asks for a
 * piece has its blob looked at.
 *
 * @returns names that another process is busy with: nothing was done about them
 */
export async function reconcile(blobs: BlobStore, index: PieceIndex, logger: Logger | undefined): Promise<string[]> {
  // In this order: whatever comes in between is in the index and not in the list, and is looked at again.
  const { whole, others } = await listed(blobs);
  const known = new Set((await index.list()).map(({ pieceCid }) => pieceCid));
  const busy: string[] = [];
  const counts = { found: 0, missing: 0 };
  const strange = (name: string) => whole.has(name) !== known.has(name) || (others.has(name) && !whole.has(name));
  for (const name of new Set([...whole, ...known, ...others])) {
    if (!strange(name)) continue;
    const lease = await index.lease(leaseName(name));
    const mended = lease ? await mend(blobs, index, name, lease).finally(() => lease.release()) : "busy";
    if (mended === "busy") busy.push(name);
    else if (mended !== undefined) counts[mended]++;
  }
  if (counts.found > 0)
    logger?.info({ pieces: counts.found, blobs: blobs.where }, "pieces were found that were not known");
  if (counts.missing > 0) {
    const hint = "if the disk is mounted and the bucket is the right one, they are lost";
    logger?.error({ pieces: counts.missing, blobs: blobs.where, hint }, "pieces are missing");
  }
  return busy;
}

async function listed(blobs: BlobStore): Promise<Listed> {
  const [whole, others] = [new Set<string>(), new Set<string>()];
  for await (const { name, size } of blobs.list(PIECES)) {
    const file = name.slice(PIECES.length + 1);
    const suffix = [PAYLOAD_SUFFIX, LAYER_SUFFIX].find((one) => file.endsWith(one)) ?? "";
    const piece = file.slice(0, file.length - suffix.length);
    if (suffix === "" || !isName(piece)) continue;
    const isWhole = suffix === PAYLOAD_SUFFIX && BigInt(size) === decodePieceCid(piece).payloadSize;
    (isWhole ? whole : others).add(piece);
  }
  for await (const { name } of blobs.list(BLOCKS)) {
    const piece = name.slice(BLOCKS.length + 1, -BLOCKS_SUFFIX.length);
    if (name.endsWith(BLOCKS_SUFFIX) && isName(piece)) others.add(piece);
  }
  return { whole, others };
}

/**
 * Looks at a piece while nobody else moves it, and does what is to be done.
 *
 * @returns what was wrong with it, where anything was
 */
export async function mend(
  blobs: BlobStore,
  index: PieceIndex,
  name: string,
  lease: Lease,
): Promise<"found" | "missing" | undefined> {
  const [size, known] = await Promise.all([blobs.size(payloadBlob(name)), index.get(name)]);
  if (size !== undefined && BigInt(size) === decodePieceCid(name).payloadSize) {
    if (known) return undefined;
    await index.put({ pieceCid: name, layer: undefined }, lease);
    return "found";
  }
  if (known) return "missing";
  if (size !== undefined) return undefined;
  for (const blob of [layerBlob(name), blocksBlob(name)]) {
    lease.check();
    await blobs.delete(blob, lease.signal);
  }
  return undefined;
}
