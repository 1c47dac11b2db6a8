/** The contracts that were compiled here. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Build, BuiltContract } from "../chain/compare-code.js";
import { HoldfastError } from "../errors.js";
import { ROOT } from "./root.js";

const ARTIFACTS = join(ROOT, "artifacts");
const FOLDERS = ["contracts", join("contracts", "randomness"), join("contracts", "integrations", "filecoin")];

type Names = BuiltContract["immutableNames"];
type Artifact = Omit<BuiltContract, "immutableNames"> & { readonly buildInfoId: string };

/** Of what came of a compilation, what names immutables. */
interface BuildOutput {
  readonly output: {
    readonly sources: Readonly<Record<string, { readonly ast: { readonly nodes: readonly AstNode[] } }>>;
  };
}

interface AstNode {
  readonly id: number;
  readonly name: string;
  readonly mutability?: string;
  /** Of a contract, what it has. */
  readonly nodes?: readonly AstNode[];
}

/** Whether there is a build: a package's user has none. */
export function hasLocalBuild(): boolean {
  return fileOf("Vault") !== undefined;
}

/**
 * Opens the build in `artifacts/`.
 *
 * @returns Gives its contracts. @throws HoldfastError `NO_BUILD`
 */
export function localBuild(): Build {
  // A compilation has several contracts, and is megabytes.
  const names = new Map<string, Promise<Names>>();
  return async (name) => {
    const file = fileOf(name);
    if (file === undefined) throw notBuilt(name);
    const artifact = JSON.parse(await readFile(file, "utf8")) as Artifact;
    const { buildInfoId: id } = artifact;
    if (!names.has(id)) names.set(id, namesIn(join(ARTIFACTS, "build-info", `${id}.output.json`), name));
    return { ...artifact, immutableNames: await names.get(id)! };
  };
}

/** What variables of contracts are called, by the ids that the compiler gave them. */
async function namesIn(file: string, name: string): Promise<Names> {
  if (!existsSync(file)) throw notBuilt(name);
  const { output } = JSON.parse(await readFile(file, "utf8")) as BuildOutput;
  const contracts = Object.values(output.sources).flatMap(({ ast }) => ast.nodes);
  const variables = contracts.flatMap(({ nodes = [] }) => nodes.filter(({ mutability }) => mutability === "immutable"));
  return Object.fromEntries(variables.map((variable) => [variable.id, variable.name]));
}

function notBuilt(name: string): HoldfastError {
  return new HoldfastError("NO_BUILD", `${name} is not compiled here`, "run `npx hardhat build`");
}

function fileOf(name: string): string | undefined {
  const files = FOLDERS.map((folder) => join(ARTIFACTS, folder, `${name}.sol`, `${name}.json`));
  return files.find((file) => existsSync(file));
}
