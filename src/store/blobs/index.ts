/**
 * Immutable bytes under names, in a folder or in a bucket. For Node.
 *
 * @packageDocumentation
 */
export { FileBlobs } from "./file-blobs.js";
export { type BlobStoreOptions, openBlobStore } from "./open-node.js";
export type { S3Options } from "./s3-blobs.js";
export type { BlobInfo, BlobStore, OpenedBlob } from "./types.js";
