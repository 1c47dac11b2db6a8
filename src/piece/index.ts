/**
 * Pieces: bytes → commitment, tree, proof, PieceCID. Pure; runs in Node and in browsers. What needs Node's file
 * system is in `file-node.ts`.
 *
 * @packageDocumentation
 */
export { decodePieceCid, decodePieceCidV1, encodePieceCid, encodePieceCidV1 } from "./cid.js";
export {
  type CommitOptions,
  commit,
  commitWithLayer,
  DEFAULT_LAYER_LEVEL,
  type LayerOptions,
  PieceHasher,
  type PieceSource,
} from "./commit.js";
export {
  type Commitment,
  commitmentOf,
  leafCountOf,
  MAX_HEIGHT,
  MAX_PAYLOAD_SIZE,
  MIN_HEIGHT,
  NODE_SIZE,
  payloadUnder,
  treeHeight,
} from "./geometry.js";
export { TreeLayer } from "./layer.js";
export { prove, type ReadPayloadRange, sortedDistinct, verifyProof } from "./proof.js";
export { type Payload, readStream, streamOf } from "./stream.js";
export { hashNodes, zeroSubtree } from "./tree.js";
