/** The commands that make, list and take in keys. */
import { Command, Option } from "commander";
import { hexlify, randomBytes, Wallet } from "ethers";
import { networkNamed } from "../chain/networks.js";
import { HoldfastError } from "../errors.js";
import {
  type KeyEntry,
  keysFolder,
  listKeystores,
  type PasswordSource,
  passwordFile,
  passwordFrom,
  passwordPrompt,
  passwordTwice,
  writeKeystore,
} from "../keys/index.js";
import { readKeyFile } from "../keys/key-file-node.js";
import { keepSecret } from "../secrets.js";
import { accountText } from "./account-text.js";
import { printResult, tell } from "./context.js";
import { table } from "./table.js";

interface KeysFlags {
  readonly dir?: string;
  readonly passwordFile?: string;
  readonly network?: string;
  readonly json?: boolean;
}

interface ImportFlags extends KeysFlags {
  readonly keyFile?: string;
  readonly fromEnv?: boolean;
}

/** What `holdfast keys new --json` and `holdfast keys import --json` print. */
export interface KeyReport {
  readonly name: string;
  readonly address: string;
  readonly path: string;
}

function keysCommand(name: string): Command {
  return new Command(name)
    .option("--dir <folder>", "where keys lie; HOLDFAST_KEYS, or ~/.holdfast/keys, by default")
    .addOption(
      new Option("--network <name>", "where accounts are to live: Filecoin has a name of its own for each")
        .env("HOLDFAST_NETWORK")
        // A name that is wrong is known before a key is made.
        .argParser((name) => (name === "" ? "" : networkNamed(name).name)),
    )
    .option("--json", "print one JSON object last on standard output");
}

function withPassword(command: Command): Command {
  return command.option(
    "--password-file <file>",
    "the password, in a file with mode 0600; by default HOLDFAST_PASSWORD_FILE or HOLDFAST_KEY_PASSWORD, or it is asked for",
  );
}

/** `holdfast keys new [NAME]`. */
export function keysNewCommand(): Command {
  return withPassword(keysCommand("new"))
    .description("make a key and encrypt it into a file that only you can read; one for each duty is best")
    .argument("[name]", "what to call it: proving, terms, payout", "default")
    .action(async (name: string, flags: KeysFlags) => {
      report(flags, name, await encrypt(name, hexlify(randomBytes(32)), flags));
    });
}

/** `holdfast keys import [NAME] [--key-file FILE | --from-env]`. */
export function keysImportCommand(): Command {
  return withPassword(keysCommand("import"))
    .description("encrypt a private key that there is; it is asked for, and shown nowhere")
    .argument("[name]", "what to call it", "default")
    .option("--key-file <file>", "the key, 32 bytes in hex, in a file with mode 0600")
    .option("--from-env", "the key of HOLDFAST_PRIVATE_KEY")
    .action(async (name: string, flags: ImportFlags) => {
      report(flags, name, await encrypt(name, await keyFrom(flags), flags));
    });
}

/** `holdfast keys list`. */
export function keysListCommand(): Command {
  return keysCommand("list")
    .description("list encrypted keys, without opening any")
    .action(async (flags: KeysFlags) => {
      const folder = flags.dir ?? keysFolder();
      const keys = await listKeystores(folder);
      printResult(flags, { folder, keys }, () => (keys.length === 0 ? [`no keys in ${folder}`] : lines(keys, flags)));
    });
}

async function encrypt(name: string, privateKey: string, flags: KeysFlags) {
  const password = await newPassword(flags)(`password of the new key ${name}`);
  return writeKeystore(flags.dir ?? keysFolder(), name, { privateKey }, password);
}

function newPassword({ passwordFile: path }: KeysFlags): PasswordSource {
  if (path !== undefined) return passwordFile(path);
  const { HOLDFAST_PASSWORD_FILE: file = "", HOLDFAST_KEY_PASSWORD: value = "" } = process.env;
  if (file !== "" || value !== "") return passwordFrom(process.env);
  return passwordTwice(passwordPrompt());
}

async function keyFrom({ keyFile, fromEnv }: ImportFlags): Promise<string> {
  const text = await keyText(keyFile, fromEnv === true);
  const key = text.trim().replace(/^(?!0x)/, "0x");
  keepSecret(key);
  try {
    return new Wallet(key).privateKey;
  } catch {
    // Neither the key nor an error that may hold it is passed on.
    throw new HoldfastError("INVALID_KEY", "That is no private key", "Give 32 bytes in hex, as wallets export them.");
  }
}

async function keyText(keyFile: string | undefined, fromEnv: boolean): Promise<string> {
  if (keyFile !== undefined) return readKeyFile(keyFile, "key file");
  if (fromEnv) return process.env.HOLDFAST_PRIVATE_KEY ?? "";
  return passwordPrompt()("private key");
}

function report(flags: KeysFlags, name: string, { address, path }: Omit<KeyReport, "name">): void {
  printResult<KeyReport>(flags, { name, address, path }, () => [`${name}  ${shown(address, flags)}  ${path}`]);
  tell("keep a copy of the file, and of its password, somewhere else: nobody can replace either");
}

/** A key has the same account on every chain; a setting that is left empty is none. */
function shown(address: string, { network }: KeysFlags): string {
  return network ? accountText(address, networkNamed(network).chainId) : address;
}

function lines(keys: readonly KeyEntry[], flags: KeysFlags): string[] {
  const columns = ["name", "account", "state", "file"].map((title) => ({ title }));
  return table(
    columns,
    keys.map(({ name, address, problem, path }) => [
      name,
      address ? shown(address, flags) : "-",
      problem ?? "ok",
      path,
    ]),
  );
}
