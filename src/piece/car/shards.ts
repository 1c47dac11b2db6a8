import type { CID } from "multiformats/cid";
import { malformedFolder } from "./faults.js";
import { murmur3 } from "./murmur3.js";
import type { FolderNode } from "./unixfs.js";

/** Bits of a name's hash. */
const HASH_BITS = 64;

const encoder = new TextEncoder();

/** Where a name lies: the thing itself, or the shard to look into next. */
export interface ShardStep {
  readonly cid: CID;
  readonly found: boolean;
}

/**
 * Looks a name up in one block of a folder. A large folder is a HAMT: the next bits of the name's hash say which link to
 * follow, whose name is the thing's behind its number, or the bare number of a shard below.
 *
 * @param level - how many shards of this folder were looked into before
 * @returns undefined where the folder has no such name
 * @throws HoldfastError `FOLDER_MALFORMED` for shards that lie deeper than the hash is long
 */
export function findInShard(
  { cid, links, prefix, fanout }: FolderNode,
  name: string,
  level: number,
): ShardStep | undefined {
  if (fanout === 0) {
    const link = links.find(({ Name }) => Name === name);
    return link && { cid: link.Hash, found: true };
  }
  const bits = Math.log2(fanout);
  const rest = HASH_BITS - bits * (level + 1);
  if (rest < 0) throw malformedFolder(`the shard ${cid} lies too deep`);
  const place = (murmur3(encoder.encode(name)) >> BigInt(rest)) & BigInt(fanout - 1);
  const label = place.toString(16).toUpperCase().padStart(prefix, "0");
  for (const { Hash, Name } of links) {
    if (Name === label + name) return { cid: Hash, found: true };
    if (Name === label) return { cid: Hash, found: false };
  }
  return undefined;
}
