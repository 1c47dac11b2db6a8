/**
 * Steps from one form of the tables to the next, in one dialect for both databases. A step that was released is never
 * changed.
 *
 * @packageDocumentation
 */
import { type Kysely, sql } from "kysely";
import { type Migration, type MigrationProvider, Migrator } from "kysely/migration";
import { HoldfastError } from "../../errors.js";

const MIGRATIONS: Readonly<Record<string, Migration>> = {
  "0001-transactions": {
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
  },
};

const provider: MigrationProvider = { getMigrations: async () => MIGRATIONS };

/**
 * Brings a database to the form that this version wants. Several processes may do so at once: one does, the others wait.
 *
 * @throws HoldfastError `DATABASE_TOO_NEW` where a later version has been here, `DATABASE_FAILED`
 */
export async function migrate<T>(db: Kysely<T>): Promise<void> {
  const migrator = new Migrator({ db, provider });
  const { error, results } = await migrator.migrateToLatest();
  if (error === undefined) return;
  const text = error instanceof Error ? error.message : String(error);
  if (/corrupted migrations/.test(text)) {
    const hint = "use the version that was here last, or another database";
    throw new HoldfastError("DATABASE_TOO_NEW", `the database is of a later version: ${text}`, hint, { cause: error });
  }
  const step = results?.find(({ status }) => status === "Error")?.migrationName ?? "before the first step";
  throw new HoldfastError("DATABASE_FAILED", `migrating failed at ${step}: ${text}`, "look at the database's log", {
    cause: error,
  });
}
