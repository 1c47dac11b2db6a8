/** Manifests as files, which one program at a time changes. */
import { randomUUID } from "node:crypto";
import { open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { HoldfastError } from "../../errors.js";
import { syncFolder } from "../../store/sync-folder.js";
import { formatManifest, type Manifest, ManifestBook, parseManifest } from "./manifest.js";

/**
 * Reads a manifest.
 *
 * @throws HoldfastError `MANIFEST_UNREADABLE`, `INVALID_MANIFEST`
 */
export async function readManifest(path: string): Promise<Manifest> {
  let json: string;
  try {
    json = await readFile(path, "utf8");
  } catch (cause) {
    throw new HoldfastError("MANIFEST_UNREADABLE", `the manifest ${path} can't be read`, "check the path", { cause });
  }
  return parseManifest(json);
}

/**
 * Writes a manifest: whoever reads it, and whoever comes after a crash, finds the old one or the new one, whole.
 *
 * @throws HoldfastError `FILE_UNWRITABLE`
 */
export async function writeManifest(path: string, manifest: Manifest): Promise<void> {
  const part = `${path}.${randomUUID()}.part`;
  try {
    const file = await open(part, "wx");
    try {
      await file.writeFile(formatManifest(manifest));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(part, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    await rm(part, { force: true });
    throw new HoldfastError("FILE_UNWRITABLE", `${path} can't be written`, "check the folder", { cause });
  }
}

/**
 * Makes sure that no other program changes a manifest: two keepers of one would both pay for what one of them misses.
 *
 * @returns gives the manifest free again
 * @throws HoldfastError `MANIFEST_IN_USE`, `FILE_UNWRITABLE`
 */
export async function lockManifest(path: string): Promise<() => Promise<void>> {
  const lock = `${path}.lock`;
  for (let attempt = 0; ; attempt++) {
    try {
      const file = await open(lock, "wx");
      await file.writeFile(String(process.pid));
      await file.close();
      return () => rm(lock, { force: true });
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "EEXIST") {
        throw new HoldfastError("FILE_UNWRITABLE", `${lock} can't be written`, "check the folder", { cause });
      }
      const pid = Number(await readFile(lock, "utf8").catch(() => ""));
      if (attempt > 0 || isRunning(pid)) {
        const hint = `stop process ${pid || "that holds it"}; where there is none, delete ${lock}`;
        throw new HoldfastError("MANIFEST_IN_USE", `another program works on ${path}`, hint, { cause });
      }
      await rm(lock, { force: true });
    }
  }
}

/** A manifest of a file that is locked until `release`; each change of it is written at once. */
export interface LockedManifest {
  readonly book: ManifestBook;
  release(): Promise<void>;
}

/**
 * Locks a manifest and reads it.
 *
 * @throws HoldfastError what {@link lockManifest} and {@link readManifest} throw
 */
export async function openManifest(path: string): Promise<LockedManifest> {
  const release = await lockManifest(path);
  try {
    const manifest = await readManifest(path);
    return { book: new ManifestBook(manifest, (next) => writeManifest(path, next)), release };
  } catch (error) {
    await release();
    throw error;
  }
}

/** A lock that is not written yet, or that names a process of another user, counts as held. */
function isRunning(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
