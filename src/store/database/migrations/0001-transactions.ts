/** What is sent: the journal, and the row of each account that is locked while a nonce is given. */
import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";

export const transactions: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable("accounts")
      .addColumn("chain_id", "integer", (column) => column.notNull())
      .addColumn("address", "text", (column) => column.notNull())
      .addPrimaryKeyConstraint("accounts_key", ["chain_id", "address"])
      .execute();
    await db.schema
      .createTable("transactions")
      .addColumn("id", "uuid", (column) => column.primaryKey())
      .addColumn("chain_id", "integer", (column) => column.notNull())
      .addColumn("sender", "text", (column) => column.notNull())
      .addColumn("nonce", "integer", (column) => column.notNull())
      .addColumn("recipient", "text", (column) => column.notNull())
      .addColumn("data", "text", (column) => column.notNull())
      .addColumn("value", "text", (column) => column.notNull())
      .addColumn("gas_limit", "text", (column) => column.notNull())
      .addColumn("doing", "text", (column) => column.notNull())
      .addColumn("state", "text", (column) => column.notNull().check(sql`state in ('live', 'mined', 'dropped')`))
      .addColumn("block", "integer", (column) => column.check(sql`(block is null) = (state <> 'mined')`))
      .addColumn("recorded_at", "timestamptz", (column) => column.notNull().defaultTo(sql`now()`))
      .execute();
    // Of one account no two live transactions have the same nonce, whatever a program does.
    await db.schema
      .createIndex("transactions_live")
      .on("transactions")
      .columns(["chain_id", "sender", "nonce"])
      .unique()
      .where(sql.ref("state"), "=", sql.lit("live"))
      .execute();
    await db.schema
      .createIndex("transactions_mined")
      .on("transactions")
      .columns(["chain_id", "sender", "block"])
      .where(sql.ref("state"), "=", sql.lit("mined"))
      .execute();
    await db.schema
      .createTable("transaction_attempts")
      .addColumn("hash", "text", (column) => column.primaryKey())
      .addColumn("transaction_id", "uuid", (column) =>
        column.notNull().references("transactions.id").onDelete("cascade"),
      )
      .addColumn("place", "serial", (column) => column.notNull())
      .addColumn("raw", "text", (column) => column.notNull())
      .addColumn("max_fee", "text", (column) => column.notNull())
      .addColumn("max_priority_fee", "text", (column) => column.notNull())
      .execute();
    await db.schema
      .createIndex("transaction_attempts_of")
      .on("transaction_attempts")
      .column("transaction_id")
      .execute();
    await db.schema
      .createTable("transaction_guards")
      .addColumn("chain_id", "integer", (column) => column.notNull())
      .addColumn("guard", "text", (column) => column.notNull())
      .addColumn("transaction_id", "uuid", (column) =>
        column.notNull().references("transactions.id").onDelete("cascade"),
      )
      .addColumn("live", "boolean", (column) => column.notNull())
      .addPrimaryKeyConstraint("transaction_guards_key", ["transaction_id", "guard"])
      .execute();
    await db.schema
      .createIndex("transaction_guards_live")
      .on("transaction_guards")
      .columns(["chain_id", "guard"])
      .unique()
      .where(sql.ref("live"), "=", sql.lit(true))
      .execute();
  },
};
