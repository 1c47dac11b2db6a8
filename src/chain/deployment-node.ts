/** Deployment files. */
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { HoldfastError } from "../errors.js";
import { type Deployment, formatDeployment, parseDeployment } from "./deployment.js";

/**
 * Reads a deployment file.
 *
 * @throws {HoldfastError} `DEPLOYMENT_UNREADABLE` where the file can't be read, `DEPLOYMENT_INVALID` where it is no
 *   deployment.
 */
export async function readDeployment(path: string): Promise<Deployment> {
  let json: string;
  try {
    json = await readFile(path, "utf8");
  } catch (cause) {
    throw new HoldfastError(
      "DEPLOYMENT_UNREADABLE",
      `The deployment file ${path} can't be read`,
      "Pass the path of a file from deployments/, or deploy first.",
      { cause },
    );
  }
  return parseDeployment(json, `The deployment file ${path}`);
}

/**
 * Writes a deployment file, making its folder. A reader sees the old file or the new one, never a part.
 *
 * @throws What the file system throws.
 */
export async function writeDeployment(path: string, deployment: Deployment): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const part = `${path}.${process.pid}.part`;
  try {
    await writeFile(part, formatDeployment(deployment));
    await rename(part, path);
  } finally {
    await rm(part, { force: true });
  }
}
