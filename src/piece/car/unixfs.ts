import { decode, type PBLink, type PBNode } from "@ipld/dag-pb";
import { UnixFS } from "ipfs-unixfs";
import type { CID } from "multiformats/cid";
import { malformedFolder, unsupported } from "./faults.js";

const RAW = 0x55;
const DAG_PB = 0x70;
const MAX_FANOUT = 1024;

/** A part of a file: a file of its own. */
export interface Part {
  readonly cid: CID;
  /** Bytes of content in it, at least one. */
  readonly size: bigint;
}

export interface FileNode {
  readonly type: "file";
  readonly cid: CID;
  /** Bytes of content. */
  readonly size: bigint;
  /** What the block itself holds of it, in front of the parts. */
  readonly data: Uint8Array;
  readonly parts: readonly Part[];
}

export interface FolderNode {
  readonly type: "folder";
  readonly cid: CID;
  readonly links: readonly PBLink[];
  /** Hexadecimal digits in front of each name, in a folder that is spread over shards. */
  readonly prefix: number;
  /** Links that a shard has room for, a power of two; 0 in a folder that is not spread. */
  readonly fanout: number;
}

/** Kept apart, and never followed. */
export interface LinkNode {
  readonly type: "symlink";
  readonly cid: CID;
}

export type Node = FileNode | FolderNode | LinkNode;

/**
 * What a block means in UnixFS.
 *
 * @param bytes - that hash to `cid`
 * @throws HoldfastError `FOLDER_MALFORMED`, `CAR_UNSUPPORTED`
 */
export function decodeNode(cid: CID, bytes: Uint8Array): Node {
  if (cid.code === RAW) return { type: "file", cid, size: BigInt(bytes.length), data: bytes, parts: [] };
  if (cid.code !== DAG_PB) throw unsupported(`the codec 0x${cid.code.toString(16)} of ${cid}`);
  const { links, meta } = decodeBlock(cid, bytes);
  switch (meta.type) {
    case "file":
    case "raw":
      return fileNode(cid, links, meta);
    case "directory":
      return { type: "folder", cid, links, prefix: 0, fanout: 0 };
    case "hamt-sharded-directory":
      return { type: "folder", cid, links, ...shardOf(cid, meta.fanout) };
    case "symlink":
      return { type: "symlink", cid };
    default:
      throw unsupported(`a node of type ${meta.type} (${cid})`);
  }
}

function decodeBlock(cid: CID, bytes: Uint8Array): { links: readonly PBLink[]; meta: UnixFS } {
  try {
    const { Data, Links }: PBNode = decode(bytes);
    if (!Data) throw new Error("it has no data");
    return { links: Links, meta: UnixFS.unmarshal(Data) };
  } catch (cause) {
    throw malformedFolder(`the block ${cid} is not UnixFS`, cause);
  }
}

function fileNode(cid: CID, links: readonly PBLink[], { data = new Uint8Array(), blockSizes }: UnixFS): FileNode {
  if (links.length !== blockSizes.length) {
    throw malformedFolder(`the file ${cid} has ${links.length} parts and ${blockSizes.length} sizes`);
  }
  const parts = links.map(({ Hash }, i) => ({ cid: Hash, size: blockSizes[i] as bigint }));
  // Parts without bytes could be repeated for ever, and read without end.
  if (parts.some(({ size }) => size <= 0n)) throw malformedFolder(`the file ${cid} has a part of no bytes`);
  const size = parts.reduce((sum, part) => sum + part.size, BigInt(data.length));
  return { type: "file", cid, size, data, parts };
}

function shardOf(cid: CID, fanout = 0n): Pick<FolderNode, "prefix" | "fanout"> {
  if (fanout < 2n || fanout > MAX_FANOUT || (fanout & (fanout - 1n)) !== 0n) {
    throw malformedFolder(`the shard ${cid} has a fanout of ${fanout}`);
  }
  return { prefix: (fanout - 1n).toString(16).length, fanout: Number(fanout) };
}
