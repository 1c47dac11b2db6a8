/**
 * The secret of a file, and the keys of its replicas.
 *
 * @packageDocumentation
 */
import { HoldfastError } from "../errors.js";
import { encodeHeader, type ReplicaHeader } from "./format.js";

const SECRET_SIZE = 32;
const KEY_ID_BITS = 128;
/** What HKDF is told a key is for, so that the id of a key says nothing about the keys of replicas. */
const KEY_ID_INFO = new TextEncoder().encode("Holdfast file key id v1");
const REPLICA_INFO = new TextEncoder().encode("Holdfast replica v1");

/**
 * The key of a file, from which the key of each of its replicas is derived (HKDF with SHA-256, RFC 5869). The secret can't
 * be read out of it, by `console.log` or in any other way.
 *
 * @example
 * const { key, secret } = await FileKey.generate();
 * await addToKeyring(path, secret);
 */
export class FileKey {
  /** 32 hexadecimal digits that name the key and say nothing about it. */
  readonly id: string;
  readonly #base: CryptoKey;

  private constructor(id: string, base: CryptoKey) {
    this.id = id;
    this.#base = base;
  }

  /** A new key, and its secret, which has to be kept: without it, no replica can ever be read. */
  static async generate(): Promise<{ readonly key: FileKey; readonly secret: Uint8Array<ArrayBuffer> }> {
    const secret = crypto.getRandomValues(new Uint8Array(SECRET_SIZE));
    return { key: await FileKey.from(secret), secret };
  }

  /** @throws HoldfastError `INVALID_KEY` where the secret does not have 32 bytes */
  static async from(secret: Uint8Array<ArrayBuffer>): Promise<FileKey> {
    if (secret.length !== SECRET_SIZE) {
      const message = `a file key has ${SECRET_SIZE} bytes, not ${secret.length}`;
      throw new HoldfastError("INVALID_KEY", message, "restore the keyring from a backup");
    }
    const base = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveKey", "deriveBits"]);
    const id = await crypto.subtle.deriveBits(hkdf(KEY_ID_INFO), base, KEY_ID_BITS);
    return new FileKey(hexOf(new Uint8Array(id)), base);
  }

  /** The key of one replica, AES-256. Another header, be it another size only, gives another key. */
  replicaKey(header: ReplicaHeader): Promise<CryptoKey> {
    const encoded = encodeHeader(header);
    const info = new Uint8Array(REPLICA_INFO.length + encoded.length);
    info.set(REPLICA_INFO);
    info.set(encoded, REPLICA_INFO.length);
    const cipher = { name: "AES-GCM", length: 256 };
    return crypto.subtle.deriveKey(hkdf(info), this.#base, cipher, false, ["encrypt", "decrypt"]);
  }
}

/** No salt: the secret is uniform already (RFC 5869, section 3.1). */
function hkdf(info: Uint8Array<ArrayBuffer>): HkdfParams {
  return { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info };
}

/** Bytes as hexadecimal digits, without a prefix. */
export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The bytes of hexadecimal digits, which the caller has checked to be such. */
export function bytesOfHex(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}
