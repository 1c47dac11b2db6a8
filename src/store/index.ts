/**
 * Where bytes live: the interfaces, and a folder on this machine behind them.
 *
 * @packageDocumentation
 */
export { FilePieceStore } from "./file-store.js";
export type { AppendOptions, PieceSource, PieceStore, UploadInfo } from "./types.js";
export type { UploadsOptions } from "./uploads.js";
