import { HoldfastError } from "../errors.js";
import { NODE_SIZE } from "../piece/geometry.js";

const COUNT_SIZE = 2;
const MAX_NODES = 0xffff;

/**
 * Packs proofs as `proveMany` takes them: for each, the number of its nodes as two bytes, then the nodes, nothing
 * between. They belong to the ids in the same order.
 *
 * @param proofs - from `prove` of `src/piece`: nodes of 32 bytes, concatenated
 * @throws HoldfastError `INVALID_PROOF_LENGTH` where one is not whole nodes, or more than 65,535 of them
 * @example
 * await market.proveMany(ids, packProofs(proofs));
 */
export function packProofs(proofs: readonly Uint8Array[]): Uint8Array {
  const packed = new Uint8Array(proofs.reduce((size, proof) => size + packedSize(proof), 0));
  const view = new DataView(packed.buffer);
  let at = 0;
  for (const proof of proofs) {
    view.setUint16(at, proof.length / NODE_SIZE);
    packed.set(proof, at + COUNT_SIZE);
    at += packedSize(proof);
  }
  return packed;
}

/**
 * Bytes that one proof takes in a batch, for a sender that sizes batches by its chain.
 *
 * @param proof - nodes of 32 bytes, concatenated
 * @throws HoldfastError `INVALID_PROOF_LENGTH` where it is not whole nodes, or more than 65,535 of them
 * @example
 * packedSize(new Uint8Array(64)); // 66
 */
export function packedSize(proof: Uint8Array): number {
  if (proof.length % NODE_SIZE !== 0 || proof.length > MAX_NODES * NODE_SIZE) {
    throw new HoldfastError(
      "INVALID_PROOF_LENGTH",
      `a proof of ${proof.length} bytes can't be packed`,
      "give nodes of 32 bytes, concatenated, as prove() makes them",
    );
  }
  return COUNT_SIZE + proof.length;
}
