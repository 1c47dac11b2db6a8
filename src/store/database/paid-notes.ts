/**
 * Notes of pieces that deals pay for, in a database.
 *
 * @packageDocumentation
 */
import type { PaidNote, PaidNotes, PieceEnd } from "../pieces/paid-notes.js";
import type { Database } from "./open-node.js";

/** Rows of one statement: far below the number of values that a statement may have. */
const ROWS = 1_000;

/** Notes that outlive their process, and that processes on one Postgres share. */
export class DatabasePaidNotes implements PaidNotes {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async list(): Promise<PaidNote[]> {
    const rows = await this.#db.selectFrom("paid_pieces").selectAll().execute();
    return rows.map(({ piece_cid: pieceCid, ended_at, ended_in }) =>
      ended_at === null || ended_in === null
        ? { pieceCid }
        : { pieceCid, end: { at: ended_at.getTime(), block: ended_in } },
    );
  }

  async note(pieceCids: readonly string[], end?: PieceEnd): Promise<void> {
    const known = { ended_at: end ? new Date(end.at) : null, ended_in: end?.block ?? null };
    for (const some of portions(pieceCids)) {
      await this.#db
        .insertInto("paid_pieces")
        .values(some.map((piece_cid) => ({ piece_cid, ...known })))
        .onConflict((conflict) => conflict.column("piece_cid").doUpdateSet(known))
        .execute();
    }
  }

  async forget(pieceCids: readonly string[]): Promise<void> {
    for (const some of portions(pieceCids)) {
      await this.#db.deleteFrom("paid_pieces").where("piece_cid", "in", some).execute();
    }
  }
}

/** In one order for everybody: otherwise two statements could wait for each other. */
function* portions(pieceCids: readonly string[]): Generator<string[]> {
  const sorted = pieceCids.toSorted();
  for (let at = 0; at < sorted.length; at += ROWS) yield sorted.slice(at, at + ROWS);
}
