/**
 * What a node and its keepers remember, as tables. Numbers that can outgrow 32 bits are text in decimal: the two databases
 * read larger ones differently.
 *
 * @packageDocumentation
 */
import type { ColumnType, Generated } from "kysely";

type Timestamp = ColumnType<Date, Date | undefined, Date>;

/** `live`: on its way. `mined`: in a block. `dropped`: it never will be. */
export type TransactionState = "live" | "mined" | "dropped";

export interface TransactionTable {
  /** A UUID. */
  readonly id: string;
  readonly chain_id: number;
  /** The account that pays, with its checksum. */
  readonly sender: string;
  readonly nonce: number;
  readonly recipient: string;
  readonly data: string;
  /** Wei. */
  readonly value: string;
  readonly gas_limit: string;
  readonly doing: string;
  readonly state: TransactionState;
  /** That it was mined in; null otherwise. */
  readonly block: number | null;
  readonly recorded_at: Timestamp;
}

export interface AttemptTable {
  readonly hash: string;
  readonly transaction_id: string;
  /** In the order of signing. */
  readonly place: Generated<number>;
  /** The signed bytes, in hex. */
  readonly raw: string;
  /** Wei for a unit of gas. */
  readonly max_fee: string;
  readonly max_priority_fee: string;
}

export interface GuardTable {
  readonly chain_id: number;
  readonly guard: string;
  readonly transaction_id: string;
  /** As long as its transaction is. */
  readonly live: boolean;
}

/** One row an account, for its lock. */
export interface AccountTable {
  readonly chain_id: number;
  readonly address: string;
}

/** A process that does duties. */
export interface WorkerTable {
  /** A UUID. */
  readonly id: string;
  /** When it was last heard of, by the clock of the database. */
  readonly seen_at: Timestamp;
}

/** A window of a deal that is to be proven. */
export interface DutyTable {
  readonly chain_id: number;
  readonly market: string;
  readonly provider: string;
  /** The block that its challenge depends on, and its hash, once it is there. */
  readonly epoch: number;
  readonly epoch_hash: string | null;
  /** The deal's id, in decimal, and its window. */
  readonly deal: string;
  readonly nth: number;
  /** The last one that a proof may be in. */
  readonly last_block: number;
  /** The worker that has it; the last that had it where it is done. */
  readonly owner: string | null;
  /** The head before which nobody takes it. */
  readonly retry_at: number;
  readonly done_at: Date | null;
  /** The block of its proof, where it is done and that is known. */
  readonly block: number | null;
}

/** Misses that somebody was told of. */
export interface MissTable {
  readonly chain_id: number;
  readonly market: string;
  readonly provider: string;
  readonly deal: string;
  readonly nth: number;
  readonly told_at: Timestamp;
}

export interface Schema {
  readonly transactions: TransactionTable;
  readonly transaction_attempts: AttemptTable;
  /** What transactions do; of live ones, nothing twice. */
  readonly transaction_guards: GuardTable;
  readonly accounts: AccountTable;
  readonly workers: WorkerTable;
  readonly duties: DutyTable;
  readonly misses: MissTable;
}
