/**
 * What the commands that talk to a chain share: their options and settings, the client they act through, how they print.
 *
 * @packageDocumentation
 */
import { Command, Option } from "commander";
import type { Logger } from "pino";
import { isDevelopmentChain } from "../chain/block-time.js";
import { type Chain, openChain } from "../chain/chain.js";
import type { Deployment } from "../chain/deployment.js";
import { readDeployment } from "../chain/deployment-node.js";
import { findDeployment } from "../chain/find-deployment-node.js";
import { NETWORKS, networkNamed } from "../chain/networks.js";
import { chainIdAt } from "../chain/provider.js";
import { TransactionSender } from "../chain/sender.js";
import { type ChainAccess, HoldfastClient } from "../client/index.js";
import { HoldfastError } from "../errors.js";
import { type KeySigner, type KeySource, keySourceFrom } from "../keys/index.js";
import { keepSecretsOfUrl, withoutSecrets } from "../secrets.js";
import { accountText } from "./account-text.js";
import { secretFreeLogger } from "./logging.js";
import { printableLines } from "./printable.js";

/** The options that {@link chainCommand} gives a command. */
export interface ChainFlags {
  /** Endpoints, with commas between them. */
  readonly rpc?: string;
  /** A network that is known by name. */
  readonly network?: string;
  readonly deployment?: string;
  readonly json?: boolean;
}

/** An account on a chain. `access` is what the functions of `src/client` take. */
export interface Session {
  readonly chain: Chain;
  readonly signer: KeySigner;
  readonly access: ChainAccess;
  readonly client: HoldfastClient;
}

/**
 * A command with `--rpc`, `--network`, `--deployment` and `--json`.
 *
 * @example
 * chainCommand("terminate")
 *   .argument("<deal>", "id of the deal", parseId)
 *   .action((id: bigint, flags: ChainFlags) =>
 *     withClient(flags, async ({ client }) => {
 *       await client.terminate(id);
 *       printResult(flags, { deal: id }, () => [`deal ${id} ends`]);
 *     }),
 *   );
 */
export function chainCommand(name: string): Command {
  return new Command(name)
    .addOption(rpcOption())
    .addOption(networkOption())
    .addOption(
      new Option(
        "--deployment <file>",
        "file of the market's deployment; found by chain by default, see docs/networks.md",
      ).env("HOLDFAST_DEPLOYMENT"),
    )
    .option("--json", "print one JSON object last on standard output");
}

/** `--rpc`, which may be repeated. */
export function rpcOption(): Option {
  return new Option("--rpc <url>", "JSON-RPC endpoint of the chain; give several, again or with commas, for failover")
    .env("HOLDFAST_RPC")
    .argParser((url: string, before?: string) => (before === undefined ? url : `${before},${url}`));
}

/** `--network`: where no endpoint is named, the one that the settings name for it, or a public one. */
export function networkOption(): Option {
  const names = NETWORKS.map(({ name }) => name).join(", ");
  return new Option("--network <name>", `a chain by its name (${names}): its endpoint, its deployment`).env(
    "HOLDFAST_NETWORK",
  );
}

/**
 * Does something with the chain, for which no key is needed, and closes the connection.
 *
 * @param known - the deployment; the one that `findDeployment` finds by default
 * @throws HoldfastError `MISSING_SETTING`, `INVALID_SETTING`, `NO_DEPLOYMENT`, `AMBIGUOUS_DEPLOYMENT`, `DEPLOYMENT_UNREADABLE`,
 *   `DEPLOYMENT_INVALID`, `DEPLOYMENT_MISMATCH`, `CHAIN_UNREACHABLE`, `WRONG_CHAIN`
 * @throws what `act` throws
 */
export async function withChain<T>(
  flags: ChainFlags,
  act: (chain: Chain) => Promise<T>,
  known?: Deployment,
): Promise<T> {
  const urls = rpcUrls(flags);
  const deployment = known ?? (await deploymentOf(flags, urls));
  const chain = await openChain(urls, deployment, { logger: commandLogger() });
  try {
    return await act(chain);
  } finally {
    chain.provider.destroy();
  }
}

