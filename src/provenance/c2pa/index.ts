/**
 * Reads and verifies C2PA manifests, by c2pa-rs.
 *
 * @packageDocumentation
 */
export { mimeTypeOf, SNIFFED_BYTES } from "./formats.js";
export { kindFromC2pa } from "./kind.js";
export { C2PA_TIME_LIMIT, type C2paOptions, MAX_C2PA_ASSET_BYTES, readC2pa } from "./read.js";
export type * from "./types.js";
