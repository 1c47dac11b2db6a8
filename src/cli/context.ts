/**
 * What the commands that talk to a chain share: their options and settings, the client they act through, how they print.
 *
 * @packageDocumentation
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Command, Option } from "commander";
import { Wallet } from "ethers";
import { destination, type Logger, pino } from "pino";
import { type Chain, openChain } from "../chain/chain.js";
import type { Deployment } from "../chain/deployment.js";
import { readDeployment } from "../chain/deployment-node.js";
import { chainIdAt } from "../chain/provider.js";
import { TransactionSender } from "../chain/sender.js";
import { type ChainAccess, HoldfastClient } from "../client/index.js";
import { HoldfastError } from "../errors.js";
import { printableLines } from "./printable.js";
import { ROOT } from "./root.js";

/** The options that {@link chainCommand} gives a command. */
export interface ChainFlags {
  readonly rpc?: string;
  readonly deployment?: string;
  readonly json?: boolean;
}

/** An account on a chain. `access` is what the functions of `src/client` take. */
export interface Session {
  readonly chain: Chain;
  readonly signer: Wallet;
  readonly access: ChainAccess;
  readonly client: HoldfastClient;
}

/**
 * A command with `--rpc`, `--deployment` and `--json`.
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
    .addOption(new Option("--rpc <url>", "JSON-RPC endpoint of the chain").env("HOLDFAST_RPC"))
    .addOption(
      new Option("--deployment <file>", "the market's deployment; deployments/CHAINID.json by default").env(
        "HOLDFAST_DEPLOYMENT",
      ),
    )
    .option("--json", "print one JSON object last on standard output");
}

/**
 * Does something with the chain, for which no key is needed, and closes the connection.
 *
 * @throws HoldfastError `MISSING_SETTING`, `INVALID_SETTING`, `NO_DEPLOYMENT`, `DEPLOYMENT_UNREADABLE`,
 *   `DEPLOYMENT_INVALID`, `DEPLOYMENT_MISMATCH`, `CHAIN_UNREACHABLE`, `WRONG_CHAIN`
 * @throws what `act` throws
 */
export async function withChain<T>(flags: ChainFlags, act: (chain: Chain) => Promise<T>): Promise<T> {
  const url = rpcUrl(flags);
  const deployment = flags.deployment
    ? await readDeployment(flags.deployment)
    : await knownDeployment(await chainIdAt(url));
  const chain = await openChain(url, deployment, { logger: commandLogger() });
  try {
    return await act(chain);
  } finally {
    chain.provider.destroy();
  }
}

/**
 * Does something as the account of HOLDFAST_PRIVATE_KEY, which has to have coin for gas.
 *
 * @throws HoldfastError what {@link withChain} throws, and `EMPTY_BALANCE`
 * @throws what `act` throws
 */
export async function withClient<T>(flags: ChainFlags, act: (session: Session) => Promise<T>): Promise<T> {
  const wallet = walletFromEnv(); // A missing key is known before anything is asked.
  return withChain(flags, async (chain) => {
    const { provider, deployment, contracts } = chain;
    const signer = wallet.connect(provider);
    if ((await provider.getBalance(signer.address)) === 0n) {
      const message = `${signer.address} has no coin on chain ${deployment.chainId} to pay gas with`;
      throw new HoldfastError("EMPTY_BALANCE", message, "send it some, or set another HOLDFAST_PRIVATE_KEY");
    }
    const sender = new TransactionSender({ provider, signer, logger: commandLogger() });
    const access = { address: signer.address, sender, deployment, contracts };
    return act({ chain, signer, access, client: new HoldfastClient(access) });
  });
}

/** What goes on meanwhile: on standard error, so that the result has standard output for itself. */
export function tell(text: string): void {
  console.error(printableLines(text));
}

/** Prints a command's result: as one line of JSON with `--json` (bigint as decimal strings), as lines otherwise. */
export function printResult<R extends object>(flags: ChainFlags, result: R, lines: (result: R) => string[]): void {
  const plain = (_key: string, value: unknown) => (typeof value === "bigint" ? value.toString() : value);
  console.log(flags.json ? JSON.stringify(result, plain) : lines(result).join("\n"));
}

/**
 * The deployment that comes with the repository.
 *
 * @throws HoldfastError `NO_DEPLOYMENT` where there is none for the chain, and what reading it throws
 */
export async function knownDeployment(chainId: number, folder = join(ROOT, "deployments")): Promise<Deployment> {
  const file = join(folder, `${chainId}.json`);
  if (existsSync(file)) return readDeployment(file);
  const message = `no deployment on chain ${chainId} is known here`;
  throw new HoldfastError("NO_DEPLOYMENT", message, "name its file with --deployment or HOLDFAST_DEPLOYMENT");
}

/** Warnings only, or everything with HOLDFAST_DEBUG=1; on standard error. */
export function commandLogger(): Logger {
  const level = process.env.HOLDFAST_DEBUG === "1" ? "debug" : "warn";
  return pino({ level }, destination({ dest: 2, sync: true }));
}

function rpcUrl({ rpc = "" }: ChainFlags): string {
  if (rpc === "") throw missing("no JSON-RPC endpoint is named", "pass --rpc URL or set HOLDFAST_RPC");
  if (URL.canParse(rpc) && /^https?:$/.test(new URL(rpc).protocol)) return rpc;
  // Not repeated in the message: endpoints carry keys.
  throw new HoldfastError("INVALID_SETTING", "the JSON-RPC endpoint is no http: or https: URL", "mend --rpc");
}

/** Only ever from the environment: a command line is seen by every process, and kept in the shell's history. */
function walletFromEnv(): Wallet {
  const key = process.env.HOLDFAST_PRIVATE_KEY ?? "";
  if (key === "") {
    throw missing(
      "there is no private key",
      "set HOLDFAST_PRIVATE_KEY in the environment or, for development, in .env",
    );
  }
  try {
    return new Wallet(key);
  } catch {
    // Neither the key nor an error that may hold it is passed on.
    const hint = "give 32 bytes in hex, as wallets export them";
    throw new HoldfastError("INVALID_SETTING", "HOLDFAST_PRIVATE_KEY is no private key", hint);
  }
}

function missing(what: string, hint: string): HoldfastError {
  return new HoldfastError("MISSING_SETTING", what, hint);
}
