/** A real Postgres for tests: the machine's own server, in a folder of its own. */
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import pg from "pg";
import { freePort } from "../../scripts/free-port.js";

const DEBIAN = "/usr/lib/postgresql";
const START_MS = 60_000;
/** Becomes the server; beside it waits a process that ends it when our end of its standard input is closed, killed or not. */
const ENDS_WITH_US = 'exec 3<&0; { cat <&3 >/dev/null; kill -INT $$; } >/dev/null 2>&1 & exec "$@" 3<&- </dev/null';

export interface TestPostgres {
  /** A new, empty database; gives its URL. */
  database(): Promise<string>;
  stop(): Promise<void>;
}

/** Where the server's programs are; undefined where there are none. */
export function postgresBin(): string | undefined {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : [];
  const places = [
    ...(process.env.PATH ?? "").split(delimiter),
    ...versions.map((version) => join(DEBIAN, version, "bin")),
  ];
  return places.find((place) => existsSync(join(place, "initdb")) && existsSync(join(place, "postgres")));
}

/** Starts a server at a free port of 127.0.0.1. It refuses to run as root, so it runs as the account that Debian made for it. */
export async function startPostgres(): Promise<TestPostgres> {
  const bin = postgresBin();
  if (bin === undefined) throw new Error("there is no Postgres on this machine: apt-get install postgresql");
  const owner = process.getuid?.() === 0 ? { uid: idOf("-u"), gid: idOf("-g") } : {};
  const folder = await mkdtemp(join(tmpdir(), "holdfast-postgres-"));
  if (owner.uid !== undefined && owner.gid !== undefined) chownSync(folder, owner.uid, owner.gid);
  const data = join(folder, "data");
  const init = ["-D", data, "-A", "trust", "-U", "holdfast", "-E", "UTF8", "--no-locale", "--no-sync"];
  await promisify(execFile)(join(bin, "initdb"), init, { ...owner, cwd: folder });
  const port = await freePort();
  const program = [join(bin, "postgres"), "-D", data, "-h", "127.0.0.1", "-p", String(port), "-k", folder, "-F"];
  const server = spawn("/bin/sh", ["-c", ENDS_WITH_US, "sh", ...program], {
    ...owner,
    cwd: folder,
    stdio: ["pipe", "ignore", "ignore"],
  });
  server.stdin?.on("error", () => undefined);
  const url = (name: string) => `postgres://holdfast@127.0.0.1:${port}/${name}`;
  await untilUp(server, url("postgres"));
  let databases = 0;
  return {
    async database() {
      const name = `test${databases++}`;
      await statement(url("postgres"), `create database ${name}`);
      return url(name);
    },
    async stop() {
      const ended = once(server, "exit");
      // A fast shutdown: whoever is connected is cut off.
      server.kill("SIGINT");
      await ended;
      server.stdin?.destroy();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function untilUp(server: ChildProcess, url: string): Promise<void> {
  for (const end = Date.now() + START_MS; ; await sleep(50)) {
    if (server.exitCode !== null) throw new Error(`Postgres ended with status ${server.exitCode}`);
    const up = await statement(url, "select 1").then(
      () => true,
      () => false,
    );
    if (up) return;
    if (Date.now() > end) throw new Error("Postgres does not answer");
  }
}

async function statement(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  try {
    await client.connect();
    await client.query(text);
  } finally {
    await client.end();
  }
}

function idOf(flag: "-u" | "-g"): number {
  return Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
}
