/** What a filling keeper tells while it works. */

/** A replica that a request asks for. `slot`: 0n for an original one, else the defaulted deal that it replaces. */
export interface VacancyRef {
  readonly id: bigint;
  readonly slot: bigint;
}

export interface DeclinedEvent extends VacancyRef {
  /** `NOT_OFFERED`, `NOT_ELIGIBLE`, `UNPROFITABLE`. */
  readonly code: string;
  readonly message: string;
}

export interface FetchedEvent extends VacancyRef {
  readonly pieceCid: string;
  readonly bytes: bigint;
  /** Where it came from. */
  readonly source: string;
}

export interface FillTrouble extends VacancyRef {
  /**
   * `PIECE_UNAVAILABLE`, `TOO_MANY_BYTES`, `DISK_FULL`: the bytes. `NO_STAKE`: too little is free. Otherwise the code of
   * whatever stood in the way.
   */
  readonly code: string;
  readonly message: string;
  /** The head at which it is tried again. */
  readonly retryAt: number;
}

export interface FilledEvent extends VacancyRef {
  readonly dealId: bigint;
  /** Base units for each period. */
  readonly price: bigint;
  readonly hash: string;
  readonly block: number;
  readonly gasUsed: bigint;
}

/** Events of a `FillingKeeper`. */
export interface FillingEvents {
  /** A head was looked at, and the work that it calls for has begun. */
  head: [{ readonly number: number }];
  /** A replica can be filled, and is wanted from `floor` on: base units for each period. */
  wanted: [VacancyRef & { readonly floor: bigint }];
  /** It is left alone, and why; once for each reason. */
  declined: [DeclinedEvent];
  fetched: [FetchedEvent];
  filled: [FilledEvent];
  /** Somebody else was faster, or its time was over; `reason` is the contract's error. */
  lost: [VacancyRef & { readonly reason: string }];
  /** Bytes that were fetched for a deal that did not come are deleted. */
  dropped: [{ readonly pieceCid: string }];
  /** Something stands in the way, and it is tried again; once for each code. */
  trouble: [FillTrouble];
}
