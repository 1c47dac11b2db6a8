/**
 * Where bytes live: the interfaces, and what is behind them.
 *
 * @packageDocumentation
 */
export * from "./blobs/index.js";
export * from "./blocks/index.js";
export {
  type Claim,
  DEFAULT_LEASE_MS,
  type Duties,
  type DutyRef,
  type FinishedDuty,
  MemoryDuties,
  type PlannedDuty,
  type Wanted,
} from "./duties.js";
export { BlobPieceStore, type PieceStoreOptions } from "./piece-store.js";
export { MemoryPieceIndex } from "./pieces/memory-index.js";
export type { PaidNote, PaidNotes, PieceEnd } from "./pieces/paid-notes.js";
export { type IndexedPiece, type PieceIndex, type PieceTree, treeKey } from "./pieces/types.js";
export { MemoryUnpaidNotes, type UnpaidNote, type UnpaidNotes } from "./pieces/unpaid-notes.js";
export type {
  AppendOptions,
  FoundPiece,
  PieceSource,
  PieceStore,
  PieceWatcher,
  UploadInfo,
  WatchedStore,
} from "./types.js";
export type { UploadsOptions } from "./uploads.js";
