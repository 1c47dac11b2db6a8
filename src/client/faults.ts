/**
 * Whose fault it is where something fails: a provider's, so that another one is asked, or not.
 *
 * @packageDocumentation
 */
import { ChainError } from "../chain/errors.js";
import { HoldfastError } from "../errors.js";

/** What another provider may do better: this one does not answer, refuses, or answers nonsense. */
const PROVIDER_FAULTS: ReadonlySet<string> = new Set([
  "PROVIDER_UNREACHABLE",
  "PROVIDER_REFUSED",
  "INVALID_REQUEST",
  // Its offer holds amounts that no terms can have.
  "INVALID_TERMS",
  "AMOUNT_TOO_LARGE",
]);

/** What the market says where it is the provider that does not keep its side. */
const PROVIDER_REVERTS: ReadonlySet<string> = new Set([
  "InsufficientStake",
  "StakeBelowMinimum",
  "InvalidProviderSignature",
  "NotRegistered",
  "TermsCancelled",
  "TermsExpired",
  "InvalidPossession",
]);

/** Whether another provider may do better. */
export function isProvidersFault(error: unknown): error is HoldfastError {
  if (error instanceof ChainError) return error.revert !== undefined && PROVIDER_REVERTS.has(error.revert.name);
  return error instanceof HoldfastError && PROVIDER_FAULTS.has(error.code);
}
