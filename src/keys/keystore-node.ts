/** Keys in encrypted files: Web3 Secret Storage, version 3, as geth and most wallets write it. */
import { type ScryptOptions, scrypt as scryptCallback } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { encryptKeystoreJson, getAddress, isAddress, scrypt, Wallet } from "ethers";
import { HoldfastError } from "../errors.js";
import { keepSecret } from "../secrets.js";
import { readKeyFile, writeKeyFile } from "./key-file-node.js";
import { requireModestKdf } from "./keystore.js";
import type { PasswordSource } from "./password-node.js";
import type { KeySource } from "./types.js";

const native: (password: Uint8Array, salt: Uint8Array, length: number, options: ScryptOptions) => Promise<Buffer> =
  promisify(scryptCallback);

// Node's own is ten times as fast as the one that ethers brings for browsers.
scrypt.register((password, salt, N, r, p, length) =>
  native(password, salt, length, { N, r, p, maxmem: 256 * N * r + 2 ** 20 }),
);

/** A keystore as a list shows it. */
export interface KeyEntry {
  readonly name: string;
  readonly path: string;
  /** As the file says, without decrypting it; undefined where it does not. */
  readonly address: string | undefined;
  /** Why it can't be used: a code; undefined where nothing is known to be wrong. */
  readonly problem: string | undefined;
}

const NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/i;
/** Fewer characters are guessed, however slow the file makes it. */
const MIN_PASSWORD = 10;
/** geth's own: 128 MiB of memory, about a second. */
const SCRYPT = { N: 131_072, r: 8, p: 1 };

/**
 * A key in an encrypted file with mode 0600.
 *
 * @param path - The file.
 * @param password - Where its password comes from; asked for when the key is opened, once.
 */
export function keystoreSource(path: string, password: PasswordSource): KeySource {
  return {
    label: `the keystore ${path}`,
    development: false,
    address: async () => {
      const json = await readKeyFile(path, "keystore");
      requireModestKdf(path, json);
      return addressIn(json) ?? nameless(path);
    },
    open: async () =>
      decryptKeystore(path, await readKeyFile(path, "keystore"), await password(`password of the keystore ${path}`)),
  };
}

/**
 * Encrypts a key into a new file, and reads it back before the file gets its name: a key that can't be decrypted any more is
 * lost.
 *
 * @param name - Letters, digits, `-` and `_`; the file is `NAME.json`.
 * @param cost - Of the password's hash by scrypt; that of geth by default.
 * @throws {HoldfastError} `INVALID_KEY_NAME`, `WEAK_PASSWORD`, `KEY_EXISTS`.
 */
export async function writeKeystore(
  folder: string,
  name: string,
  { privateKey }: { readonly privateKey: string },
  password: string,
  cost: { readonly N: number; readonly r: number; readonly p: number } = SCRYPT,
): Promise<{ readonly path: string; readonly address: string }> {
  const path = keystorePath(folder, name);
  if ([...password].length < MIN_PASSWORD) {
    const message = `A password of fewer than ${MIN_PASSWORD} characters protects no key`;
    throw new HoldfastError(
      "WEAK_PASSWORD",
      message,
      "Take a longer one; a generated one in a file with mode 0600 is best.",
    );
  }
  keepSecret(privateKey);
  const wallet = new Wallet(privateKey);
  const json = await encryptKeystoreJson({ address: wallet.address, privateKey }, password, { scrypt: cost });
  const { address } = await decryptKeystore(path, json, password);
  await writeKeyFile(path, `${json}\n`);
  return { path, address };
}

/** @throws {HoldfastError} `INVALID_KEY_NAME`. */
export function keystorePath(folder: string, name: string): string {
  if (NAME.test(name)) return join(folder, `${name}.json`);
  const hint = "Use up to 64 letters, digits, - and _.";
  throw new HoldfastError("INVALID_KEY_NAME", "That is no name for a key", hint);
}

/**
 * The keystores in a folder, by name. None is decrypted; a file that is no keystore is listed with what is wrong.
 *
 * @returns nothing where there is no such folder
 */
export async function listKeystores(folder: string): Promise<KeyEntry[]> {
  const files = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const names = files.filter((file) => file.endsWith(".json")).sort();
  return Promise.all(
    names.map(async (file): Promise<KeyEntry> => {
      const entry = { name: file.slice(0, -5), path: join(folder, file) };
      try {
        const json = await readKeyFile(entry.path, "keystore");
        requireModestKdf(entry.path, json);
        return { ...entry, address: addressIn(json), problem: undefined };
      } catch (error) {
        if (!(error instanceof HoldfastError)) throw error;
        return { ...entry, address: undefined, problem: error.code };
      }
    }),
  );
}

async function decryptKeystore(path: string, json: string, password: string): Promise<Wallet> {
  requireModestKdf(path, json);
  keepSecret(password);
  try {
    const { privateKey } = await Wallet.fromEncryptedJson(json, password);
    keepSecret(privateKey);
    return new Wallet(privateKey);
  } catch {
    // Neither the password nor an error that may hold it is passed on.
    const message = `The keystore ${path} does not open with this password`;
    throw new HoldfastError("WRONG_PASSWORD", message, "Check the password and the file; nothing else can open it.");
  }
}

function addressIn(json: string): string | undefined {
  const { address } = JSON.parse(json) as { address?: unknown };
  const text = `0x${String(address ?? "").replace(/^0x/, "")}`;
  return isAddress(text) ? getAddress(text) : undefined;
}

function nameless(path: string): never {
  const hint = "one of `holdfast keys` does; this one opens all the same, if its password is right";
  throw new HoldfastError("KEYSTORE_INVALID", `${path} does not say which account it is of`, hint);
}
