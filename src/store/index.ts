/**
 * Where bytes live: the interfaces, and a folder on this machine behind them.
 *
 * @packageDocumentation
 */
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
export { FilePieceStore } from "./file-store.js";
export type { AppendOptions, PieceSource, PieceStore, PieceWatcher, UploadInfo, WatchedStore } from "./types.js";
export type { UploadsOptions } from "./uploads.js";
