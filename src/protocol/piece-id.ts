import { AbiCoder, type BytesLike, keccak256 } from "ethers";

/**
 * The identity of data: keccak256(root, leafCount) (PROTOCOL section 2). A root with a false leafCount is different data.
 *
 * @returns 32 bytes in hex
 */
export function pieceIdOf({ root, leafCount }: { readonly root: BytesLike; readonly leafCount: bigint }): string {
  return keccak256(AbiCoder.defaultAbiCoder().encode(["bytes32", "uint256"], [root, leafCount]));
}
