/** What the layers above need of a store of pieces. */
import type { ReadPayloadRange, TreeLayer } from "../piece/index.js";

/** Where a proof's bytes come from. */
export interface PieceSource {
  /**
   * The cached tree layer of a piece and a reader of its payload; undefined where the store does not hold it. The pair
   * of root and leafCount is the piece's identity: another leafCount is another piece.
   */
  open(root: Uint8Array, leafCount: bigint): Promise<{ layer: TreeLayer; read: ReadPayloadRange } | undefined>;
}
