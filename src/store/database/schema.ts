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
  /** The most that it is worth for a unit of gas, in wei; null where it has no limit of its own. */
  readonly max_fee: string | null;
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

/** A piece that is here. */
export interface PieceTable {
  /** PieceCIDv2. */
  readonly piece_cid: string;
  /** In the order of coming, so that a node learns what others have taken. */
  readonly place: Generated<number>;
  /** In hex, without 0x. Payloads that differ in zeros at their end share a tree. */
  readonly root: string;
  readonly leaf_count: string;
  /** In bytes. */
  readonly payload_size: string;
  /** The cached tree layer where it is small; null where it is a blob beside the payload. */
  readonly layer: Uint8Array | null;
  /** Unix seconds, the last one included, until which a signature can be used that was given for it. */
  readonly promised_until: string | null;
  readonly taken_at: Timestamp;
}

/** A piece that came without a deal. It is noted before it is here. */
export interface UnpaidTable {
  readonly piece_cid: string;
  /** The peer that it counts for. */
  readonly owner: string;
  /** When somebody relied on it last. */
  readonly since: ColumnType<Date, Date, Date>;
}

/** A piece that a deal pays for, or has paid for. */
export interface PaidTable {
  readonly piece_cid: string;
  /** When, and in which block, it was first seen without a deal that needs it; null as long as one does. */
  readonly ended_at: Date | null;
  readonly ended_in: number | null;
}

/** Who is busy with something, and until when nobody else may be, by the database's clock. */
export interface LeaseTable {
  readonly name: string;
  /** A UUID, another for each time. */
  readonly holder: string;
  readonly until: ColumnType<Date, never, never>;
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
  readonly pieces: PieceTable;
  readonly unpaid_pieces: UnpaidTable;
  readonly paid_pieces: PaidTable;
  readonly leases: LeaseTable;
  readonly workers: WorkerTable;
  readonly duties: DutyTable;
  readonly misses: MissTable;
}
