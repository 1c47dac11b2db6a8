/** One process a folder: what two write to at once is damaged, and neither notices. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { realpath, rm } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HoldfastError } from "../errors.js";

/**
 * Takes a folder for this process. The lock is a local socket that is named by the folder, so whatever ends the process ends the
 * lock. It is this machine's: a folder on a network, or one that containers share, is nobody's to check.
 *
 * @param inUse - the error to throw where it is another's
 * @returns gives it back; may be called again
 * @throws what `inUse` gives; what the file system throws
 * @example
 * const release = await lockFolder("data/uploads", (cause) => new HoldfastError("FOLDER_IN_USE", …));
 */
export async function lockFolder(dir: string, inUse: (cause: unknown) => HoldfastError): Promise<() => Promise<void>> {
  const name = createHash("sha256")
    .update(await realpath(dir))
    .digest("hex")
    .slice(0, 32);
  const path = pathOf(`holdfast-${name}`);
  const server = await listen(path, inUse);
  // It holds nobody up who wants to end.
  server.unref();
  const closed = once(server, "close");
  return async () => {
    server.close();
    await closed;
  };
}

/** Names of Linux' abstract sockets and of Windows' pipes end with their process; elsewhere a file is left. */
function pathOf(name: string): string {
  if (process.platform === "linux") return `\0${name}`;
  return process.platform === "win32" ? `\\\\.\\pipe\\${name}` : join(tmpdir(), `${name}.sock`);
}

async function listen(path: string, inUse: (cause: unknown) => HoldfastError): Promise<Server> {
  for (let again = true; ; again = false) {
    const server = createServer((socket) => socket.destroy());
    try {
      server.listen(path);
      await once(server, "listening");
      return server;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "EADDRINUSE") throw cause;
      if (again && path.endsWith(".sock") && !(await isAnswered(path))) await rm(path, { force: true });
      else throw inUse(cause);
    }
  }
}

async function isAnswered(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
