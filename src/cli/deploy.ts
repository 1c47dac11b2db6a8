import { Command } from "commander";
import { formatEther } from "ethers";
import manifest from "../../package.json" with { type: "json" };
import { findSetting, settingOf } from "../../scripts/deploy/settings.js";
import { type DeployOutcome, type DeployPlan, deployTo } from "../../scripts/deploy.js";
import { isDevelopmentChain } from "../chain/block-time.js";
import { partsOf } from "../chain/deployment.js";
import { deploymentPath } from "../chain/find-deployment-node.js";
import { type Network, networkNamed } from "../chain/networks.js";
import { openBarePool } from "../chain/pool-provider.js";
import { HoldfastError } from "../errors.js";
import { isKeyNamed, type KeySource, keySourceFrom } from "../keys/index.js";
import { accountText } from "./account-text.js";
import { commandLogger, networkOption, printResult, rpcOption, rpcUrls, tell, warnOfPlainKey } from "./context.js";
import { openAsker, type Streams } from "./questions.js";
import { table } from "./table.js";
import { parseAddress, parseBaseUnits, parseCount, parseFeeBps } from "./values.js";

interface Flags {
  readonly rpc?: string;
  readonly network?: string;
  readonly feeBps: number;
  readonly treasury?: string;
  readonly stakeToken?: string;
  readonly minStake: bigint;
  readonly out?: string;
  readonly salt: string;
  readonly confirmations?: number;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

const SALT = `holdfast ${manifest.version}`;

/** `holdfast deploy --network NAME [--dry-run] [--yes] …`. */
export function deployCommand(): Command {
  return new Command("deploy")
    .description(
      "put Holdfast on a chain, or go on with what was interrupted: the same addresses, nothing twice. What a deployment " +
        "chooses is for ever; tiers, finality and seeds are those of the network (docs/networks.md)",
    )
    .addOption(networkOption())
    .addOption(rpcOption())
    .option("--fee-bps <n>", "fee within each price, in hundredths of a percent, at most 100", parseFeeBps, 0)
    .option("--treasury <address>", "where the fee goes; needed where there is one", parseAddress)
    .option("--stake-token <address>", "token of what providers have to provision; the coin by default", parseAddress)
    .option("--min-stake <amount>", "how much of it to take a deal, in base units", parseBaseUnits, 0n)
    .option(
      "--out <file>",
      "the deployment's file; CHAINID.json in HOLDFAST_DEPLOYMENTS, or in the repository's deployments/, by default",
    )
    .option("--salt <text>", "of addresses, where the chain has a CREATE2 factory", SALT)
    .option("--confirmations <n>", "blocks to wait for after each contract; the network's by default", parseCount)
    .option("--dry-run", "say what it costs, and send nothing")
    .option("--yes", "do not ask before spending on a main net")
    .option("--json", "print one JSON object last on standard output")
    .action(deployWith);
}

async function deployWith(flags: Flags): Promise<void> {
  if (!flags.network) {
    throw new HoldfastError("MISSING_SETTING", "no network is named", "pass --network NAME, see docs/networks.md");
  }
  const network = networkNamed(flags.network);
  const source = await deployerKey();
  // Known to what lists the endpoints as if it had been an option.
  const rpc = flags.rpc || (await settingOf(network.rpcVariable));
  const urls = rpcUrls(rpc === undefined ? flags : { ...flags, rpc });
  const forget = isDevelopmentChain(network.chainId) ? { forgetHeadMs: 0 } : {};
  const provider = await openBarePool(urls, network.chainId, { logger: commandLogger(), ...forget });
  try {
    warnOfPlainKey(source, network.chainId);
    const signer = (await source.open()).connect(provider);
    const file = flags.out ?? deploymentPath(network.chainId);
    const outcome = await deployTo({
      ...{ network, provider, signer, file, salt: flags.salt, options: optionsOf(flags, network) },
      ...(flags.confirmations !== undefined && { confirmations: flags.confirmations }),
      ...(flags.dryRun !== undefined && { dryRun: flags.dryRun }),
      agree: (plan) => agree(plan, flags),
    });
    printResult(flags, { outcome: outcome.outcome, file, ...reportOf(outcome) }, () => linesOf(outcome, file));
  } finally {
    provider.destroy();
  }
}

/** The key that is named as everywhere; where none is, the one that Hardhat's keystore may have. */
async function deployerKey(): Promise<KeySource> {
  const found = isKeyNamed(process.env) ? undefined : await findSetting("HOLDFAST_PRIVATE_KEY");
  if (found === undefined) return keySourceFrom(process.env);
  const { value, isGuarded } = found;
  const label = `HOLDFAST_PRIVATE_KEY of Hardhat's ${isGuarded ? "keystore" : "development keystore"}`;
  return { ...keySourceFrom({ HOLDFAST_PRIVATE_KEY: value }), label, development: !isGuarded };
}

function optionsOf({ feeBps, treasury, stakeToken, minStake }: Flags, network: Network) {
  if (feeBps > 0 && treasury === undefined) {
    throw new HoldfastError("MISSING_SETTING", "there is a fee, and nobody gets it", "pass --treasury ADDRESS");
  }
  const { randomnessKind, tiers, challengeFinality, demandWindow, sealedTiers } = network;
  return {
    ...{ randomnessKind, tiers, challengeFinality, demandWindow, feeBps, minStake },
    ...(sealedTiers !== undefined && { sealedTiers }),
    ...(treasury !== undefined && { treasury }),
    ...(stakeToken !== undefined && { stakeToken }),
  };
}

async function agree(plan: DeployPlan, { dryRun = false, yes = false }: Flags): Promise<boolean> {
  tell(planText(plan).join("\n"));
  if (dryRun) return false;
  if (!plan.network.isTest && !yes) await askToSpend(plan.network);
  return true;
}

/**
 * Resolves where somebody at a terminal types the network's name.
 *
 * @param streams - where somebody may sit; standard input and error by default
 * @throws HoldfastError `NOT_AGREED` where something else was typed, `MISSING_SETTING` where nobody can be asked
 */
export async function askToSpend({ coin, name }: Network, streams?: Streams): Promise<void> {
  const asker = openAsker(false, streams);
  try {
    const question = { option: "--yes", text: `This spends ${coin}. Type ${name} to go on` };
    if (await asker.ask(undefined, question, (text) => text === name)) return;
    throw new HoldfastError("NOT_AGREED", "nothing was sent", "run it again, and type the network's name");
  } finally {
    asker.close();
  }
}

function planText({ network, from, balance, estimate, deterministic, resumed }: DeployPlan): string[] {
  const { contracts, gas, scale, pricePerGas, cost } = estimate;
  const counted = contracts.map(({ name, gas: each, size }) => [
    name,
    each.toLocaleString("en"),
    size.toLocaleString("en"),
  ]);
  const columns = [{ title: "contract" }, { title: "EVM gas", right: true }, { title: "bytes of code", right: true }];
  return [
    `${network.title}, chain ${network.chainId}`,
    ...table(columns, [...counted, ["all", gas.toLocaleString("en"), ""]]),
    `its nodes ask for ${Number(scale) / 1_000} times as much gas, at ${pricePerGas} base units each`,
    `that is about ${formatEther(cost)} ${network.coin}; ${accountText(from, network.chainId)} has ${formatEther(balance)}`,
    network.gas,
    deterministic
      ? "addresses follow from account, code and salt (CREATE2): the same on every chain"
      : "the chain has no factory for CREATE2 that is known: addresses follow from the account's nonces",
    ...(resumed ? ["an earlier run is gone on with"] : []),
  ];
}

function reportOf({ deployment, plan }: DeployOutcome) {
  return {
    ...(deployment && { deployment }),
    ...(plan && { estimate: plan.estimate, from: plan.from, deterministic: plan.deterministic }),
  };
}

function linesOf({ outcome, deployment }: DeployOutcome, file: string): string[] {
  if (deployment === undefined) return ["nothing was sent"];
  const said = outcome === "there" ? `it is there already, as ${file} says` : `deployed, as ${file} says`;
  const rows = partsOf(deployment).map((part) => [part, accountText(deployment[part], deployment.chainId)]);
  return [said, ...table([{ title: "contract" }, { title: "address" }], rows)];
}
