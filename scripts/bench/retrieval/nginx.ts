/** The yardstick: nginx as Debian ships it, on a folder of files. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../free-port.js";

const START_MS = 10_000;

export interface Nginx {
  readonly url: string;
  /** Of the process that serves. */
  readonly pid: number;
  stop(): Promise<void>;
}

/** Where nginx is; undefined where there is none. Debian keeps it out of the path of who is not root. */
export function nginxBinary(): string | undefined {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
  return folders.map((folder) => join(folder, "nginx")).find(existsSync);
}

/** Serves `root` at a free port of 127.0.0.1. @throws Error where there is no nginx, or it does not start */
export async function startNginx(root: string): Promise<Nginx> {
  const binary = nginxBinary();
  if (binary === undefined) throw new Error("there is no nginx on this machine: apt-get install nginx-light");
  const prefix = await mkdtemp(join(tmpdir(), "holdfast-nginx-"));
  await mkdir(join(prefix, "temp"));
  const port = await freePort();
  await writeFile(join(prefix, "nginx.conf"), configuration(root, prefix, port));
  const server = spawn(binary, ["-p", prefix, "-c", "nginx.conf", "-e", "error.log"], { stdio: "ignore" });
  const exited = once(server, "exit");
  const stop = async () => {
    server.kill();
    await exited;
    await rm(prefix, { recursive: true, force: true });
  };
  for (const end = Date.now() + START_MS; !(await answers(port)); await sleep(20)) {
    if (server.exitCode === null && Date.now() < end) continue;
    const said = readFileSync(join(prefix, "error.log"), "utf8");
    await stop();
    throw new Error(`nginx does not start: ${said}`);
  }
  return { url: `http://127.0.0.1:${port}`, pid: server.pid as number, stop };
}

/**
 * Debian's own settings for whatever bears on files, one worker, no log. It serves out of its first process, so that this is
 * the one to look at, and the one to end. Root's files are read by nobody else.
 */
function configuration(root: string, prefix: string, port: number): string {
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (of) => `${of}_temp_path ${prefix}/temp/${of};`,
  );
  return `daemon off; master_process off; worker_processes 1; pid ${prefix}/nginx.pid;
${process.getuid?.() === 0 ? "user root;" : ""}
events { worker_connections 768; }
http {
  sendfile on; tcp_nopush on; types_hash_max_size 2048; default_type application/octet-stream;
  keepalive_requests 1000000; access_log off; ${paths.join(" ")}
  server { listen 127.0.0.1:${port}; root ${root}; }
}
`;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
