/** The database of a node: one in a folder of its own, or a Postgres that several share. */
import { mkdir } from "node:fs/promises";
import { setFlagsFromString } from "node:v8";
import { PGlite } from "@electric-sql/pglite";
import { type Dialect, Kysely, PGliteDialect, PostgresDialect } from "kysely";
import pg from "pg";
import { HoldfastError } from "../../errors.js";
import { lockFolder } from "../folder-lock.js";
import { migrate } from "./migrations/index.js";
import type { Schema } from "./schema.js";

/** Of several processes, where the URL names one. Call `destroy()` when done. */
export type Database = Kysely<Schema>;

export interface DatabaseOptions {
  /** `postgres://user:password@host/name`; without it, the database is a folder of this process alone. */
  readonly url?: string;
  /** That folder. */
  readonly dir?: string;
  /** Connections to a Postgres at once; 8 by default. */
  readonly connections?: number;
  /** Milliseconds for which a process may stand still within a transaction on a Postgres; 25,000 by default. */
  readonly idleMs?: number;
}

const CONNECTIONS = 8;
/** A Postgres that doesn't answer is given up on. */
const CONNECT_MS = 10_000;
/** No statement here takes long: one that waits for a lock is let go before whoever waits for it gives up. */
const STATEMENT_MS = 30_000;
/**
 * A process that stands still within a transaction has its locks for so long: shorter than a statement may take, so that whoever waits
 * for them gets them; longer than a signer elsewhere takes.
 */
const IDLE_MS = 25_000;
/** How the server finds out that this machine is gone without a word, and frees its locks: within half a minute. */
const KEEPALIVES = "set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 4";
/** A server that is gone without a word says not even that: then this side gives up. */
const ANSWER_MS = 35_000;

/** What is kept here is small: without this, a process takes 120 MiB more, which it has better uses for. */
const SMALL = ["-c", "shared_buffers=16MB"];

/**
 * Opens a database and brings it to this version's form.
 *
 * @throws HoldfastError `DATABASE_IN_USE` where another process has the folder, `DATABASE_UNREACHABLE` (its message has no password in it), `DATABASE_TOO_NEW`, `DATABASE_FAILED`
 * @throws TypeError without a URL or a folder
 * @example
 * const database = await openDatabase({ dir: "data/index" });
 * await database.destroy();
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const db = new Kysely<Schema>({ dialect: await dialectOf(options) });
  try {
    await migrate(db);
    return db;
  } catch (error) {
    await db.destroy().catch(() => undefined);
    if (error instanceof HoldfastError && !isConnectionFault(error.cause)) throw error;
    throw unreachable(options, error);
  }
}

async function dialectOf({ url, dir, connections = CONNECTIONS, idleMs = IDLE_MS }: DatabaseOptions): Promise<Dialect> {
  if (url !== undefined) {
    const timeouts = {
      ...{ connectionTimeoutMillis: CONNECT_MS, statement_timeout: STATEMENT_MS },
      ...{ idle_in_transaction_session_timeout: idleMs, query_timeout: ANSWER_MS, keepAlive: true },
    };
    // A server that does not know the settings has its own.
    const onConnect = (client: pg.ClientBase) => client.query(KEEPALIVES).catch(() => undefined);
    const pool = new pg.Pool({ connectionString: url, max: connections, onConnect, ...timeouts });
    // A connection that breaks is replaced by the next, and whoever uses it is told by his statement; unheard, the event
    // would end the process.
    pool.on("error", () => undefined);
    pool.on("connect", (client) => void client.on("error", () => undefined));
    return new PostgresDialect({ pool });
  }
  if (dir === undefined) throw new TypeError("a database has a URL or a folder");
  await mkdir(dir, { recursive: true });
  compileOnce();
  return new PGliteDialect({ pglite: await openFolder(dir) });
}

async function openFolder(dir: string): Promise<PGlite> {
  const release = await lockFolder(dir, (cause) => inUse(dir, cause));
  try {
    const pglite = await PGlite.create({ dataDir: dir, startParams: [...PGlite.defaultStartParams, ...SMALL] });
    const close = pglite.close.bind(pglite);
    return Object.assign(pglite, { close: () => close().finally(release) });
  } catch (cause) {
    await release();
    throw unreachable({ dir }, cause);
  }
}

function inUse(dir: string, cause: unknown): HoldfastError {
  const hint = "stop the other process, or let both use a Postgres: DATABASE_URL";
  return new HoldfastError("DATABASE_IN_USE", `another process has the database in ${dir} open`, hint, { cause });
}

/**
 * Keeps V8 from compiling what is called often a second time, for the speed of it: for the largest functions of Postgres that
 * takes more than 500 MiB, some seconds after the start, and more time than the faster code saves. Code of other
 * WebAssembly in this process stays as it is compiled first, too.
 */
function compileOnce(): void {
  for (const flag of ["--no-wasm-tier-up", "--no-wasm-dynamic-tiering"]) setFlagsFromString(flag);
}

function isConnectionFault(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown };
  // Node's codes of the system; 28xxx and 3D000 are Postgres's own: who is let in, and to which database.
  return typeof code === "string" && /^(E[A-Z_]+|28\w{3}|3D000|57P0\d)$/.test(code);
}

function unreachable({ url, dir }: DatabaseOptions, cause: unknown): HoldfastError {
  const where = url === undefined ? `in ${dir}` : `at ${hostOf(url)}`;
  const text = cause instanceof Error ? cause.message : String(cause);
  const hint = "check DATABASE_URL, and that the server is running; a folder is for one process at a time";
  return new HoldfastError("DATABASE_UNREACHABLE", `the database ${where} can't be used: ${text}`, hint, { cause });
}

/** Without what is secret in it. */
function hostOf(url: string): string {
  if (!URL.canParse(url)) return "a URL that is none";
  const { host, pathname } = new URL(url);
  return host + pathname;
}
