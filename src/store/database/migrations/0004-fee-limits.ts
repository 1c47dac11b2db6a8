/** What a transaction is worth for a unit of gas at most: whoever goes on with it has to know. */
import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

export const feeLimits: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.alterTable("transactions").addColumn("max_fee", "text").execute();
  },
};
