/** Which key a process acts with, as its environment says. */
import { homedir } from "node:os";
import { join } from "node:path";
import { isAddress, Wallet } from "ethers";
import { HoldfastError } from "../errors.js";
import { keepSecret } from "../secrets.js";
import { keystorePath, keystoreSource } from "./keystore-node.js";
import { type PasswordSource, passwordFile, passwordPrompt, passwordValue } from "./password-node.js";
import { remoteSignerSource } from "./remote.js";
import type { KeyRole, KeySource } from "./types.js";

type Environment = Readonly<Record<string, string | undefined>>;

/** The settings that name a key. Each has a form for a role: `HOLDFAST_PROVING_KEYSTORE`. */
const KINDS = ["KEYSTORE", "REMOTE_SIGNER", "PRIVATE_KEY"] as const;

/** Where keystores lie that are named without a path: `HOLDFAST_KEYS`, or `~/.holdfast/keys`. */
export function keysFolder(environment: Environment = process.env): string {
  return environment.HOLDFAST_KEYS || join(homedir(), ".holdfast", "keys");
}

/** Whether the environment names a key for no duty in particular, be it right or wrong. */
export function isKeyNamed(environment: Environment): boolean {
  return KINDS.some((kind) => (environment[`HOLDFAST_${kind}`] ?? "") !== "");
}

/**
 * The key that the environment names: `HOLDFAST_KEYSTORE` (a file, or a name in {@link keysFolder}), or `HOLDFAST_REMOTE_SIGNER`
 * (a URL) and `HOLDFAST_ACCOUNT`, or, for development, `HOLDFAST_PRIVATE_KEY`. Nothing is opened yet.
 *
 * @param role - Settings of the role (`HOLDFAST_PROVING_…`) are used where there are any, those without one otherwise.
 * @throws {HoldfastError} `MISSING_SETTING` where none is named, `AMBIGUOUS_KEY` where several are, `INVALID_SETTING`.
 * @example
 * ```ts
 * const signer = await keySourceFrom(process.env, "proving").open();
 * ```
 */
export function keySourceFrom(environment: Environment, role?: KeyRole): KeySource {
  const prefixes = role === undefined ? ["HOLDFAST_"] : [`HOLDFAST_${role.toUpperCase()}_`, "HOLDFAST_"];
  for (const prefix of prefixes) {
    const set = KINDS.filter((kind) => (environment[prefix + kind] ?? "") !== "");
    if (set.length > 1) throw ambiguous(set.map((kind) => prefix + kind));
    if (set[0] !== undefined) return sourceOf(set[0], prefix, environment);
  }
  throw new HoldfastError(
    "MISSING_SETTING",
    "there is no key to act with",
    "set HOLDFAST_KEYSTORE to a key of `holdfast keys new`; for development, HOLDFAST_PRIVATE_KEY in the environment or .env",
  );
}

function sourceOf(kind: (typeof KINDS)[number], prefix: string, environment: Environment): KeySource {
  const value = environment[prefix + kind]!;
  if (kind === "PRIVATE_KEY") return plainSource(value, prefix + kind);
  if (kind === "KEYSTORE") {
    const isPath = /[/\\.]/.test(value);
    const path = isPath ? value : keystorePath(keysFolder(environment), value);
    const asks = givenPassword(environment, prefix) === undefined;
    return { ...keystoreSource(path, passwordFrom(environment, prefix)), asks };
  }
  const address = environment[`${prefix}ACCOUNT`] ?? "";
  if (isAddress(address)) return remoteSignerSource({ url: value, address });
  const what = address === "" ? "MISSING_SETTING" : "INVALID_SETTING";
  const message = `${prefix}ACCOUNT is not the address of a key of the remote signer`;
  throw new HoldfastError(what, message, `set ${prefix}ACCOUNT to its address, checksum right`);
}

/** `…PASSWORD_FILE`, or `…KEY_PASSWORD`, of the prefix or without a role; otherwise somebody is asked. */
export function passwordFrom(environment: Environment, prefix = "HOLDFAST_"): PasswordSource {
  return givenPassword(environment, prefix) ?? passwordPrompt();
}

function givenPassword(environment: Environment, prefix: string): PasswordSource | undefined {
  for (const one of new Set([prefix, "HOLDFAST_"])) {
    const file = environment[`${one}PASSWORD_FILE`] ?? "";
    if (file !== "") return passwordFile(file);
    const value = environment[`${one}KEY_PASSWORD`] ?? "";
    if (value !== "") return passwordValue(value);
  }
  return undefined;
}

/** A key in the clear, for development. */
function plainSource(key: string, name: string): KeySource {
  keepSecret(key);
  let wallet: Wallet;
  try {
    wallet = new Wallet(key);
  } catch {
    // Neither the key nor an error that may hold it is passed on.
    const hint = "give 32 bytes in hex, as wallets export them";
    throw new HoldfastError("INVALID_SETTING", `${name} is no private key`, hint);
  }
  keepSecret(wallet.privateKey);
  return { label: name, development: true, address: async () => wallet.address, open: async () => wallet };
}

function ambiguous(names: readonly string[]): HoldfastError {
  const message = `several keys are named: ${names.join(", ")}`;
  return new HoldfastError("AMBIGUOUS_KEY", message, "leave one of them; no key is chosen by chance");
}
