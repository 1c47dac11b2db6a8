/**
 * Notes of unpaid pieces in a database.
 *
 * @packageDocumentation
 */
import { type Selectable, sql } from "kysely";
import type { UnpaidNote, UnpaidNotes } from "../pieces/unpaid-notes.js";
import type { Database } from "./open-node.js";
import type { UnpaidTable } from "./schema.js";

/** Notes that outlive their process, and that processes on one Postgres share. */
export class DatabaseUnpaidNotes implements UnpaidNotes {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async list(): Promise<UnpaidNote[]> {
    return (await this.#db.selectFrom("unpaid_pieces").selectAll().execute()).map(noteOf);
  }

  async get(pieceCid: string): Promise<UnpaidNote | undefined> {
    const query = this.#db.selectFrom("unpaid_pieces").selectAll().where("piece_cid", "=", pieceCid);
    const row = await query.executeTakeFirst();
    return row && noteOf(row);
  }

  async note({ pieceCid, owner, since }: UnpaidNote): Promise<boolean> {
    const row = await this.#db
      .insertInto("unpaid_pieces")
      .values({ piece_cid: pieceCid, owner, since: new Date(since) })
      .onConflict((conflict) => conflict.column("piece_cid").doUpdateSet({ since: new Date(since) }))
      // A row that was there has been locked by the update.
      .returning(sql<boolean>`xmax = 0`.as("is_new"))
      .executeTakeFirstOrThrow();
    return row.is_new;
  }

  async touch(pieceCid: string, since: number): Promise<boolean> {
    const { numUpdatedRows } = await this.#db
      .updateTable("unpaid_pieces")
      .set({ since: new Date(since) })
      .where("piece_cid", "=", pieceCid)
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  }

  async forget(pieceCid: string, since?: number): Promise<void> {
    let query = this.#db.deleteFrom("unpaid_pieces").where("piece_cid", "=", pieceCid);
    if (since !== undefined) query = query.where("since", "<=", new Date(since));
    await query.execute();
  }
}

function noteOf({ piece_cid, owner, since }: Selectable<UnpaidTable>): UnpaidNote {
  return { pieceCid: piece_cid, owner, since: since.getTime() };
}
