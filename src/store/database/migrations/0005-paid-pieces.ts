/** Pieces that deals paid for: when the last of them was over. */
import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

export const paidPieces: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable("paid_pieces")
      .addColumn("piece_cid", "text", (column) => column.primaryKey())
      .addColumn("ended_at", "timestamptz")
      .addColumn("ended_in", "integer")
      .execute();
  },
};
