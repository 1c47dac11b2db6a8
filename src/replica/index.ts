/**
 * Replicas: a payload encrypted for each provider anew, so that no provider's bytes are of any use to another
 * (docs/replicas.md). Pure; runs in Node and in browsers, on their own WebCrypto.
 *
 * @packageDocumentation
 */
export { type ExpectedReplica, type ReadReplica, ReplicaDecryptor, readReplicaRange } from "./decrypt.js";
export { newReplicaId, ReplicaEncryptor, replicaOf } from "./encrypt.js";
export { DEFAULT_CHUNK_LOG, HEADER_SIZE, type ReplicaHeader, replicaSize, TAG_SIZE } from "./format.js";
export { bytesOfHex, FileKey, hexOf } from "./key.js";
