/** Accounts as Filecoin writes them: `f410f…` for an Ethereum address (FIP-0048), beside its `0x…`. */
import { blake2b } from "@noble/hashes/blake2.js";
import { concat, getAddress, getBytes, hexlify, toBeHex } from "ethers";
import { base32 } from "multiformats/bases/base32";
import { HoldfastError } from "../errors.js";
import { isIdAlias } from "./address.js";

const MAIN_NET = 314;
/** Calibration, and a developer's own. */
const TEST_NETS: ReadonlySet<number> = new Set([314_159, 31_415_926]);

/** Protocol 4, of the Ethereum address manager, whose actor id 10 is a varint. */
const DELEGATED = "0x040a";
const CHECKSUM_BYTES = 4;
const ACCOUNT_BYTES = 20;
/** 24 bytes in base32. */
const F410 = /^[ft]410f([a-z2-7]{39})$/;
/** Any address of Filecoin's: network, protocol, and what that makes of it. */
const FILECOIN = /^[ft]([0-4])[a-z0-9]+$/;

/** Whether a chain is a Filecoin, whose people know accounts by two names. */
export function isFilecoin(chainId: number | bigint): boolean {
  return Number(chainId) === MAIN_NET || TEST_NETS.has(Number(chainId));
}

/**
 * An account as a Filecoin chain writes it: `f410f…`, on test networks `t410f…`; the id of an actor where the address is its alias.
 *
 * @param account - an Ethereum address, in any case
 * @returns undefined where the chain is no Filecoin
 * @throws TypeError where `account` is no address
 * @example
 * filecoinAddress("0xd388aB098ed3E84c0D808776440B48F685198498", 314); // f410f2oekwcmo2pueydmaq53eic2i62crtbeyuzx2gmy
 */
export function filecoinAddress(account: string, chainId: number | bigint): string | undefined {
  if (!isFilecoin(chainId)) return undefined;
  const network = Number(chainId) === MAIN_NET ? "f" : "t";
  if (isIdAlias(account)) return `${network}0${idOf(account)}`;
  return `${network}410f${base32.baseEncode(getBytes(concat([account, checksum(account)])))}`;
}

/**
 * The Ethereum address of an account that is written as Filecoin does; undefined where the text is no address of Filecoin's.
 *
 * @param text - of the main network or a test network: the account is the same on both
 * @throws {HoldfastError} `INVALID_ADDRESS` where it is one that has no Ethereum address, or its checksum is wrong
 */
export function fromFilecoinAddress(text: string): string | undefined {
  const lower = text.toLowerCase();
  const [, protocol] = FILECOIN.exec(lower) ?? [];
  if (protocol === undefined) return undefined;
  const [, payload] = F410.exec(lower) ?? [];
  if (payload === undefined) throw noEthereumForm(text, protocol);
  const bytes = base32.baseDecode(payload);
  const account = hexlify(bytes.subarray(0, ACCOUNT_BYTES));
  if (filecoinAddress(account, MAIN_NET)?.slice(1) === lower.slice(1)) return getAddress(account);
  if (isIdAlias(account)) throw aliasRefused(account);
  throw invalid(`${text} is not right: its checksum differs`, "Copy it again, whole.");
}

/**
 * @param account - an Ethereum address
 * @throws {HoldfastError} `INVALID_ADDRESS` where it is the alias of an actor id, which every contract refuses
 */
export function requireNoAlias(account: string): void {
  if (isIdAlias(account)) throw aliasRefused(account);
}

function checksum(account: string): Uint8Array {
  return blake2b(getBytes(concat([DELEGATED, account])), { dkLen: CHECKSUM_BYTES });
}

function idOf(alias: string): bigint {
  return BigInt(alias) & (2n ** 64n - 1n);
}

function aliasRefused(account: string): HoldfastError {
  const what = `${getAddress(account)} is the alias of the Filecoin actor f0${idOf(account)}, which the market refuses`;
  return invalid(what, "Give the account's own address, 0x… or f410….");
}

function noEthereumForm(text: string, protocol: string): HoldfastError {
  const own = "Give an account's 0x… or f410… address.";
  switch (protocol) {
    case "0": {
      const id = /^..(\d{1,19})$/.exec(text)?.[1];
      const alias = id === undefined ? "" : ` (${getAddress(`0xff${toBeHex(BigInt(id), 19).slice(2)}`)})`;
      return invalid(
        `${text} is the id of an actor: its alias in Ethereum's form${alias} is refused by the market`,
        own,
      );
    }
    case "4":
      return invalid(`${text} is no f410 address of an account`, "It has f410f and 39 letters and digits.");
    default:
      return invalid(`${text} is an f${protocol} address, which has no Ethereum form: it can hold nothing here`, own);
  }
}

function invalid(message: string, hint: string): HoldfastError {
  return new HoldfastError("INVALID_ADDRESS", message, hint);
}
