/** Folders in memory, and CARs as whoever means harm would make them. */
import { encode, type PBLink, prepare } from "@ipld/dag-pb";
import { UnixFS, type UnixFSOptions } from "ipfs-unixfs";
import { varint } from "multiformats";
import { CID } from "multiformats/cid";
import * as raw from "multiformats/codecs/raw";
import { sha256 } from "multiformats/hashes/sha2";
import { FolderArchive, type FolderEntry, MAX_BLOCK_BYTES } from "../../../src/piece/car/index.js";
import { carHeader } from "../../../src/piece/car/writer.js";

export const DAG_PB = 0x70;

/** A folder: contents by path; undefined for an empty folder. */
export type Tree = Readonly<Record<string, Uint8Array | undefined>>;

export interface Block {
  readonly cid: CID;
  readonly bytes: Uint8Array;
}

export const text = (words: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(words);

export function entriesOf(tree: Tree): FolderEntry[] {
  return Object.entries(tree).map(([path, content]) => (content ? { path, content: () => content } : { path }));
}

/** All files, and all folders that are empty: what {@link entriesOf} was given, unless it named a full folder. */
export async function treeOf(archive: FolderArchive): Promise<Record<string, Uint8Array | undefined>> {
  // Without a prototype: a file may be called __proto__.
  const tree: Record<string, Uint8Array | undefined> = Object.create(null);
  for await (const { path, node } of archive.walk(1_000_000)) {
    const parent = path.slice(0, Math.max(0, path.lastIndexOf("/")));
    if (tree[parent] === undefined) delete tree[parent];
    tree[path] = node.type === "file" ? await joined(archive.content(node)) : undefined;
  }
  return tree;
}

export async function joined(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return new Uint8Array(Buffer.concat(parts));
}

export async function bytesOf(blob: Blob): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await blob.arrayBuffer());
}

export async function rawBlock(bytes: Uint8Array): Promise<Block> {
  return { cid: CID.createV1(raw.code, await sha256.digest(bytes)), bytes };
}

/** A node with any links and any UnixFS data, sensible or not. */
export async function pbBlock(Links: PBLink[], meta: UnixFSOptions | Uint8Array): Promise<Block> {
  const Data = meta instanceof Uint8Array ? meta : new UnixFS(meta).marshal();
  const bytes = encode(prepare({ Data, Links }));
  return { cid: CID.createV1(DAG_PB, await sha256.digest(bytes)), bytes };
}

export const link = (Name: string, { cid }: Block, Tsize = 1): PBLink => ({ Name, Hash: cid, Tsize });

export const folderBlock = (...links: PBLink[]): Promise<Block> => pbBlock(links, { type: "directory" });

export function section({ cid, bytes }: Block): Uint8Array {
  const length = cid.bytes.length + bytes.length;
  return new Uint8Array(
    Buffer.concat([varint.encodeTo(length, new Uint8Array(varint.encodingLength(length))), cid.bytes, bytes]),
  );
}

export function carOf(root: Block | CID, ...blocks: readonly Block[]): Blob {
  const parts = [carHeader(root instanceof CID ? root : root.cid), ...blocks.map(section)];
  return new Blob(parts as Uint8Array<ArrayBuffer>[]);
}

/** An archive of a root and of blocks under it. */
export function archiveOf(root: Block, ...blocks: readonly Block[]): Promise<FolderArchive> {
  return FolderArchive.open(carOf(root, root, ...blocks));
}

/** More than any block may have. */
export const TOO_LARGE = MAX_BLOCK_BYTES + 1;
