import { encode, prepare } from "@ipld/dag-pb";
import { UnixFS } from "ipfs-unixfs";
import { DirSharded, dataFieldSerializedSize, linkSerializedSize } from "ipfs-unixfs-importer/utils";
import { CID } from "multiformats/cid";
import { sha256 } from "multiformats/hashes/sha2";
import type { CarWriter } from "./writer.js";

/** A block or a tree of blocks, and the bytes of all of them (dag-pb's Tsize). */
export interface Written {
  readonly cid: CID;
  readonly size: bigint;
}

const DAG_PB = 0x70;

/** A folder whose one block would be larger is spread over a HAMT, by the profile unixfs-v1-2025. */
const SHARD_OVER_BYTES = 256 << 10;

/** Bits of a name's hash that choose a link: 256 links a shard. */
const FANOUT_BITS = 8;

const encoder = new TextEncoder();

/**
 * Writes the blocks of a folder whose children are written.
 *
 * The importer's own tree builder is not used: it counts a subfolder as nothing when it decides whether a folder is to be
 * sharded, and takes a backslash before a slash for an escape.
 *
 * @param children - by name, in the order of {@link compareNames}
 */
export async function writeDirectory(writer: CarWriter, children: readonly [string, Written][]): Promise<Written> {
  let blockSize = dataFieldSerializedSize();
  for (const [name, { cid, size }] of children) {
    blockSize += linkSerializedSize(encoder.encode(name).length, cid.byteLength, Number(size));
  }
  return blockSize > SHARD_OVER_BYTES ? writeShards(writer, children) : writeFlat(writer, children);
}

async function writeFlat(writer: CarWriter, children: readonly [string, Written][]): Promise<Written> {
  const Links = children.map(([Name, { cid, size }]) => ({ Name, Hash: cid, Tsize: Number(size) }));
  const bytes = encode(prepare({ Data: new UnixFS({ type: "directory" }).marshal(), Links }));
  const cid = await writer.put(CID.createV1(DAG_PB, await sha256.digest(bytes)), bytes);
  return { cid, size: children.reduce((sum, [, { size }]) => sum + size, BigInt(bytes.length)) };
}

async function writeShards(writer: CarWriter, children: readonly [string, Written][]): Promise<Written> {
  const props = { root: false, dir: true, path: "", dirty: true, flat: false };
  const directory = new DirSharded(props, { cidVersion: 1, shardFanoutBits: FANOUT_BITS });
  for (const [name, { cid, size }] of children) await directory.put(name, { cid, size });
  let root: Written | undefined;
  for await (const shard of directory.flush({ put: (cid, bytes) => writer.put(cid, bytes as Uint8Array) }))
    root = shard;
  return root as Written;
}
