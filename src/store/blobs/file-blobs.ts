import { randomUUID } from "node:crypto";
import { copyFile, mkdir, open, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { HoldfastError } from "../../errors.js";
import { readFileRange } from "../../piece/file-node.js";
import { readChunks } from "../chunk-reader.js";
import { diskFull } from "../disk-full.js";
import { OpenFiles } from "../open-files.js";
import { syncFolder } from "../sync-folder.js";
import { type BlobInfo, type BlobStore, checkName, type OpenedBlob } from "./types.js";

const PART = ".part";
const READ_SIZE = 256 * 1024;
/** Age of leftovers that are cleared away, in milliseconds. */
const STALE_MS = 24 * 3_600_000;

/**
 * Blobs as files: `dir/<folder>/<name>`. What is being written has a name that ends in `.part`.
 *
 * @example
 * const blobs = new FileBlobs("data");
 * await blobs.put("pieces/note", bytes);
 */
export class FileBlobs implements BlobStore {
  readonly where: string;
  readonly #open = new OpenFiles();

  constructor(dir: string) {
    this.where = dir;
  }

  async size(name: string): Promise<number | undefined> {
    const path = this.#path(name);
    const size = this.#open.sizeOf(path);
    if (size !== undefined) return size;
    const found = await stat(path).catch(orMissing);
    return found?.isFile() ? found.size : undefined;
  }

  async *chunks(name: string, start: number, end: number): AsyncGenerator<Uint8Array> {
    const file = await this.#open.acquire(this.#path(name)).catch((cause: NodeJS.ErrnoException) => {
      throw orMissing(cause) ?? missing(name, cause);
    });
    try {
      let at = start;
      for await (const chunk of readChunks(file.handle, start, end)) {
        yield chunk;
        at += chunk.length;
      }
      if (at < end) throw cut(name, at);
    } finally {
      this.#open.release(file);
    }
  }

  async open(name: string, start: number, end: number, signal?: AbortSignal): Promise<OpenedBlob | undefined> {
    signal?.throwIfAborted();
    const file = await open(this.#path(name)).catch(orMissing);
    if (!file) return undefined;
    const found = await file.stat();
    if (!found.isFile()) {
      await file.close();
      return undefined;
    }
    const { size } = found;
    const last = Math.min(end, size);
    const read = readFileRange(file);
    let at = start;
    const bytes = new ReadableStream<Uint8Array>({
      async pull(controller) {
        try {
          signal?.throwIfAborted();
          const wanted = Math.min(READ_SIZE, last - at);
          const chunk = wanted > 0 ? await read(at, wanted) : undefined;
          if (chunk && chunk.length < wanted) throw cut(name, at + chunk.length);
          at += chunk?.length ?? 0;
          if (chunk) controller.enqueue(chunk);
          if (at < last) return;
          await file.close();
          controller.close();
        } catch (error) {
          await file.close();
          controller.error(error);
        }
      },
      cancel: () => file.close(),
    });
    return { size, bytes };
  }

  async read(name: string, offset: number, length: number): Promise<Uint8Array | undefined> {
    const file = await open(this.#path(name)).catch(orMissing);
    if (!file) return undefined;
    try {
      return await readFileRange(file)(offset, length);
    } finally {
      await file.close();
    }
  }

  put(name: string, bytes: Uint8Array): Promise<void> {
    return this.#appear(name, (part) => writeFile(part, bytes, { flush: true }));
  }

  async take(name: string, path: string): Promise<void> {
    try {
      await this.#moveTo(name, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw diskFull(error);
      await this.#appear(name, (part) => copied(path, part));
      await rm(path);
    }
  }

  async delete(name: string): Promise<void> {
    this.#open.forget(this.#path(name));
    await rm(this.#path(name), { force: true });
  }

  async *list(folder: string): AsyncGenerator<BlobInfo> {
    for (const file of (await readdir(join(this.where, folder)).catch(orMissing)) ?? []) {
      if (file.endsWith(PART)) continue;
      const found = await stat(join(this.where, folder, file)).catch(orMissing);
      if (found?.isFile()) yield { name: `${folder}/${file}`, size: found.size };
    }
  }

  async sweep(): Promise<void> {
    const oldest = Date.now() - STALE_MS;
    for (const folder of (await readdir(this.where, { withFileTypes: true }).catch(orMissing)) ?? []) {
      if (!folder.isDirectory()) continue;
      const dir = join(this.where, folder.name);
      for (const file of (await readdir(dir)).filter((one) => one.endsWith(PART))) {
        const found = await stat(join(dir, file)).catch(orMissing);
        if (found && found.mtimeMs <= oldest) await rm(join(dir, file), { force: true });
      }
    }
  }

  close(): void {}

  async #moveTo(name: string, path: string): Promise<void> {
    const target = await this.#target(name);
    await rename(path, target);
    await syncFolder(dirname(target));
  }

  async #appear(name: string, write: (part: string) => Promise<void>): Promise<void> {
    const part = `${await this.#target(name)}.${randomUUID()}${PART}`;
    try {
      await write(part);
      await this.#moveTo(name, part);
    } catch (error) {
      throw diskFull(error);
    } finally {
      await rm(part, { force: true });
    }
  }

  async #target(name: string): Promise<string> {
    const path = this.#path(name);
    await mkdir(dirname(path), { recursive: true });
    return path;
  }

  #path(name: string): string {
    checkName(name);
    return join(this.where, name);
  }
}

async function copied(from: string, to: string): Promise<void> {
  await copyFile(from, to);
  const file = await open(to, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

function orMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
  throw error;
}

function missing(name: string, cause: unknown): HoldfastError {
  return new HoldfastError("BLOB_MISSING", `${name} is not here`, "restore it", { cause });
}

function cut(name: string, at: number): HoldfastError {
  return new HoldfastError("BLOB_DAMAGED", `${name} is damaged: it ends at ${at}`, "restore it, or check the disk");
}
