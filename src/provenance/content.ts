/**
 * What bytes are known by: every hash that a record can name of them, computed from them.
 *
 * @packageDocumentation
 */

import { hexlify } from "ethers";
import { sha256Stream } from "#sha256";
import { type Commitment, type Payload, PieceHasher, readStream } from "../piece/index.js";
import { NO_HASH, pieceIdOf } from "../protocol/index.js";

/** Hashes are 32 bytes in lower-case hex with 0x. */
export interface Content {
  /** SHA-256 of the bytes. */
  readonly contentHash: string;
  readonly size: bigint;
  /** keccak256(root, leafCount) of the bytes as a piece; that of no piece where there are none. */
  readonly pieceId: string;
  /** Of the bytes as a piece; undefined where there are none. */
  readonly commitment: Commitment | undefined;
}

/**
 * Takes bytes as they come, and gives what they are known by.
 *
 * @example
 * const hasher = new ContentHasher();
 * for await (const chunk of chunks) hasher.update(chunk);
 * const { contentHash, pieceId } = hasher.finish();
 */
export class ContentHasher {
  readonly #sha256 = sha256Stream();
  readonly #piece = new PieceHasher();
  #size = 0n;

  update(chunk: Uint8Array): void {
    this.#sha256.update(chunk);
    this.#piece.update(chunk);
    this.#size += BigInt(chunk.length);
  }

  /** Call it once, last. */
  finish(): Content {
    const contentHash = hexlify(this.#sha256.digest());
    const size = this.#size;
    if (size === 0n) return { contentHash, size, pieceId: NO_HASH, commitment: undefined };
    const commitment = this.#piece.finish();
    return { contentHash, size, pieceId: pieceIdOf(commitment), commitment };
  }
}

/** Reads a payload once, as a stream. @throws what reading it throws */
export async function contentOf(payload: Payload): Promise<Content> {
  const hasher = new ContentHasher();
  for await (const chunk of readStream(payload.stream())) hasher.update(chunk);
  return hasher.finish();
}
