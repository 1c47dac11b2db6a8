/** With four probes, one in a hundred misses is taken for a hit. */
const BITS_PER_ENTRY = 10;
const PROBES = 4;
/** Enough for 100,000 entries; with more, misses are taken for hits more often. */
const MAX_BYTES = 128 << 10;

/**
 * A Bloom filter of SHA-256 digests: says of most digests that are not in a set that they are not. Digests are random
 * already, so their own words are the probes.
 */
export class DigestFilter {
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  /** @param bytes - of a filter that was built before */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** An empty one, for so many entries. */
  static for(entries: number): DigestFilter {
    return new DigestFilter(new Uint8Array(Math.min(MAX_BYTES, Math.ceil((entries * BITS_PER_ENTRY) / 8))));
  }

  add(digest: Uint8Array): void {
    for (const bit of this.#probes(digest))
      this.#view.setUint8(bit >> 3, this.#view.getUint8(bit >> 3) | (1 << (bit & 7)));
  }

  /** False: it was never added. */
  mayHave(digest: Uint8Array): boolean {
    if (this.bytes.length === 0) return false;
    for (const bit of this.#probes(digest)) if ((this.#view.getUint8(bit >> 3) & (1 << (bit & 7))) === 0) return false;
    return true;
  }

  *#probes(digest: Uint8Array): Generator<number> {
    const words = new DataView(digest.buffer, digest.byteOffset, 4 * PROBES);
    for (let i = 0; i < PROBES; i++) yield words.getUint32(4 * i) % (8 * this.bytes.length);
  }
}
