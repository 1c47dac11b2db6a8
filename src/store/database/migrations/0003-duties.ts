/** Which duties there are, which worker has each, and which misses were told. */
import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";

export const duties: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable("workers")
      .addColumn("id", "uuid", (column) => column.primaryKey())
      .addColumn("seen_at", "timestamptz", (column) => column.notNull().defaultTo(sql`now()`))
      .execute();
    await db.schema
      .createTable("duties")
      .addColumn("chain_id", "integer", (column) => column.notNull())
      .addColumn("market", "text", (column) => column.notNull())
      .addColumn("provider", "text", (column) => column.notNull())
      .addColumn("epoch", "integer", (column) => column.notNull())
      .addColumn("deal", "text", (column) => column.notNull())
      .addColumn("nth", "integer", (column) => column.notNull())
      .addColumn("last_block", "integer", (column) => column.notNull())
      .addColumn("epoch_hash", "text")
      // No reference: a worker's row may go while another looks at its claims.
      .addColumn("owner", "uuid")
      .addColumn("retry_at", "integer", (column) => column.notNull().defaultTo(0))
      .addColumn("done_at", "timestamptz")
      .addColumn("block", "integer")
      .addPrimaryKeyConstraint("duties_key", ["chain_id", "market", "provider", "epoch", "deal"])
      .execute();
    await db.schema.createIndex("duties_owned").on("duties").column("owner").execute();
    await db.schema
      .createTable("misses")
      .addColumn("chain_id", "integer", (column) => column.notNull())
      .addColumn("market", "text", (column) => column.notNull())
      .addColumn("provider", "text", (column) => column.notNull())
      .addColumn("deal", "text", (column) => column.notNull())
      .addColumn("nth", "integer", (column) => column.notNull())
      .addColumn("told_at", "timestamptz", (column) => column.notNull().defaultTo(sql`now()`))
      .addPrimaryKeyConstraint("misses_key", ["chain_id", "market", "provider", "deal", "nth"])
      .execute();
  },
};
