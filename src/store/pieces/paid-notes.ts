/** When a piece was first seen without a deal that needs it. */
export interface PieceEnd {
  /** Unix milliseconds. */
  readonly at: number;
  /** The block that said so. */
  readonly block: number;
}

/** A piece that a deal paid for. */
export interface PaidNote {
  readonly pieceCid: string;
  /** Absent as long as a deal needs it. */
  readonly end?: PieceEnd;
}

/** Which pieces deals pay for or have paid for, wherever it is written down. Several processes may share it. */
export interface PaidNotes {
  list(): Promise<PaidNote[]>;
  /** Notes pieces, in the place of what was noted of them. */
  note(pieceCids: readonly string[], end?: PieceEnd): Promise<void>;
  forget(pieceCids: readonly string[]): Promise<void>;
}
