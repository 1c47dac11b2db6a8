import { HoldfastError } from "../errors.js";
import { type Payload, readStream, streamOf } from "../piece/index.js";
import { seal } from "./chunks.js";
import { DEFAULT_CHUNK_LOG, encodeHeader, ID_SIZE, placeOf, type ReplicaHeader, replicaSize } from "./format.js";
import type { FileKey } from "./key.js";

/** A new replica's id: drawn once, used for one payload and never for another. */
export function newReplicaId(): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(ID_SIZE));
}

/**
 * Encrypts payload as it comes, in the memory of one chunk. The same key, header and payload give the same replica.
 *
 * Never with the id of another payload: two payloads under one key and nonces would give each other away.
 *
 * @example
 * const encryptor = await ReplicaEncryptor.create(key, { id: newReplicaId(), size: bytes.length });
 * const replica = [encryptor.header, ...(await encryptor.update(bytes)), ...(await encryptor.finish())];
 */
export class ReplicaEncryptor {
  /** The replica's first bytes. */
  readonly header: Uint8Array<ArrayBuffer>;
  readonly #header: ReplicaHeader;
  readonly #key: CryptoKey;
  readonly #chunk: Uint8Array<ArrayBuffer>;
  #filled = 0;
  #index = 0;
  #size = 0;

  private constructor(header: ReplicaHeader, key: CryptoKey) {
    this.header = encodeHeader(header);
    this.#header = header;
    this.#key = key;
    this.#chunk = new Uint8Array(Math.min(2 ** (header.chunkLog ?? DEFAULT_CHUNK_LOG), header.size));
  }

  /** @throws HoldfastError `INVALID_REPLICA` where a replica can't have such a header, an empty payload's among them */
  static async create(key: FileKey, header: ReplicaHeader): Promise<ReplicaEncryptor> {
    return new ReplicaEncryptor(header, await key.replicaKey(header));
  }

  /** Takes the next bytes of payload; gives the chunks that they complete. @throws HoldfastError `SOURCE_CHANGED` */
  async update(payload: Uint8Array): Promise<Uint8Array<ArrayBuffer>[]> {
    this.#size += payload.length;
    if (this.#size > this.#header.size) throw this.#changed();
    const sealed: Uint8Array<ArrayBuffer>[] = [];
    for (let at = 0; at < payload.length; ) {
      const part = payload.subarray(at, at + this.#chunk.length - this.#filled);
      this.#chunk.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === this.#chunk.length) sealed.push(await this.#seal());
    }
    return sealed;
  }

  /** The last chunk, where it is not there yet. @throws HoldfastError `SOURCE_CHANGED` where payload is missing */
  async finish(): Promise<Uint8Array<ArrayBuffer>[]> {
    if (this.#size !== this.#header.size) throw this.#changed();
    return this.#filled > 0 ? [await this.#seal()] : [];
  }

  #seal(): Promise<Uint8Array<ArrayBuffer>> {
    const payload = this.#chunk.subarray(0, this.#filled);
    this.#filled = 0;
    return seal(this.#key, placeOf(this.#header, this.#index++), payload);
  }

  #changed(): HoldfastError {
    const message = `the payload is not the ${this.#header.size} bytes that it was said to be`;
    return new HoldfastError("SOURCE_CHANGED", message, "store a file that nobody writes to");
  }
}

/**
 * A payload as one of its replicas: encrypted each time that it is read, nothing of it kept.
 *
 * @throws HoldfastError `INVALID_REPLICA` for an empty payload
 */
export function replicaOf(source: Payload, key: FileKey, id: Uint8Array): Payload {
  const header = { id, size: source.size };
  encodeHeader(header);
  return { size: replicaSize(source.size), stream: () => streamOf(encrypted(source, key, header)) };
}

async function* encrypted(source: Payload, key: FileKey, header: ReplicaHeader): AsyncGenerator<Uint8Array> {
  const encryptor = await ReplicaEncryptor.create(key, header);
  yield encryptor.header;
  for await (const bytes of readStream(source.stream())) yield* await encryptor.update(bytes);
  yield* await encryptor.finish();
}
