/** An ethers signer over whatever can sign bytes: a remote signer, a key management service. */
import {
  AbstractSigner,
  copyRequest,
  getAddress,
  getBytes,
  keccak256,
  type Provider,
  recoverAddress,
  resolveAddress,
  Signature,
  Transaction,
  type TransactionLike,
  type TransactionRequest,
  type TypedDataDomain,
  TypedDataEncoder,
  type TypedDataField,
  toUtf8Bytes,
} from "ethers";
import { HoldfastError } from "../errors.js";
import type { KeySigner } from "./types.js";

/**
 * Signs the Keccak-256 hash of a payload with one key.
 *
 * @param payload - What is hashed: an unsigned transaction, a message with its prefix, or `0x1901` and the two hashes of EIP-712.
 *   A service that sees it can decide what it signs; one that takes digests hashes it first.
 * @returns 65 bytes as hex, r, s and v (27 and 28, or 0 and 1), s in the lower half (EIP-2).
 */
export type SignPayload = (payload: Uint8Array, signal?: AbortSignal) => Promise<string>;

/**
 * Signs by a {@link SignPayload}. Every signature is checked by recovering its address before it is used: a service that is
 * mixed up, or lies, is noticed here and not on the chain.
 *
 * @example
 * ```ts
 * const signer = new PayloadSigner(address, (payload) => kms.sign(keyId, payload));
 * ```
 */
export class PayloadSigner extends AbstractSigner implements KeySigner {
  readonly address: string;
  readonly #sign: SignPayload;

  /** @param address - Of the key; what signatures have to recover to. */
  constructor(address: string, sign: SignPayload, provider: Provider | null = null) {
    super(provider);
    this.address = getAddress(address);
    this.#sign = sign;
  }

  async getAddress(): Promise<string> {
    return this.address;
  }

  connect(provider: Provider | null): PayloadSigner {
    return new PayloadSigner(this.address, this.#sign, provider);
  }

  /** @throws {HoldfastError} `WRONG_ACCOUNT`, `WRONG_SIGNATURE`, and what the service throws. */
  async signTransaction(transaction: TransactionRequest): Promise<string> {
    // A `Transaction` has what it holds behind getters, which a spread would leave out.
    const { from, to, ...rest } = copyRequest(transaction);
    if (from !== undefined && from !== null && getAddress(await resolveAddress(from, this)) !== this.address) {
      const hint = "Send it with a signer of that account.";
      throw new HoldfastError("WRONG_ACCOUNT", `A transaction of another account is not for ${this.address}`, hint);
    }
    const target = to === undefined || to === null ? {} : { to: await resolveAddress(to, this) };
    const unsigned = Transaction.from({ ...rest, ...target } as TransactionLike<string>);
    unsigned.signature = await this.#signature(getBytes(unsigned.unsignedSerialized));
    return unsigned.serialized;
  }

  /** @throws {HoldfastError} `WRONG_SIGNATURE`, and what the service throws. */
  async signMessage(message: string | Uint8Array): Promise<string> {
    const bytes = typeof message === "string" ? toUtf8Bytes(message) : message;
    const prefix = toUtf8Bytes(`\x19Ethereum Signed Message:\n${bytes.length}`);
    return (await this.#signature(new Uint8Array([...prefix, ...bytes]))).serialized;
  }

  /** @throws {HoldfastError} `WRONG_SIGNATURE`, and what the service throws. */
  async signTypedData(
    domain: TypedDataDomain,
    types: Record<string, TypedDataField[]>,
    value: Record<string, unknown>,
  ): Promise<string> {
    return (await this.#signature(getBytes(TypedDataEncoder.encode(domain, types, value)))).serialized;
  }

  async #signature(payload: Uint8Array): Promise<Signature> {
    const signed = await this.#sign(payload);
    try {
      const signature = Signature.from(signed);
      if (recoverAddress(keccak256(payload), signature) === this.address) return signature;
    } catch {
      // Not of 65 bytes, or with an s that no chain takes.
    }
    throw new HoldfastError(
      "WRONG_SIGNATURE",
      `What was signed for ${this.address} is no signature of it`,
      "Check which key the signer uses. Nothing was sent.",
    );
  }
}
