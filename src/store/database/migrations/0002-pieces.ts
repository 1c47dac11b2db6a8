/** What is here: pieces, those of them that nobody pays for, and who is busy with what. */
import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";

export const pieces: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable("pieces")
      .addColumn("piece_cid", "text", (column) => column.primaryKey())
      .addColumn("place", "serial", (column) => column.notNull())
      .addColumn("root", "text", (column) => column.notNull())
      .addColumn("leaf_count", "text", (column) => column.notNull())
      .addColumn("payload_size", "text", (column) => column.notNull())
      .addColumn("layer", "bytea")
      .addColumn("promised_until", "text")
      .addColumn("taken_at", "timestamptz", (column) => column.notNull().defaultTo(sql`now()`))
      .execute();
    await db.schema.createIndex("pieces_tree").on("pieces").columns(["root", "leaf_count"]).execute();
    await db.schema.createIndex("pieces_place").on("pieces").column("place").unique().execute();
    await db.schema
      .createTable("unpaid_pieces")
      .addColumn("piece_cid", "text", (column) => column.primaryKey())
      .addColumn("owner", "text", (column) => column.notNull())
      .addColumn("since", "timestamptz", (column) => column.notNull())
      .execute();
    await db.schema
      .createTable("leases")
      .addColumn("name", "text", (column) => column.primaryKey())
      .addColumn("holder", "uuid", (column) => column.notNull())
      .addColumn("until", "timestamptz", (column) => column.notNull())
      .execute();
  },
};
