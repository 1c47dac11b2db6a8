/**
 * Pieces from elsewhere: a client's `dataUri`, another provider.
 *
 * @packageDocumentation
 */

export { type Address, type AddressOptions, isPublicAddress, type Resolver } from "./addresses.js";
export type { FetchOptions } from "./download.js";
export { type FetchedPiece, fetchPiece, payloadBounds, sourcesOf } from "./fetch-piece.js";
