import type { CID } from "multiformats/cid";
import { HoldfastError } from "../../errors.js";
import { CarBlocks, type CarSource } from "./blocks.js";
import { malformedFolder } from "./faults.js";
import { blockLinks } from "./links.js";
import { faultOfName, MAX_FOLDER_DEPTH, splitPath } from "./paths.js";
import { decodeNode, type FileNode, type FolderNode, type Node } from "./unixfs.js";

/** One thing in a folder. */
export interface FolderItem {
  readonly name: string;
  readonly cid: CID;
  /** Bytes of all blocks below, as whoever packed it says. Nothing depends on it. */
  readonly blockBytes: bigint;
}

/** What {@link FolderArchive.walk} comes by. */
export interface WalkedItem {
  readonly path: string;
  readonly node: Node;
}

/** How many things a walk may still come by. */
interface Budget {
  left: number;
  readonly maxItems: number;
}

/** 1024 parts a level, so this holds far more than a piece can. */
const MAX_FILE_DEPTH = 16;

/** A hash of 64 bits, and at least one bit of it a level. */
const MAX_SHARD_DEPTH = 64;

const COPY_BYTES = 1 << 20;

/**
 * Reads a folder out of a CAR. Nothing in it is believed: each block is hashed before it is looked at, and a path is followed
 * from the root, so that whoever trusts the root gets what was packed or an error. Where the root is trusted because the
 * piece was verified, so is all of it.
 *
 * Memory holds one block at a time, and the index: some 200 bytes a block.
 *
 * @example
 * const archive = await FolderArchive.open(car);
 * for await (const chunk of archive.content(await archive.file("docs/a.txt"))) write(chunk);
 */
export class FolderArchive {
  readonly #blocks: CarBlocks;

  private constructor(blocks: CarBlocks) {
    this.#blocks = blocks;
  }

  /**
   * @param source - a Blob, or anything whose bytes can be read at an offset
   * @throws HoldfastError `CAR_MALFORMED`; what reading it throws
   */
  static async open(source: CarSource | Blob): Promise<FolderArchive> {
    return new FolderArchive(await CarBlocks.open(source instanceof Blob ? blobSource(source) : source));
  }

  /** The CID of the folder, as the header names it. */
  get root(): CID {
    return this.#blocks.root;
  }

  /** Bytes of the CAR. */
  get size(): number {
    return this.#blocks.size;
  }

  /** CIDs of all blocks, as strings, in their order. */
  get cids(): Iterable<string> {
    return this.#blocks.cids;
  }

  /** All bytes after the header, in chunks. @throws HoldfastError `CAR_MALFORMED` where the source ends early */
  async *body(): AsyncGenerator<Uint8Array> {
    const { bodyAt, size } = this.#blocks;
    for (let at = bodyAt; at < size; at += COPY_BYTES) yield this.#blocks.read(at, Math.min(COPY_BYTES, size - at));
  }

  /**
   * What lies at a path; the empty one is the root.
   *
   * @throws HoldfastError `INVALID_PATH`, `PATH_NOT_FOUND`, and as {@link node} and {@link list}
   */
  async stat(path: string): Promise<Node> {
    let node = await this.node(this.root);
    for (const name of splitPath(path)) {
      let found: FolderItem | undefined;
      if (node.type === "folder") {
        // To the end, so that a name that comes twice is noticed.
        for await (const item of this.list(node)) if (item.name === name) found = item;
      }
      if (!found) throw new HoldfastError("PATH_NOT_FOUND", `the folder has no ${path}`, "list the folder's paths");
      node = await this.node(found.cid);
    }
    return node;
  }

  /** The file at a path. @throws HoldfastError `NOT_A_FILE`, and as {@link stat} */
  async file(path: string): Promise<FileNode> {
    const node = await this.stat(path);
    if (node.type === "file") return node;
    throw new HoldfastError("NOT_A_FILE", `${path || "the root"} is a ${node.type}`, "name a file in the folder");
  }

  /** The folder at a path. @throws HoldfastError `NOT_A_FOLDER`, and as {@link stat} */
  async folder(path: string): Promise<FolderNode> {
    const node = await this.stat(path);
    if (node.type === "folder") return node;
    throw new HoldfastError("NOT_A_FOLDER", `${path || "the root"} is a ${node.type}`, "name a folder");
  }

