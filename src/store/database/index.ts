/**
 * What a node and its keepers remember, in a folder or in Postgres. For Node.
 *
 * @packageDocumentation
 */
export { DatabaseDuties, type DatabaseDutiesOptions } from "./duties.js";
export { DatabaseJournal } from "./journal.js";
export { type Database, type DatabaseOptions, openDatabase } from "./open-node.js";
export { DatabasePaidNotes } from "./paid-notes.js";
export { DatabasePieceIndex } from "./piece-index.js";
export { DatabaseUnpaidNotes } from "./unpaid-notes.js";
