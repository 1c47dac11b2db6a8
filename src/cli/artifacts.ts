/** The contracts that were compiled here. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { BuiltContract } from "../chain/compare-code.js";
import { HoldfastError } from "../errors.js";
import { ROOT } from "./root.js";

const FOLDERS = ["contracts", join("contracts", "randomness"), join("contracts", "integrations", "filecoin")];

/** Whether there is a build: a package's user has none. */
export function hasLocalBuild(): boolean {
  return fileOf("Vault") !== undefined;
}

/** A contract of the build in `artifacts/`. @throws HoldfastError `NO_BUILD` */
export async function localBuild(name: string): Promise<BuiltContract> {
  const file = fileOf(name);
  if (file === undefined)
    throw new HoldfastError("NO_BUILD", `${name} is not compiled here`, "run `npx hardhat build`");
  return JSON.parse(await readFile(file, "utf8"));
}

function fileOf(name: string): string | undefined {
  const files = FOLDERS.map((folder) => join(ROOT, "artifacts", folder, `${name}.sol`, `${name}.json`));
  return files.find((file) => existsSync(file));
}