  /**
   * One node of the tree.
   *
   * @throws HoldfastError `BLOCK_MISSING`, `BLOCK_CORRUPT`, `FOLDER_MALFORMED`, `CAR_UNSUPPORTED`
   */
  async node(cid: CID): Promise<Node> {
    return decodeNode(cid, await this.#blocks.get(cid));
  }

  /**
   * What is in a folder, in no order that means anything.
   *
   * @throws HoldfastError `FOLDER_MALFORMED` for names that are no names or come twice, and as {@link node}
   */
  async *list(folder: FolderNode): AsyncGenerator<FolderItem> {
    const names = new Set<string>();
    for await (const item of this.#items(folder, new Set(), 1)) {
      const fault = faultOfName(item.name) ?? (names.has(item.name) ? "it comes twice" : undefined);
      if (fault) throw malformedFolder(`a name in ${folder.cid} can't be used: ${fault}`);
      names.add(item.name);
      yield item;
    }
  }

  /**
   * Everything in a folder and below, a folder before what is in it. Paths begin at that folder.
   *
   * @param maxItems - after which it stops: a few blocks can describe more than any disk holds
   * @param from - path of the folder; the root by default
   * @throws HoldfastError `FOLDER_TOO_LARGE`, `FOLDER_MALFORMED` for folders too deep within each other, and as {@link list}
   */
  async *walk(maxItems: number, from = ""): AsyncGenerator<WalkedItem> {
    yield* this.#below(await this.folder(from), "", 1, { left: maxItems, maxItems });
  }

  /**
   * The bytes of a file.
   *
   * @throws HoldfastError `FOLDER_MALFORMED` where its parts are not what it says, and as {@link node}
   */
  content(file: FileNode): AsyncGenerator<Uint8Array> {
    return this.#parts(file, 1);
  }

  /**
   * Hashes every block that the root leads to, each once, however often it is named.
   *
   * @throws HoldfastError `BLOCK_MISSING`, `BLOCK_CORRUPT`, `FOLDER_MALFORMED`, `CAR_UNSUPPORTED`: the root is not whole in
   *   this CAR
   */
  async verify(): Promise<void> {
    const seen = new Set<string>();
    const waiting = [this.root];
    for (let cid = waiting.pop(); cid !== undefined; cid = waiting.pop()) {
      const name = cid.toString();
      if (seen.has(name)) continue;
      seen.add(name);
      waiting.push(...blockLinks(cid, await this.#blocks.get(cid)));
    }
  }

  async *#below(folder: FolderNode, prefix: string, depth: number, budget: Budget): AsyncGenerator<WalkedItem> {
    if (depth > MAX_FOLDER_DEPTH) throw malformedFolder(`more than ${MAX_FOLDER_DEPTH} folders within each other`);
    for await (const { name, cid } of this.list(folder)) {
      if (budget.left-- === 0) throw tooManyItems(budget.maxItems);
      const node = await this.node(cid);
      const path = prefix + name;
      yield { path, node };
      if (node.type === "folder") yield* this.#below(node, `${path}/`, depth + 1, budget);
    }
  }

  async *#parts(file: FileNode, depth: number): AsyncGenerator<Uint8Array> {
    if (depth > MAX_FILE_DEPTH) throw malformedFolder(`the file ${file.cid} lies too deep in another`);
    if (file.data.length > 0) yield file.data;
    for (const { cid, size } of file.parts) {
      const part = await this.node(cid);
      if (part.type !== "file" || part.size !== size) {
        throw malformedFolder(`the part ${cid} of ${file.cid} is not ${size} bytes of a file`);
      }
      yield* this.#parts(part, depth + 1);
    }
  }

  async *#items(folder: FolderNode, shards: Set<string>, depth: number): AsyncGenerator<FolderItem> {
    const { links, prefix, cid: shard } = folder;
    // The same shard twice in a folder could only hold the same names, or none: a trap for whoever walks it.
    if (depth > MAX_SHARD_DEPTH || shards.has(shard.toString())) throw malformedFolder(`the shard ${shard} recurs`);
    shards.add(shard.toString());
    for (const { Hash: cid, Name = "", Tsize = 0 } of links) {
      if (prefix === 0 || Name.length > prefix) {
        yield { name: Name.slice(prefix), cid, blockBytes: BigInt(Tsize) };
        continue;
      }
      const below = await this.node(cid);
      if (below.type !== "folder" || below.prefix !== prefix) throw malformedFolder(`${cid} is no shard of a folder`);
      yield* this.#items(below, shards, depth + 1);
    }
  }
}

function blobSource(blob: Blob): CarSource {
  return {
    size: blob.size,
    read: async (offset, length) => new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer()),
  };
}

function tooManyItems(maxItems: number): HoldfastError {
  return new HoldfastError(
    "FOLDER_TOO_LARGE",
    `the folder holds more than ${maxItems} files and folders`,
    "allow more, if you trust whoever packed it",
  );
}
