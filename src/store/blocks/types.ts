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
   * @param near - a piece to look into first: blocks that name each other mostly lie in one
   */
  find(digest: Uint8Array, near?: string): AsyncIterable<BlockPlace>;
}
