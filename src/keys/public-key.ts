import { hashMessage, SigningKey } from "ethers";
import type { KeySigner } from "./types.js";

/** What is signed for it: it binds nobody to anything. */
const MESSAGE = "Holdfast: this signature shows the public key of the account, and nothing else.";

/**
 * The public key of an account, of which a signer need not tell more than the address: recovered from a signature.
 *
 * @returns 65 bytes in hex, not compressed
 * @throws what the signer throws
 * @example
 * const id = peerIdOf(await publicKeyOf(signer));
 */
export async function publicKeyOf(signer: KeySigner): Promise<string> {
  return SigningKey.recoverPublicKey(hashMessage(MESSAGE), await signer.signMessage(MESSAGE));
}
