import { type Command, Option } from "commander";
import { compareCreation } from "../../scripts/deploy/creation.js";
import { PACE } from "../../scripts/deploy/explorers/http.js";
import { isShown, type SourceReport, submitSources } from "../../scripts/deploy/explorers/submit.js";
import { sourcesOf } from "../../scripts/deploy/sources.js";
import type { Chain } from "../chain/chain.js";
import { type CodeReport, compareCode } from "../chain/compare-code.js";
import type { Deployment } from "../chain/deployment.js";
import type { Explorer } from "../chain/explorers.js";
import { HoldfastError } from "../errors.js";
import { localBuild } from "./artifacts.js";
import { type ChainFlags, chainCommand, printResult, tell, withChain } from "./context.js";
import { type ChosenExplorers, chooseExplorers, parseExplorers } from "./explorer-settings.js";
import { table } from "./table.js";

interface Flags extends ChainFlags {
  /** `true`: all that can be asked. */
  readonly submit?: true | Explorer[];
}

/** `holdfast verify-deployment [--network NAME] [--deployment FILE] [--submit [EXPLORERS]]`. */
export function verifyDeploymentCommand(): Command {
  return chainCommand("verify-deployment")
    .description(
      "compare a deployment on its chain with a fresh build of these sources: code, immutables, parameters, what made it; with --submit, publish the " +
        "sources where they are compared again and shown (docs/networks.md)",
    )
    .addOption(
      new Option(
        "--submit [explorers]",
        "then send the sources to all of sourcify, blockscout and etherscan that the network has, or to those named, with commas " +
          "between them; etherscan wants ETHERSCAN_API_KEY",
      ).argParser(parseExplorers),
    )
    .action((flags: Flags) => withChain(flags, (chain) => verifyDeployment(chain, flags)));
}

async function verifyDeployment({ provider, deployment }: Chain, flags: Flags): Promise<void> {
  const { chainId } = deployment;
  // A setting that is missing is known before anything is asked.
  const explorers =
    flags.submit && chooseExplorers(chainId, flags.submit === true ? undefined : flags.submit, process.env);
  // Opening the chain has compared chain id, parameters and who calls whom.
  const contracts = await compareAll(provider, deployment);
  const wrong = contracts.filter(({ differs }) => differs !== undefined).map(({ name }) => name);
  if (wrong.length > 0 || explorers === undefined) {
    printResult(flags, { chainId, contracts }, () => codeLines(contracts));
    if (wrong.length === 0) return;
    const hint = "check out the commit that the deployment's file names, or take another deployment";
    throw new HoldfastError("DEPLOYMENT_MISMATCH", `the code of ${wrong.join(", ")} is not of this build`, hint);
  }
  const sources = await publish(provider, deployment, explorers);
  const { leftOut } = explorers;
  printResult(flags, { chainId, contracts, sources, leftOut }, () => [
    ...codeLines(contracts),
    "",
    ...sourceLines(sources),
  ]);
  const failed = sources.filter((report) => !isShown(report));
  if (failed.length > 0) throw notShown(failed);
}

/** A contract in what `holdfast verify-deployment --json` prints. */
interface ContractReport extends CodeReport {
  /** Set where nobody knows what made it, and what its storage held from the start. */
  readonly creationUnknown?: true;
}

/** The code that is there, and what made it. */
async function compareAll(provider: Chain["provider"], deployment: Deployment): Promise<ContractReport[]> {
  const [code, made] = await Promise.all([
    compareCode(provider, deployment, localBuild()),
    compareCreation(provider, deployment),
  ]);
  const unknown = made.filter(({ isKnown }) => !isKnown).map(({ name }) => name);
  if (unknown.length > 0) {
    tell(
      `how ${unknown.join(", ")} were made is not known: the deployment's file names no blocks, or the node does not serve them. Whoever made ` +
        "them may have left anything in their storage, as money that nobody paid in: trust who deployed them, or ask for a file with its blocks",
    );
  }
  const wrong = new Map(made.flatMap(({ name, differs }) => (differs === undefined ? [] : [[name, differs]])));
  return code.map((report) => {
    const differs = report.differs ?? wrong.get(report.name);
    const creation = unknown.includes(report.name) ? { creationUnknown: true as const } : {};
    return { ...report, ...creation, ...(differs !== undefined && { differs }) };
  });
}

async function publish(provider: Chain["provider"], deployment: Deployment, { clients, leftOut }: ChosenExplorers) {
  for (const { explorer, why } of leftOut) tell(`${explorer} is left out: ${why}`);
  const submissions = await sourcesOf(provider, deployment);
  return submitSources(clients, submissions, PACE, ({ explorer, name, state, words }) => {
    tell(`${explorer}: ${name} ${state} (${words})`);
  });
}

function codeLines(contracts: readonly ContractReport[]): string[] {
  const columns = [{ title: "contract" }, { title: "address" }, { title: "code" }];
  return table(
    columns,
    contracts.map(({ name, address, creationUnknown, differs }) => {
      const fine = creationUnknown ? "as built; what made it is not known" : "as built";
      return [name, address, differs ?? fine];
    }),
  );
}

function sourceLines(sources: readonly SourceReport[]): string[] {
  const columns = [{ title: "explorer" }, { title: "contract" }, { title: "sources" }, { title: "in its words" }];
  return table(
    columns,
    sources.map(({ explorer, name, state, words }) => [explorer, name, state, words]),
  );
}

/** One line: each explorer with what it did not do, and the first reason. */
function notShown(failed: readonly SourceReport[]): HoldfastError {
  const byExplorer = Map.groupBy(failed, ({ explorer, state }) => `${explorer}: ${state}`);
  const parts = [...byExplorer].map(([what, [first, ...others]]) => {
    const more = others.length === 0 ? "" : ` and ${others.length} more`;
    return `${what} ${first!.name}${more} (${first!.words})`;
  });
  const hint = "run it again, for these alone with --submit EXPLORER; what is verified stays so";
  return new HoldfastError("SOURCES_NOT_VERIFIED", `sources are not shown everywhere: ${parts.join("; ")}`, hint);
}
