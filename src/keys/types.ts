/** Where keys are, whatever keeps them. */
import type { Provider, Signer } from "ethers";

/** A signer that knows its account. An ethers `Wallet` is one. */
export interface KeySigner extends Signer {
  /** Checksummed. */
  readonly address: string;
  connect(provider: Provider | null): KeySigner;
}

/**
 * One key: in an encrypted file, with a remote signer, in a key management service. Everything that signs takes one of these,
 * so where a key lies is the operator's to choose, and to change.
 *
 * @example
 * ```ts
 * const source: KeySource = keystoreSource("proving.json", passwordFile("/run/secrets/proving"));
 * const signer = (await source.open()).connect(chain.provider);
 * ```
 */
export interface KeySource {
  /** What it is, for people and logs: holds no secret. */
  readonly label: string;
  /** Whether it is for a developer's own chain only. */
  readonly development: boolean;
  /** Whether opening it asks a person for a password. */
  readonly asks?: boolean;
  /**
   * Which account it is of, as file or settings say: nothing is decrypted, nobody is asked.
   *
   * @returns Checksummed.
   * @throws {HoldfastError} `KEYSTORE_INVALID` where a file does not say, and what reading it throws.
   */
  address(): Promise<string>;
  /**
   * Makes the key ready: decrypts the file, or asks the signer for it.
   *
   * @throws {HoldfastError} What stands in the way.
   */
  open(signal?: AbortSignal): Promise<KeySigner>;
}

/**
 * What a key is for. `proving` sends proofs and pays their gas; `terms` signs deals in the provider's name; `payout` is where the
 * money goes; `stake` is the provider's own account, which bonds its stake anew after a miss, where an operator wants that done by
 * machine.
 */
export const KEY_ROLES = ["proving", "terms", "payout", "stake"] as const;
export type KeyRole = (typeof KEY_ROLES)[number];
