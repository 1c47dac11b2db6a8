/** What a process that stores pieces is told. */
import type { BlobStoreOptions } from "../../src/store/blobs/index.js";
import type { DatabaseOptions } from "../../src/store/database/index.js";

/** What it does to pieces, where it can be told to die. */
export const TAKING = ["note", "take pieces", "put"] as const;
export const DELETING = ["drop", "delete pieces", "delete blocks", "forget"] as const;
export const INDEXING = ["take blocks"] as const;
export type StoringStep = (typeof TAKING)[number] | (typeof DELETING)[number] | (typeof INDEXING)[number];

export interface StoringTask {
  readonly dir: string;
  readonly database: DatabaseOptions;
  readonly blobs: BlobStoreOptions;
  readonly leaseMs: number;
  readonly dies?: { readonly step: StoringStep; readonly when: "before" | "after" };
}

/** What it is asked for, a line of JSON each; it answers with the result in a line. */
export type StoringRequest = { readonly act: "remove" | "find"; readonly pieceCid: string };
