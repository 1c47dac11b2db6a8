/** Building the proof of one duty from the bytes of its piece. */
import type { Chain } from "../chain/chain.js";
import { HoldfastError } from "../errors.js";
import { prove } from "../piece/index.js";
import { challengeIndices } from "../protocol/index.js";
import type { PieceSource } from "../store/types.js";
import { idText } from "./deals.js";
import type { Duty } from "./duty.js";

/**
 * @param seed - of the duty's epoch
 * @throws {HoldfastError} `MISSING_PIECE`; what the store throws, and what `prove` does of bytes that are others
 */
export async function buildProof(
  { deployment }: Pick<Chain, "deployment">,
  pieces: PieceSource,
  { deal: { id, root, leafCount, tier }, window }: Duty,
  seed: bigint,
): Promise<Uint8Array> {
  const { chainId, market, tiers } = deployment;
  const count = tiers[tier]!.challenges;
  const indices = challengeIndices({ chainId, market, seed, dealId: id, window, count, leafCount });
  const piece = await pieces.open(root, leafCount);
  if (piece === undefined) throw missingPiece(id);
  return prove(piece.layer, piece.read, indices);
}

/** What is said of a piece whose bytes have not come in time. */
export function slowPiece(id: bigint, ms: number): HoldfastError {
  const message = `The piece of deal ${idText(id)} could not be read in ${ms / 1_000} s`;
  return new HoldfastError("SLOW_PIECE", message, "Look at the disk, or the bucket, before the window closes.");
}

function missingPiece(id: bigint): HoldfastError {
  return new HoldfastError(
    "MISSING_PIECE",
    `The store does not hold the piece of deal ${idText(id)}`,
    "Restore it from another copy before the window closes.",
  );
}
