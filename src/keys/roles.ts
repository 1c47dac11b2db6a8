/** Keeping keys of different duties apart. */
import { getAddress } from "ethers";
import { HoldfastError } from "../errors.js";
import { KEY_ROLES, type KeyRole } from "./types.js";

/**
 * Sees to it that no account has two duties. The key that sends proofs is the one most in use and needs no power at all; the
 * one that signs terms can commit the stake; the one that is paid needs to be on no server. One stolen key must not be all
 * three.
 *
 * @param accounts - The address of each duty; a duty that is left out is looked at by nobody.
 * @throws {HoldfastError} `SHARED_KEY` naming the duties.
 * @example
 * ```ts
 * requireSeparate({ proving: proving.address, terms: terms.address, payout: profile.payee });
 * ```
 */
export function requireSeparate(accounts: Readonly<Partial<Record<KeyRole, string>>>): void {
  const used = new Map<string, KeyRole>();
  for (const role of KEY_ROLES) {
    const account = accounts[role];
    if (account === undefined) continue;
    const address = getAddress(account);
    const other = used.get(address);
    if (other !== undefined) {
      const hint = "Make one for each with `holdfast keys new`: what a stolen key can do is then little.";
      throw new HoldfastError("SHARED_KEY", `${address} is the key for ${other} and for ${role}`, hint);
    }
    used.set(address, role);
  }
}
