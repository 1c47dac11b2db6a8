/** Where a block lies. */
export interface BlockPlace {
  readonly pieceCid: string;
  /** First byte of the block in the piece's payload. */
  readonly offset: number;
  /** In bytes. */
  readonly length: number;
}

/** Which blocks the pieces of a store hold. */
export interface BlockIndex {
  /**
   * Everywhere that a block lies; its hash was right when it was indexed.
   *
   * @param digest - SHA-256 of its bytes
   */
  find(digest: Uint8Array): AsyncIterable<BlockPlace>;
}
