import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { sql } from "kysely";
import { openDatabase } from "../../../src/store/database/open-node.js";
import { expectError } from "../../piece/helpers.js";
import { describeDatabases } from "../../support/databases.js";
import { failure } from "../../support/failure.js";
import { removeFolders, tempFolder } from "../../support/pieces.js";

describeDatabases("openDatabase", (databases) => {
  it("makes the tables, once, whoever comes first", async () => {
    const where = await databases.create();
    const opened = databases.isShared
      ? await Promise.all([0, 1, 2, 3].map(() => databases.open(where)))
      : [await databases.open(where)];
    for (const database of opened) {
      expect(await database.selectFrom("transactions").selectAll().execute()).to.deep.equal([]);
    }
  });

  it("has a server let go of who stands still, or is gone, before others give up waiting", async function () {
    if (!databases.isShared) this.skip();
    const database = await databases.open(await databases.create());
    const setting = async (name: string) => {
      const { rows } = await sql<{
        value: string;
      }>`select setting as value from pg_settings where name = ${name}`.execute(database);
      return Number(rows[0]?.value);
    };
    const [statement, idle] = [
      await setting("statement_timeout"),
      await setting("idle_in_transaction_session_timeout"),
    ];
    expect(idle).to.be.within(1, statement - 1);
    const [first, each, count] = await Promise.all(
      ["idle", "interval", "count"].map((what) => setting(`tcp_keepalives_${what}`)),
    );
    expect((first! + each! * count!) * 1_000).to.be.within(1, statement);
  });

  it("DATABASE_TOO_NEW where a later version has been here", async () => {
    const where = await databases.create();
    const database = await databases.open(where);
    await sql`insert into kysely_migration (name, timestamp) values ('9999-later', 'now')`.execute(database);
    await database.destroy();
    await expectError("DATABASE_TOO_NEW", () => openDatabase(where));
  });
});

describe("openDatabase", () => {
  after(removeFolders);

  it("DATABASE_UNREACHABLE where nobody answers, and tells no password", async () => {
    const url = "postgres://holdfast:sesame@127.0.0.1:1/index";
    const error = await failure(openDatabase({ url }));
    expect(error).to.include({ code: "DATABASE_UNREACHABLE" });
    expect(error.message).to.include("127.0.0.1:1/index").and.not.include("sesame");
    await expectError("DATABASE_UNREACHABLE", () => openDatabase({ url: "postgres://[" }));
  });

  it("DATABASE_UNREACHABLE where the folder is something else", async () => {
    const dir = join(await tempFolder(), "index");
    await mkdir(dir);
    await writeFile(join(dir, "PG_VERSION"), "something else");
    await expectError("DATABASE_UNREACHABLE", () => openDatabase({ dir }));
  });

  it("is told where", async () => {
    expect(await failure(openDatabase({}))).to.be.instanceOf(TypeError);
  });
});
