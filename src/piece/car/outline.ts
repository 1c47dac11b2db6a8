import type { CID } from "multiformats/cid";
import { HoldfastError } from "../../errors.js";
import type { PieceSource } from "../commit.js";
import { compareNames, splitPath } from "./paths.js";

/** What a folder is packed from: a file, or, without content, a folder that may be empty. */
export interface FolderEntry {
  /** Names separated by single slashes: `photos/2025/a.jpg`. Folders on the way need no entry of their own. */
  readonly path: string;
  /** Opens the file's bytes. Called at most once, when it is this file's turn, so that only one is open at a time. */
  readonly content?: () => PieceSource;
}

export type FolderSource = Iterable<FolderEntry> | AsyncIterable<FolderEntry>;

export interface FileOutline {
  readonly kind: "file";
  readonly content: () => PieceSource;
}

/** Something that has its blocks already. */
export interface KeptOutline {
  readonly kind: "kept";
  readonly cid: CID;
  /** Bytes of all blocks below, as dag-pb's Tsize counts them. */
  readonly size: bigint;
}

export interface FolderOutline {
  readonly kind: "folder";
  readonly children: Map<string, Outline>;
}

export type Outline = FileOutline | KeptOutline | FolderOutline;

/**
 * The shape of a folder, without its bytes: what the order of the source must not show in. A few hundred bytes of memory
 * an entry.
 *
 * @throws HoldfastError `INVALID_PATH`, `DUPLICATE_PATH`; whatever the source throws
 */
export async function outlineOf(source: FolderSource): Promise<FolderOutline> {
  const root = emptyFolder();
  for await (const { path, content } of source) {
    const names = splitPath(path);
    const last = names.pop();
    // An entry for the folder itself says nothing new.
    if (last === undefined && !content) continue;
    if (last === undefined) throw duplicate(path);
    let folder = root;
    for (const name of names) folder = subfolder(folder, name, path);
    if (!content) subfolder(folder, last, path);
    else if (folder.children.has(last)) throw duplicate(path);
    else folder.children.set(last, { kind: "file", content });
  }
  return root;
}

/** The children in the one order in which they are written. */
export function sortedChildren({ children }: FolderOutline): [string, Outline][] {
  return [...children].sort(([a], [b]) => compareNames(a, b));
}

function subfolder(parent: FolderOutline, name: string, path: string): FolderOutline {
  const known = parent.children.get(name);
  if (known?.kind === "folder") return known;
  if (known) throw duplicate(path);
  const folder = emptyFolder();
  parent.children.set(name, folder);
  return folder;
}

function emptyFolder(): FolderOutline {
  return { kind: "folder", children: new Map() };
}

function duplicate(path: string): HoldfastError {
  return new HoldfastError(
    "DUPLICATE_PATH",
    `${JSON.stringify(path)} comes twice, or is both a file and a folder`,
    "give each path once",
  );
}
