/**
 * Pieces that no deal pays for: whose they are, and when they go.
 *
 * @packageDocumentation
 */
export { type UnpaidEvents, UnpaidKeeper, type UnpaidKeeperOptions } from "./keeper.js";
export { NOBODY, type UnpaidOptions, type UnpaidPiece, UnpaidPieces } from "./pieces.js";
