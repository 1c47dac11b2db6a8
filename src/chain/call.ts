/** What to send. */
export interface Call {
  readonly to: string;
  readonly data: string;
  /** Native coin to send along, in wei. */
  readonly value?: bigint;
  /** The most to pay for a unit of gas, in wei, where that is less than the sender's own limit. */
  readonly maxFeePerGas?: bigint;
}
