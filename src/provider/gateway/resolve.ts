import { CID } from "multiformats/cid";
import { HoldfastError } from "../../errors.js";
import { decodeNode, findInShard } from "../../piece/car/index.js";
import { invalid } from "../app.js";
import type { HeldBlocks } from "./held-blocks.js";

/** Where a path has led. */
export interface Resolved {
  /** The blocks on the way, from the root on, without the last. */
  readonly path: readonly CID[];
  readonly cid: CID;
  /** The block at the end. */
  readonly bytes: Uint8Array;
}

/** Bytes of blocks that are read to follow a path: hundreds of folders as they are usually packed. */
const MAX_PATH_BYTES = 64 << 20;

/**
 * Follows names from a root through folders of UnixFS, a block at a time: of a folder that is spread over shards, only those
 * that the name's hash leads to. Links are not followed.
 *
 * @throws HoldfastError `UNKNOWN_BLOCK` where one on the way is not here, `PATH_NOT_FOUND`, `DAG_TOO_LARGE`,
 *   `FOLDER_MALFORMED`, `CAR_UNSUPPORTED`
 */
export async function resolvePath(
  blocks: Pick<HeldBlocks, "get">,
  root: CID,
  names: readonly string[],
): Promise<Resolved> {
  const path: CID[] = [];
  let left = MAX_PATH_BYTES;
  const read = async (cid: CID) => {
    const bytes = await blocks.get(cid);
    if (!bytes) throw new HoldfastError("UNKNOWN_BLOCK", `the block ${cid} is not here`, "ask another provider");
    left -= bytes.length;
    if (left < 0) throw new HoldfastError("DAG_TOO_LARGE", "the path leads through too large folders", "shorten it");
    return bytes;
  };
  let [cid, bytes] = [root, await read(root)];
  for (const name of names) {
    for (let level = 0, found = false; !found; level++) {
      const node = decodeNode(cid, bytes);
      // A shard of another kind on the way down can't be one of this folder.
      if (node.type !== "folder" || (level > 0 && node.fanout === 0)) throw notFound(name);
      const step = findInShard(node, name, level);
      if (!step) throw notFound(name);
      path.push(cid);
      found = step.found;
      // A copy: a CID as decoded keeps the whole block that it lies in.
      cid = CID.decode(step.cid.bytes.slice());
      bytes = await read(cid);
    }
  }
  return { path, cid, bytes };
}

/** Bytes `start` up to and without `end`. */
export interface Span {
  readonly start: bigint;
  readonly end: bigint;
}

/**
 * What `entity-bytes` means in an entity of `size` bytes; undefined where that is nothing.
 *
 * @throws HoldfastError `INVALID_REQUEST` where it lies outside altogether
 */
export function spanOf({ from, to = -1n }: { from: bigint; to: bigint | undefined }, size: bigint): Span | undefined {
  const first = from < 0n ? size + from : from;
  const last = to < 0n ? size + to : to;
  if (size > 0n && (first >= size || last < 0n)) throw invalid(`entity-bytes lies outside of ${size} bytes`);
  const span = { start: first < 0n ? 0n : first, end: last < size ? last + 1n : size };
  return span.start < span.end ? span : undefined;
}

function notFound(name: string): HoldfastError {
  return new HoldfastError("PATH_NOT_FOUND", `${JSON.stringify(name)} is not in the folder`, "list the folder");
}
