import { sha256 } from "@noble/hashes/sha2.js";

/** A SHA-256 that is fed chunk by chunk. */
export interface Sha256 {
  update(chunk: Uint8Array): unknown;
  digest(): Uint8Array;
}

/** SHA-256 of chunks as they come, in plain JavaScript. */
export const sha256Stream = (): Sha256 => sha256.create();