/**
 * Does something as the account whose key the settings name, which has to have coin for gas.
 *
 * @throws HoldfastError what {@link withChain} throws, what opening the key throws, and `EMPTY_BALANCE`
 * @throws what `act` throws
 */
export async function withClient<T>(flags: ChainFlags, act: (session: Session) => Promise<T>): Promise<T> {
  const source = keySourceFrom(process.env); // A missing key is known before anything is asked.
  return withChain(flags, async (chain) => {
    const { provider, deployment, contracts } = chain;
    warnOfPlainKey(source, deployment.chainId);
    const signer = (await source.open()).connect(provider);
    if ((await provider.getBalance(signer.address)) === 0n) {
      const message = `${accountText(signer.address, deployment.chainId)} has no coin on chain ${deployment.chainId} to pay gas with`;
      throw new HoldfastError("EMPTY_BALANCE", message, "send it some, or act with another key");
    }
    const sender = new TransactionSender({ provider, signer, logger: commandLogger() });
    const access = { address: signer.address, sender, deployment, contracts };
    return act({ chain, signer, access, client: new HoldfastClient(access) });
  });
}

/** What goes on meanwhile: on standard error, so that the result has standard output for itself. */
export function tell(text: string): void {
  console.error(printableLines(withoutSecrets(text)));
}

/** Prints a command's result: as one line of JSON with `--json` (bigint as decimal strings), as lines otherwise. */
export function printResult<R extends object>(flags: ChainFlags, result: R, lines: (result: R) => string[]): void {
  const plain = (_key: string, value: unknown) => (typeof value === "bigint" ? value.toString() : value);
  console.log(flags.json ? JSON.stringify(result, plain) : lines(result).join("\n"));
}

/** Warnings only, or nothing, or everything with HOLDFAST_DEBUG=1; on standard error. */
export function commandLogger(quietest: "warn" | "silent" = "warn"): Logger {
  return secretFreeLogger(process.env.HOLDFAST_DEBUG === "1" ? "debug" : quietest);
}

async function deploymentOf({ deployment, network }: ChainFlags, urls: readonly string[]): Promise<Deployment> {
  // A setting that is left empty is none.
  if (!network && deployment) return readDeployment(deployment);
  const chain = network || (await chainIdAtFirst(urls));
  return (await findDeployment(chain, { file: deployment })).deployment;
}

/**
 * The endpoints that a command is given, or those of its network.
 *
 * @throws HoldfastError `MISSING_SETTING`, `INVALID_SETTING`, `UNKNOWN_NETWORK`
 */
export function rpcUrls({ rpc, network }: ChainFlags): string[] {
  const named = network ? networkNamed(network) : undefined;
  const text = rpc || (named && (process.env[named.rpcVariable] || named.rpc)) || "";
  const urls = text.split(/[\s,]+/).filter((url) => url !== "");
  if (urls.length === 0) {
    throw missing("no JSON-RPC endpoint is named", "pass --network NAME or --rpc URL, or set HOLDFAST_RPC");
  }
  for (const url of urls) keepSecretsOfUrl(url);
  if (urls.every((url) => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol))) return urls;
  // Not repeated in the message: endpoints carry keys.
  throw new HoldfastError("INVALID_SETTING", "a JSON-RPC endpoint is no http: or https: URL", "mend --rpc");
}

/**
 * The chain that the first endpoint which answers serves; opening looks whether the others serve the same.
 *
 * @throws HoldfastError `CHAIN_UNREACHABLE`
 */
export async function chainIdAtFirst(urls: readonly string[]): Promise<number> {
  let failed: unknown;
  for (const url of urls) {
    try {
      return await chainIdAt(url);
    } catch (error) {
      failed ??= error;
    }
  }
  throw failed;
}

/** A key in the clear is read by whatever reads the environment, a backup of .env, a crash report. */
export function warnOfPlainKey(source: KeySource, chainId: number): void {
  if (!source.development || isDevelopmentChain(chainId)) return;
  tell(
    `warning: ${source.label} is in the clear, on chain ${chainId}: use a keystore, see \`holdfast keys new --help\``,
  );
}

function missing(what: string, hint: string): HoldfastError {
  return new HoldfastError("MISSING_SETTING", what, hint);
}
