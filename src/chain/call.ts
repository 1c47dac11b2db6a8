/** What to send. */
export interface Call {
  readonly to: string;
  readonly data: string;
  /** Native coin to send along, in wei. */
  readonly value?: bigint;
}
