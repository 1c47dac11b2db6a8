/** What the process in `keeping-child.ts` is told, and what it tells. */
import type { DatabaseOptions } from "../../src/store/database/open-node.js";

export interface KeepingTask {
  readonly url: string;
  /** As its file has it. */
  readonly deployment: string;
  /** Whose deals are proven, over pieces of so many bytes by `bytesOf`, numbered from 0. */
  readonly provider: string;
  readonly sizes: readonly number[];
  readonly privateKey: string;
  readonly database: DatabaseOptions;
  readonly leaseMs?: number;
  readonly portion: number;
  /** Milliseconds after which what is in no block is paid more for. */
  readonly replaceAfterMs?: number;
  /** Bytes of calldata in one transaction of proofs. */
  readonly calldataLimit?: number;
  /** Milliseconds that an endpoint may take to answer. */
  readonly timeoutMs?: number;
  /** Dies, as `kill -9` would have it, once it has claimed duties so many times; after its first proof, where that is asked. */
  readonly dies?: { readonly atClaim: number; readonly onceProven: boolean };
}

/** A line of what it tells. Ids in decimal. */
export type KeepingLine =
  | { readonly event: "ready" }
  | { readonly event: "proven"; readonly id: string; readonly window: number; readonly own: boolean }
  | { readonly event: "claimed"; readonly duties: number; readonly takenOver: number }
  | { readonly event: "missed"; readonly id: string; readonly window: number }
  | { readonly event: "trouble"; readonly code: string; readonly message: string }
  | { readonly event: "workers"; readonly alive: number };
