/** What to send. */
export interface Call {
  readonly to: string;
  readonly data: string;
  /** Native coin to send along, in wei. */
  readonly value?: bigint;
  /**
   * The most that it is worth for a unit of gas, in wei, where that is less than the sender's own limit. Where the chain asks for more
   * while it is on its way, its nonce is used for a payment of nothing instead, so that what waits behind it gets into a block.
   */
  readonly maxFeePerGas?: bigint;
}
