/**
 * One chunk of a replica: AES-256-GCM in the STREAM construction (Hoang, Reyhanitabar, Rogaway and Vizár, 2015), with
 * nonces as age has them. A chunk opens only in its own place, and the last one only as the last.
 *
 * @packageDocumentation
 */
import { HoldfastError } from "../errors.js";
import { type ChunkPlace, TAG_SIZE } from "./format.js";

const NONCE_SIZE = 12;

/** Encrypts a chunk of payload. */
export async function seal(
  key: CryptoKey,
  place: ChunkPlace,
  payload: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.encrypt(algorithm(place), key, payload));
}

/** Decrypts a chunk. @throws HoldfastError `REPLICA_CORRUPT` where it is not what was encrypted for this place */
export async function unseal(
  key: CryptoKey,
  place: ChunkPlace,
  sealed: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await crypto.subtle.decrypt(algorithm(place), key, sealed));
  } catch (cause) {
    throw corrupt(`chunk ${place.index} was changed, or was encrypted under another key`, cause);
  }
}

/** Bytes that no replica made with this key has in this place. */
export function corrupt(what: string, cause?: unknown): HoldfastError {
  return new HoldfastError("REPLICA_CORRUPT", `not the replica that was stored: ${what}`, "fetch another replica", {
    cause,
  });
}

/** Eleven bytes of counter, and one that says whether the chunk is the last. The key is used for one replica only. */
function algorithm({ index, last }: ChunkPlace): AesGcmParams {
  const iv = new Uint8Array(NONCE_SIZE);
  new DataView(iv.buffer).setBigUint64(NONCE_SIZE - 9, BigInt(index));
  iv[NONCE_SIZE - 1] = last ? 1 : 0;
  return { name: "AES-GCM", iv, tagLength: 8 * TAG_SIZE };
}
