import { getAddress, ZeroAddress } from "ethers";

/** Address zero: the native coin where a token is named, nobody where an account is. */
export const ZERO_ADDRESS: string = ZeroAddress;

/**
 * Whether `account` is the alias of a Filecoin actor id: 0xff, eleven zero bytes, the id (FIP-0054). An actor has an
 * Ethereum address besides, so the protocol refuses the alias everywhere (PROTOCOL section 11).
 *
 * @param account - an address, in any case
 * @throws TypeError where `account` is no address
 * @example
 * isIdAlias("0xff000000000000000000000000000000000004d2"); // true: actor 1234
 */
export function isIdAlias(account: string): boolean {
  return getAddress(account).toLowerCase().startsWith("0xff0000000000000000000000");
}

/**
 * Whether `account` can own anything in the protocol: neither zero nor an id alias.
 *
 * @param account - an address, in any case
 * @throws TypeError where `account` is no address
 * @example
 * isAccount(ZERO_ADDRESS); // false
 */
export function isAccount(account: string): boolean {
  return getAddress(account) !== ZERO_ADDRESS && !isIdAlias(account);
}
