/**
 * What the chain knows of a record or a set: what its events say, put together.
 *
 * @packageDocumentation
 */
import type { AiTraining, AnchoredSet, Edge, ProvenanceRecord, RecordKind, Verdict } from "../protocol/index.js";

/** What somebody said of a record or a set on one topic; what was said before on it is replaced. */
export interface Said {
  readonly attester: string;
  /** 32 bytes in hex; zero: the whole. */
  readonly topic: string;
  readonly verdict: Exclude<Verdict, "none">;
  /** Unix seconds until when it counts, the last one included; 0: it does not expire. */
  readonly expires: bigint;
  readonly reason: string;
  /** Block of the event. */
  readonly block: number;
  /** Why it was taken back, where it was. */
  readonly revoked?: string;
}

interface KnownBase {
  /** 32 bytes in lower-case hex. */
  readonly id: string;
  readonly registrant: string;
  /** Block it was registered in. */
  readonly block: number;
  /** Why its registrant stands by it no longer, where that is so. */
  readonly withdrawn?: string;
  /** What its registrant puts in its place. */
  readonly supersededBy?: string;
  readonly said: readonly Said[];
}

export interface KnownRecord extends KnownBase {
  readonly form: "record";
  readonly record: ProvenanceRecord;
  /** The set that it was anchored in before it was registered by itself. */
  readonly anchoredIn?: string;
  /** Deals that it was linked to, oldest first. */
  readonly deals: readonly bigint[];
}

export interface KnownSet extends KnownBase {
  readonly form: "set";
  readonly set: AnchoredSet;
}

export type Known = KnownRecord | KnownSet;

/** What both have, whichever it is. */
export interface Claim {
  readonly kind: RecordKind;
  readonly license: string;
  readonly aiTraining: AiTraining;
  readonly parents: readonly Edge[];
}

/** @returns what a record or a set claims, in one form */
export function claimOf(known: Known): Claim {
  return known.form === "record" ? known.record : known.set;
}

/** Whether what was said counts at a time. @param now - Unix seconds */
export function counts({ expires, revoked }: Said, now: bigint): boolean {
  return revoked === undefined && (expires === 0n || expires >= now);
}
