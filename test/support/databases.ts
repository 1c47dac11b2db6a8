/** The same tests against both databases, real ones. */
import { cpSync, rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { type Database, type DatabaseOptions, openDatabase } from "../../src/store/database/open-node.js";
import { removeFolders, tempFolder } from "./pieces.js";
import { postgresBin, startPostgres, type TestPostgres } from "./postgres.js";

export interface TestDatabases {
  /** Where a new, empty one is. */
  create(): Promise<DatabaseOptions>;
  /** An empty one, the same for all tests: to make one takes seconds. */
  empty(): Promise<Database>;
  /** Opens one; it is closed when the test is over. */
  open(options: DatabaseOptions): Promise<Database>;
  /** Whether several processes can have it open. */
  readonly isShared: boolean;
}

let template: Promise<string> | undefined;

/** A database of its own, in a folder. */
export async function newDatabase(): Promise<Database> {
  return openDatabase({ dir: await newFolder() });
}

/** The folder of an empty database. To copy one takes a fiftieth of what it takes to make one. */
async function newFolder(): Promise<string> {
  template ??= makeTemplate();
  const dir = await tempFolder();
  cpSync(await template, dir, { recursive: true });
  return dir;
}

async function makeTemplate(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "holdfast-test-"));
  process.once("exit", () => rmSync(dir, { recursive: true, force: true }));
  await (await openDatabase({ dir })).destroy();
  return dir;
}

/**
 * Describes tests once for each database. Without a Postgres on the machine its tests are skipped, but not where the whole
 * suite has to hold.
 */
export function describeDatabases(title: string, tests: (databases: TestDatabases) => void): void {
  for (const isShared of [false, true]) {
    describe(`${title}: ${isShared ? "Postgres" : "PGlite"}`, () => {
      let postgres: TestPostgres | undefined;
      const opened: Database[] = [];
      let common: Database | undefined;

      before(async function () {
        if (!isShared) return;
        if (postgresBin() === undefined && !process.env.CI) this.skip();
        postgres = await startPostgres();
      });
      afterEach(async () => {
        await Promise.all(opened.splice(0).map((database) => database.destroy()));
      });
      after(async () => {
        await common?.destroy();
        await postgres?.stop();
        await removeFolders();
      });

      const create = async () => (postgres ? { url: await postgres.database() } : { dir: await newFolder() });
      tests({
        isShared,
        create,
        async empty() {
          common ??= await openDatabase(await create());
          await sql`truncate accounts, transactions, pieces, unpaid_pieces, leases, workers, duties, misses cascade`.execute(
            common,
          );
          return common;
        },
        async open(options) {
          const database = await openDatabase(options);
          opened.push(database);
          return database;
        },
      });
    });
  }
}
