import type { CID } from "multiformats/cid";
import { HoldfastError } from "../../errors.js";
import { blockLinks, decodeNode, type Node } from "../../piece/car/index.js";
import type { EntityBytes, Scope } from "./request.js";
import { type Resolved, type Span, spanOf } from "./resolve.js";

/** A block to go to. */
export interface Link {
  readonly cid: CID;
  /** First byte of it in the file that is read. */
  readonly at: bigint;
  /** Whether all below it is wanted. */
  readonly whole: boolean;
}

/** Which blocks a block leads to, of those that are wanted. `at` is its own place. @throws HoldfastError */
export type Follow = (cid: CID, bytes: Uint8Array, at: bigint) => Iterable<Link>;

/** What to send: where it begins, and what is wanted below. */
export interface Plan {
  readonly first: Link;
  readonly follow: Follow;
}

/**
 * What belongs to a scope: of `block` the block alone, of `all` everything below; of `entity` a file's blocks, or those of
 * them that hold the bytes asked for, a folder's own blocks without what is in it, and of what is not UnixFS the block alone.
 *
 * @throws HoldfastError `INVALID_REQUEST` for bytes outside of the file; `CAR_UNSUPPORTED` where `all` is asked of a codec whose
 *   links can't be read
 */
export function planFor({ cid, bytes }: Resolved, scope: Scope, wanted: EntityBytes | undefined): Plan {
  const first = { cid, at: 0n, whole: true };
  const alone: Plan = { first, follow: () => [] };
  if (scope === "block") return alone;
  if (scope === "all") {
    // Asked here, so that it is an answer and not a stream that breaks off.
    blockLinks(cid, bytes);
    return { first, follow: everything };
  }
  const node = nodeOf(cid, bytes);
  if (node?.type === "folder") return node.fanout === 0 ? alone : { first, follow: shardsBelow(node.prefix) };
  if (node?.type !== "file") return alone;
  if (!wanted) return { first, follow: everything };
  const span = spanOf(wanted, node.size);
  if (!span) return alone;
  const whole = span.start === 0n && span.end === node.size;
  return { first: { ...first, whole }, follow: partsIn(span) };
}

function* everything(cid: CID, bytes: Uint8Array): Iterable<Link> {
  for (const link of blockLinks(cid, bytes)) yield { cid: link, at: 0n, whole: true };
}

/** Shards have nothing but their number for a name. */
function shardsBelow(prefix: number): Follow {
  return function* (cid, bytes) {
    const node = decodeNode(cid, bytes);
    if (node.type !== "folder" || node.prefix !== prefix) throw noPart(cid, "shard of the folder");
    for (const { Hash, Name = "" } of node.links) {
      if (Name.length === prefix) yield { cid: Hash, at: 0n, whole: true };
    }
  };
}

function partsIn({ start, end }: Span): Follow {
  return function* (cid, bytes, at) {
    const node = decodeNode(cid, bytes);
    if (node.type !== "file") throw noPart(cid, "part of the file");
    let next = at + BigInt(node.data.length);
    for (const { cid: part, size } of node.parts) {
      const from = next;
      next += size;
      if (from >= end) return;
      if (next > start) yield { cid: part, at: from, whole: from >= start && next <= end };
    }
  };
}

/** Undefined for what is not UnixFS. */
function nodeOf(cid: CID, bytes: Uint8Array): Node | undefined {
  try {
    return decodeNode(cid, bytes);
  } catch (error) {
    if (error instanceof HoldfastError) return undefined;
    throw error;
  }
}

function noPart(cid: CID, what: string): HoldfastError {
  return new HoldfastError(
    "FOLDER_MALFORMED",
    `${cid} is no ${what}`,
    "whoever packed it made a mistake, or means harm",
  );
}
