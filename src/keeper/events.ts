/** What keepers tell while they work: for a demo to narrate, for metrics to count, for alarms to ring. */
import type { ManifestReplica } from "../client/replicas/manifest.js";
import type { Due, Status } from "../protocol/index.js";
import type { DutyRef } from "../store/duties.js";
import type { Deal } from "./deals.js";

/** A duty as it is found: its window is open. */
export interface DutyEvent extends DutyRef {
  /** The block of its challenge, and the last one that a proof may be in. */
  readonly epoch: number;
  readonly lastBlock: number;
}

/** Something that keeps a duty from being done. It is tried again while its window is open. */
export interface Trouble extends DutyRef {
  /**
   * `MISSING_PIECE`, `MISSING_BYTES`, `CORRUPT_BYTES`, `CORRUPT_LAYER`: the store. `SKIPPED`, `REVERTED`: the market.
   * Otherwise the code of whatever stood in the way.
   */
  readonly code: string;
  readonly message: string;
  /** The head at which it is tried again. */
  readonly retryAt: number;
}

export interface ProvenEvent extends DutyRef {
  /** False where somebody else's proof was there first. */
  readonly own: boolean;
  /** The transaction and its block; undefined where it was not ours. */
  readonly hash: string | undefined;
  readonly block: number | undefined;
}

export interface BatchEvent {
  readonly hash: string;
  readonly block: number;
  /** Proofs in it, and how many of them the market accepted. */
  readonly size: number;
  readonly proven: number;
  readonly calldataBytes: number;
  readonly gasUsed: bigint;
}

/** Deals as a keeper has read them at a head: new ones, and those whose windows open, or are over without a proof of its own. */
export interface ReadEvent {
  readonly head: number;
  readonly deals: readonly Deal[];
  /** Those that the chain does not have at that head, by id: their opening is in no block any more. */
  readonly absent: readonly bigint[];
}

/** Events of a `ProvingKeeper`. */
export interface ProvingEvents {
  /** A head was looked at, and the work that it calls for has begun. */
  head: [{ readonly number: number }];
  /** Where deals stand, whoever was told of what they missed. */
  read: [ReadEvent];
  /** A deal of the provider was found. */
  found: [{ readonly id: bigint; readonly firstEpoch: number; readonly periods: number }];
  /** A window is open and not proven; again where a reorganisation took back what was known of it. */
  due: [DutyEvent];
  batch: [BatchEvent];
  proven: [ProvenEvent];
  /** The alarm: once for each duty and code. */
  trouble: [Trouble];
  /**
   * A window has run for so great a share without a proof in a block: a half, then three quarters and each
   * twentieth after, at which more is paid for it. Blocks are left in which it can be proven.
   */
  late: [DutyRef & { readonly share: number; readonly blocksLeft: number }];
  /**
   * A window closed without a proof: once for each, also where it did so while nobody looked. Of keepers that share their duties
   * one tells.
   */
  missed: [DutyRef];
  /** The time of a duty is over without a proof; `missed` tells whether that is a miss. */
  over: [DutyRef];
  /** Duties that this keeper took on, and how many of them another had when it died. */
  claimed: [{ readonly duties: number; readonly takenOver: number }];
  /** Claims that were another keeper's by the time that they were built: this process was paused for too long. */
  lost: [{ readonly duties: number }];
  /** How many keepers share the duties, this one included; when that changes. */
  workers: [{ readonly alive: number }];
  checkpointed: [{ readonly epoch: number; readonly hash: string }];
  /** A deal needs no more proofs. */
  ended: [{ readonly id: bigint; readonly status: Status }];
}

export interface SettledEvent {
  readonly id: bigint;
  readonly provider: string;
  readonly owner: string;
  readonly token: string;
  /** What moved, in base units of `token`. */
  readonly moved: Due;
  readonly bountyTo: string;
  readonly status: Status;
  readonly hash: string;
  readonly block: number;
}

/** Events of a `WatchingKeeper`. */
export interface WatchingEvents {
  /** A head was looked at, and everything worth settling at it has been settled. */
  head: [{ readonly number: number }];
  settled: [SettledEvent];
  /** Deals that could not be settled, and why; they are tried again at the next head. */
  trouble: [{ readonly ids: readonly bigint[]; readonly code: string; readonly message: string }];
}

