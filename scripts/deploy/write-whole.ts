import { open, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { syncFolder } from "../../src/store/sync-folder.js";

/** Resolves when the file is on disk, whole or not at all, even after a power cut. @throws what the file system throws */
export async function writeWhole(path: string, text: string): Promise<void> {
  const part = `${path}.part`;
  const file = await open(part, "w");
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(part, path);
  await syncFolder(dirname(path));
}
