/** A piece that came without a deal. */
export interface UnpaidNote {
  readonly pieceCid: string;
  /** The peer that it counts for. */
  readonly owner: string;
  /** When somebody relied on it last, in unix milliseconds. */
  readonly since: number;
}

/** Which pieces came without a deal, wherever it is written down. Several processes may share it. */
export interface UnpaidNotes {
  list(): Promise<UnpaidNote[]>;
  get(pieceCid: string): Promise<UnpaidNote | undefined>;
  /**
   * Notes a piece, for whoever is first; one that was noted has its time begun anew.
   *
   * @returns whether it was not noted before
   */
  note(note: UnpaidNote): Promise<boolean>;
  /** Begins the time of a piece anew. @returns whether it is noted */
  touch(pieceCid: string, since: number): Promise<boolean>;
  /** @param since - only where nobody relied on it after this, in unix milliseconds */
  forget(pieceCid: string, since?: number): Promise<void>;
}

/** Notes that last as long as their process: for tests of other things. */
export class MemoryUnpaidNotes implements UnpaidNotes {
  readonly #notes = new Map<string, UnpaidNote>();

  async list(): Promise<UnpaidNote[]> {
    return [...this.#notes.values()];
  }

  async get(pieceCid: string): Promise<UnpaidNote | undefined> {
    return this.#notes.get(pieceCid);
  }

  async note(note: UnpaidNote): Promise<boolean> {
    const known = this.#notes.get(note.pieceCid);
    this.#notes.set(note.pieceCid, { ...note, owner: known?.owner ?? note.owner });
    return known === undefined;
  }

  async touch(pieceCid: string, since: number): Promise<boolean> {
    const known = this.#notes.get(pieceCid);
    if (known) this.#notes.set(pieceCid, { ...known, since });
    return known !== undefined;
  }

  async forget(pieceCid: string, since = Number.POSITIVE_INFINITY): Promise<void> {
    if ((this.#notes.get(pieceCid)?.since ?? 0) <= since) this.#notes.delete(pieceCid);
  }
}
