import { open } from "node:fs/promises";

/** Makes what was created or renamed in a folder last through a power cut. Windows has no such call. */
export async function syncFolder(dir: string): Promise<void> {
  if (process.platform === "win32") return;
  const folder = await open(dir);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
