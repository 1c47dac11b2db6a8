/**
 * What a dapp imports: storing, fetching, deals. Works in a browser; `file-node.ts` is for Node.
 *
 * @packageDocumentation
 */
export { type ClientOptions, type Deal, HoldfastClient, type StoredPiece, type StoreOptions, type StoreStep } from "./client.js";
export { askInfo, askSignature, type ProviderNode, upload } from "./providers.js";
export { memorySink, type Retrieval, retrieve, type Sink } from "./retrieve.js";