/** Events of a `RestoringKeeper`. */
export interface RestoringEvents {
  /** A head was looked at, and what was due at it is done. */
  head: [{ readonly number: number }];
  /** A window was missed: how many there are now, and how many more the deal bears before it defaults. */
  alarm: [{ readonly id: bigint; readonly missed: number; readonly left: number }];
  /** Stake was bonded anew, in base units of the deal's token. */
  restored: [
    {
      readonly id: bigint;
      readonly misses: number;
      readonly bonded: bigint;
      readonly hash: string;
      readonly block: number;
    },
  ];
  /**
   * Misses that are not made good, and why, once for each reason. `RESTORE_LIMIT`, `MISSING_PIECE`, `NO_STAKE`: it is tried again when
   * a window closes. The code of what stood in the way otherwise: at the next head.
   */
  trouble: [{ readonly id: bigint; readonly code: string; readonly message: string }];
}

export interface ExtendedEvent {
  readonly id: bigint;
  /** How many periods were paid for, and what they cost in base units. */
  readonly periods: number;
  readonly cost: bigint;
  /** What this payer has spent on all deals of the keeper, in base units. */
  readonly spent: bigint;
  readonly hash: string;
  readonly block: number;
}

/** Events of a `FundingKeeper`. */
export interface FundingEvents {
  /** A head was looked at, and everything due at it is done. */
  head: [{ readonly number: number }];
  extended: [ExtendedEvent];
  /**
   * A deal that is not kept alive, and why, once for each reason. `UNKNOWN_DEAL`, `WRONG_TOKEN`, `AT_MAX_PERIODS`, `TOO_LATE`:
   * it never will be. `BUDGET_EXHAUSTED`: not by this budget. `PRICE_CHANGED`, and codes of the way to the chain: it is tried
   * again.
   */
  trouble: [{ readonly id: bigint; readonly code: string; readonly message: string }];
  /** A deal is ending or over, and needs no more periods. */
  ended: [{ readonly id: bigint; readonly status: Status }];
}

/** Which file, of those that a `ReplicasKeeper` keeps. */
export interface FileRef {
  readonly sha256: string;
  readonly name?: string;
}

/** A replica whose deal came to an end. */
export interface ReplicaEnd {
  readonly file: FileRef;
  readonly replica: ManifestReplica;
  readonly status: Status;
}

/** Events of a `ReplicasKeeper`. */
export interface ReplicaEvents {
  /** A head was looked at, and everything due at it is done or put off. */
  head: [{ readonly number: number }];
  /** A deal defaulted, or was ended before its time; the replica will be replaced. */
  lost: [ReplicaEnd];
  /** A deal has run its whole time; the replica won't be replaced. */
  over: [ReplicaEnd];
  /** Its owner has moved a deal to another provider, and with it the replica. */
  moved: [{ readonly file: FileRef; readonly replica: ManifestReplica }];
  /** A replica is placed. `spent`: what new replicas of all files have cost, in base units. */
  repaired: [{ readonly file: FileRef; readonly replica: ManifestReplica; readonly spent: bigint }];
  /**
   * A file that can't be brought to its number of replicas, and why, once for each reason: `BUDGET_EXHAUSTED`,
   * `TOO_FEW_PROVIDERS`, `FILE_UNAVAILABLE`, or the code of whatever stood in the way. It is tried again at `retryAt`.
   */
  trouble: [{ readonly file: FileRef; readonly code: string; readonly message: string; readonly retryAt: number }];
}

/** A transaction of a `RepairKeeper` for one request, and where it is. Amounts in base units of the request's token. */
export interface RequestEvent {
  readonly id: bigint;
  readonly hash: string;
  readonly block: number;
}

/** Events of a `RepairKeeper`. */
export interface RepairEvents {
  /** A head was looked at, and what was due at it is done. */
  head: [{ readonly number: number }];
  /** A replica is lost: its deal `dealId` defaulted. `reposted`: another provider is looked for. */
  repaired: [
    RequestEvent & {
      readonly dealId: bigint;
      readonly provider: string;
      readonly reposted: boolean;
      /** What this keeper got for it. */
      readonly bounty: bigint;
    },
  ];
  /** Money went to the client: what a deal gave back. */
  collected: [RequestEvent & { readonly dealId: bigint; readonly amount: bigint }];
  /** Money went to the client: what nobody filled. `slot`: 0n, or the defaulted deal that was posted again. */
  refunded: [RequestEvent & { readonly slot: bigint; readonly amount: bigint }];
  /** Stake of the operator's own provider is free again. */
  unlocked: [RequestEvent & { readonly dealId: bigint; readonly amount: bigint }];
  /** What could not be done, and why; it is tried again at the next head. */
  trouble: [{ readonly id: bigint; readonly doing: string; readonly code: string; readonly message: string }];
}
