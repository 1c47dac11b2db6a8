/**
 * Files stored as unique replicas (docs/replicas.md). Works in a browser.
 *
 * @packageDocumentation
 */
export { type FetchUniqueOptions, fetchUnique, fetchUniqueRange, type UniqueRetrieval } from "./fetch.js";
export { formatManifest, type Manifest, ManifestBook, type ManifestReplica, parseManifest } from "./manifest.js";
export { type ReplicaSession, type StoreUniqueOptions, storeUnique } from "./store.js";
