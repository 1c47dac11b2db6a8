import { SigningKey } from "ethers";
import { base58btc } from "multiformats/bases/base58";
import { create } from "multiformats/hashes/digest";

const IDENTITY = 0x00;

/** The fields of a libp2p public key in protobuf: type 2, Secp256k1, and 33 bytes of data. */
const SECP256K1_KEY = Buffer.from("08021221", "hex");

/**
 * The libp2p Peer ID of an account's public key, in Base58: the key itself, compressed, in an identity multihash.
 *
 * @param publicKey - hex, compressed or not
 * @example
 * peerIdOf(wallet.signingKey.publicKey); // 16Uiu2HA…
 */
export function peerIdOf(publicKey: string): string {
  const compressed = Buffer.from(SigningKey.computePublicKey(publicKey, true).slice(2), "hex");
  const { bytes } = create(IDENTITY, Buffer.concat([SECP256K1_KEY, compressed]));
  // Peer IDs are written without the multibase prefix.
  return base58btc.baseEncode(bytes);
}
