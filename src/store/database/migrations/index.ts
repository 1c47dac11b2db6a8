/**
 * Steps from one form of the tables to the next, in one dialect for both databases. A step that was released is never
 * changed.
 *
 * @packageDocumentation
 */
import type { Kysely } from "kysely";
import { type Migration, type MigrationProvider, Migrator } from "kysely/migration";
import { HoldfastError } from "../../../errors.js";
import { transactions } from "./0001-transactions.js";
import { pieces } from "./0002-pieces.js";
import { duties } from "./0003-duties.js";
import { feeLimits } from "./0004-fee-limits.js";
import { paidPieces } from "./0005-paid-pieces.js";

const MIGRATIONS: Readonly<Record<string, Migration>> = {
  "0001-transactions": transactions,
  "0002-pieces": pieces,
  "0003-duties": duties,
  "0004-fee-limits": feeLimits,
  "0005-paid-pieces": paidPieces,
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
