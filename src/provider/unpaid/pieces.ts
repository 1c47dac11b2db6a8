import { type Commitment, decodePieceCid } from "../../piece/index.js";
import type { PieceStore, UnpaidNote, UnpaidNotes } from "../../store/index.js";
import type { Holding } from "../admission.js";

/** A piece that came without a deal. */
export interface UnpaidPiece extends UnpaidNote {
  readonly commitment: Commitment;
}

export interface UnpaidOptions {
  /** Where it is written down which pieces these are. */
  readonly notes: UnpaidNotes;
  readonly store: Pick<PieceStore, "find">;
  /** Unix milliseconds; by this machine's clock by default. Nodes that share the notes should have the same time. */
  readonly now?: () => number;
}

/** Whom a piece counts for that deals have paid for: no peer. */
export const NOBODY = "";

/** Milliseconds in which a piece's time is begun anew once at most. */
const TOUCH_MS = 1_000;

/**
 * Pieces that strangers left here and no deal was seen for. A piece is noted before it is in the store, so that none is
 * there that nobody would ever clear away. What other nodes note is known here from the next {@link UnpaidPieces.refresh} on.
 */
export class UnpaidPieces {
  readonly #notes: UnpaidNotes;
  readonly #store: UnpaidOptions["store"];
  readonly #now: () => number;
  #pieces = new Map<string, UnpaidPiece>();
  #covered: ReadonlySet<string> = new Set();

  private constructor({ notes, store, now = Date.now }: UnpaidOptions) {
    this.#notes = notes;
    this.#store = store;
    this.#now = now;
  }

  /** Reads what was noted. @throws what the notes throw */
  static async open(options: UnpaidOptions): Promise<UnpaidPieces> {
    const unpaid = new UnpaidPieces(options);
    await unpaid.refresh();
    return unpaid;
  }

  /** Reads what was noted, by whichever node. @throws what the notes throw */
  async refresh(): Promise<void> {
    const notes = await this.#notes.list();
    this.#pieces = new Map(notes.map((note) => [note.pieceCid, pieceOf(note)]));
  }

  list(): UnpaidPiece[] {
    return [...this.#pieces.values()];
  }

  /** What they count for whom. */
  *holdings(): Generator<Holding> {
    for (const { pieceCid, owner, commitment } of this.#pieces.values()) {
      if (owner !== NOBODY && !this.#covered.has(pieceCid)) yield { owner, bytes: Number(commitment.payloadSize) };
    }
  }

  /** Those that a deal has as the head says, which may be taken back: they stay noted, and count for nobody meanwhile. */
  cover(pieceCids: ReadonlySet<string>): void {
    this.#covered = pieceCids;
  }

  /** A piece as it is noted at this moment. */
  async look(pieceCid: string): Promise<UnpaidPiece | undefined> {
    const note = await this.#notes.get(pieceCid);
    return note && pieceOf(note);
  }

  /**
   * Notes a piece while `bring` puts it into the store. One that is here already stays what it was.
   *
   * @throws what `bring`, the store and the notes throw
   */
  async during(pieceCid: string, owner: string, bring: () => Promise<unknown>): Promise<void> {
    const since = this.#now();
    const wasHere = (await this.#store.find(pieceCid)) !== undefined;
    const isFirst = !wasHere && (await this.#note(pieceCid, owner, since));
    const isUnpaid = !wasHere || (await this.touch(pieceCid));
    try {
      await bring();
    } finally {
      const isHere = (await this.#store.find(pieceCid)) !== undefined;
      // Another node may have deleted it on the way, and its note with it.
      if (isHere && isUnpaid) await this.add(pieceCid, owner);
      // Somebody else may be about to bring it, and has touched the note then.
      else if (!isHere && isFirst) await this.forget(pieceCid, since);
    }
  }

  /** Notes a piece, for whoever is first. Resolves when that is written down. */
  async add(pieceCid: string, owner: string): Promise<void> {
    await this.#note(pieceCid, owner, this.#now());
  }

  /** Begins a piece's time anew. @returns whether it is noted */
  async touch(pieceCid: string): Promise<boolean> {
    const since = this.#now();
    const known = this.#pieces.get(pieceCid);
    // Anybody can ask as often as he likes: that must not be as many writes.
    if (known && since >= known.since && since - known.since < TOUCH_MS) return true;
    if (known) this.#pieces.set(pieceCid, { ...known, since });
    return this.#notes.touch(pieceCid, since);
  }

  /** A deal has the piece, or it is gone. @param since - only where nobody relied on it after this, in unix milliseconds */
  async forget(pieceCid: string, since = Number.POSITIVE_INFINITY): Promise<void> {
    if ((this.#pieces.get(pieceCid)?.since ?? 0) <= since) this.#pieces.delete(pieceCid);
    await this.#notes.forget(pieceCid, Number.isFinite(since) ? since : undefined);
  }

  async #note(pieceCid: string, owner: string, since: number): Promise<boolean> {
    const known = this.#pieces.get(pieceCid);
    this.#pieces.set(pieceCid, pieceOf({ pieceCid, owner: known?.owner ?? owner, since }));
    return this.#notes.note({ pieceCid, owner, since });
  }
}

function pieceOf(note: UnpaidNote): UnpaidPiece {
  return { ...note, commitment: decodePieceCid(note.pieceCid) };
}
