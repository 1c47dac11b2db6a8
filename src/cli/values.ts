/**
 * Values as people write them on a command line.
 *
 * @packageDocumentation
 */
import { InvalidArgumentError } from "commander";
import { getAddress, isAddress } from "ethers";
import { HoldfastError } from "../errors.js";
import { fromFilecoinAddress, requireNoAlias, sizeOf } from "../protocol/index.js";

const MAX_COUNT = 2 ** 32 - 1;

/** Bytes: `1500`, `10MiB`, `1.5 GB` (a power of 1,000). A fraction of a byte is left off. */
export function parseSize(text: string): bigint {
  const bytes = sizeOf(text);
  if (bytes !== undefined && bytes > 0n) return bytes;
  throw new InvalidArgumentError("It has to be a number of bytes, with a unit or without: 1500, 10MiB, 1.5GB.");
}

/** A whole number from 1 to 2^32 - 1. */
export function parseCount(text: string): number {
  if (/^\d{1,10}$/.test(text) && Number(text) >= 1 && Number(text) <= MAX_COUNT) return Number(text);
  throw new InvalidArgumentError(`It has to be a whole number from 1 to ${MAX_COUNT}.`);
}

/** Hundredths of a percent, from 0 to 100: what a market may take. */
export function parseFeeBps(text: string): number {
  if (/^\d{1,3}$/.test(text) && Number(text) <= 100) return Number(text);
  throw new InvalidArgumentError("It has to be a whole number of hundredths of a percent, 100 at most.");
}

/** An amount in base units. */
export function parseBaseUnits(text: string): bigint {
  if (/^\d{1,39}$/.test(text)) return BigInt(text);
  throw new InvalidArgumentError("It has to be a whole number of base units.");
}

/**
 * An address; where it has capitals, its checksum has to be right. Gives the checksummed form, of Filecoin's `f410f…` as well.
 */
export function parseAddress(text: string): string {
  try {
    const account = /^0x/.test(text) && isAddress(text) ? getAddress(text) : fromFilecoinAddress(text);
    if (account === undefined) throw noAddress();
    requireNoAlias(account);
    return account;
  } catch (error) {
    if (error instanceof HoldfastError) throw new InvalidArgumentError(`${error.message}. ${error.hint}`);
    throw error;
  }
}

function noAddress(): InvalidArgumentError {
  return new InvalidArgumentError("It has to be an address, 0x and 40 hexadecimal digits, its checksum right.");
}
