/**
 * Folders as pieces: many files in one CAR, one file back out of it. Pure; runs in Node and in browsers. What needs Node's
 * file system is in `client/folder-node.ts`.
 *
 * @packageDocumentation
 */
export { FolderArchive, type FolderItem, type WalkedItem } from "./archive.js";
export { type CarSource, MAX_BLOCK_BYTES } from "./blocks.js";
export { blockLinks } from "./links.js";
export type { FolderEntry, FolderSource } from "./outline.js";
export { mergeFolder, type PackedFolder, type PackOptions, packFolder } from "./pack.js";
export { compareNames, faultOfName, MAX_FOLDER_DEPTH, MAX_NAME_BYTES, splitPath } from "./paths.js";
export { type FoundBlock, scanCar } from "./scan.js";
export { findInShard } from "./shards.js";
export { blobSpool, type CarSpool } from "./spool.js";
export { decodeNode, type FileNode, type FolderNode, type LinkNode, type Node } from "./unixfs.js";
export { carHeader, carSection } from "./writer.js";
