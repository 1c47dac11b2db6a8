/**
 * Which blocks the pieces of a store hold, and the blocks themselves, verified.
 *
 * @packageDocumentation
 */
export { FileBlockIndex, type FileBlockIndexOptions } from "./file-block-index.js";
export { MAX_SERVED_BLOCK_BYTES } from "./piece-blocks.js";
export { BlockReader } from "./reader.js";
export type { BlockIndex, BlockPlace } from "./types.js";
