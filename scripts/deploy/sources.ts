/** What explorers need to show the sources of a deployment. */
import { readFile } from "node:fs/promises";
import { Interface, type Provider } from "ethers";
import hre from "hardhat";
import { contractOf } from "../../src/chain/contract-names.js";
import { type Deployment, partsOf } from "../../src/chain/deployment.js";
import { ofMarket } from "../../src/chain/immutables.js";
import { artifacts } from "./artifacts.js";
import { argumentsOf, creationOf } from "./creation.js";
import type { StandardInput, Submission } from "./explorers/explorer.js";

/** What Hardhat keeps of a compilation. */
interface BuildInfo {
  readonly solcLongVersion: string;
  readonly userSourceNameMap: Readonly<Record<string, string>>;
  readonly input: StandardInput;
}

/** What came of it, as far as it is needed here. */
interface BuildOutput {
  readonly output: {
    readonly sources: Readonly<Record<string, { readonly ast: { readonly nodes: readonly AstNode[] } }>>;
  };
}

interface AstNode {
  readonly nodeType: string;
  /** Of an import, the file. */
  readonly absolutePath?: string;
}

/**
 * Each contract of a deployment, those that the market has made too: the files that it is compiled from, and no others, the
 * constructor's arguments, the transaction that made it where the deployment's file names the block.
 *
 * @throws Error where the contracts are not compiled
 */
export async function sourcesOf(provider: Provider, deployment: Deployment): Promise<Submission[]> {
  const made = ofMarket(deployment.market);
  const given = argumentsOf(deployment);
  const builds = new Map<string, Promise<[BuildInfo, BuildOutput]>>();
  const parts = partsOf(deployment).map((part) => ({
    ...{ part, name: contractOf(part, deployment.randomnessKind), address: deployment[part] },
    given: given[part],
  }));
  const own = made.map(({ name, address }) => ({ part: "market" as const, name, address, given: given[name] }));
  return Promise.all(
    [...parts, ...own].map(async ({ part, name, address, given: args = [] }) => {
      // Explorers do without it.
      const creation = (await creationOf(provider, deployment, part))?.hash;
      const { abi } = await artifacts.loadArtifact(name);
      const constructorArguments = Interface.from(abi).encodeDeploy(args).slice(2);
      const sources = await compiledFrom(name, builds);
      return { name, address, ...sources, constructorArguments, ...(creation !== undefined && { creation }) };
    }),
  );
}

/** The smallest input that gives the same code to the byte: settings, and with them the hash in the code, stay as they were. */
async function compiledFrom(name: string, builds: Map<string, Promise<[BuildInfo, BuildOutput]>>) {
  const { sourceName, contractName } = await artifacts.loadArtifact(name);
  const id = await hre.artifacts.getBuildInfoId(`${sourceName}:${contractName}`);
  if (id === undefined) throw new Error(`there is no build of ${name}`);
  if (!builds.has(id)) builds.set(id, readBuild(id));
  const [{ input, userSourceNameMap, solcLongVersion }, { output }] = await builds.get(id)!;
  const file = userSourceNameMap[sourceName]!;
  const files = [...importedFrom(file, output.sources)].sort();
  const sources = Object.fromEntries(files.map((one) => [one, input.sources[one]!]));
  return { input: { ...input, sources }, identifier: `${file}:${contractName}`, compiler: solcLongVersion };
}

async function readBuild(id: string): Promise<[BuildInfo, BuildOutput]> {
  const paths = await Promise.all([hre.artifacts.getBuildInfoPath(id), hre.artifacts.getBuildInfoOutputPath(id)]);
  const [info, output] = await Promise.all(paths.map((path) => readFile(path!, "utf8")));
  return [JSON.parse(info!) as BuildInfo, JSON.parse(output!) as BuildOutput];
}

/** A file with all that it imports, and what those import, as the compiler has found them. */
function importedFrom(file: string, sources: BuildOutput["output"]["sources"], found = new Set<string>()): Set<string> {
  if (found.has(file)) return found;
  found.add(file);
  for (const { nodeType, absolutePath } of sources[file]!.ast.nodes) {
    if (nodeType === "ImportDirective") importedFrom(absolutePath!, sources, found);
  }
  return found;
}
