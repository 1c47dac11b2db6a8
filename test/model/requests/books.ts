/** What the model of requests keeps, and what can be done to it. */
import type { DealTerms, StorageRequest } from "../../../src/protocol/index.js";
import type { Action } from "../actions.js";
import type { Config, Stake, State } from "../model.js";

export interface RequestsConfig extends Config {
  /** The contract's address. */
  readonly requests: string;
  /** What each provider says of where it is, as text. */
  readonly regions: ReadonlyMap<string, string>;
  /** Who lets the contract take what it posts. */
  readonly approved: ReadonlySet<string>;
}

/** A replica that can be had. */
export interface Slot {
  readonly posted: number;
  readonly expires: bigint;
  readonly periods: number;
  readonly maxPrice: bigint;
}

/** What a provider has of a request. */
export interface Replica {
  readonly dealId: bigint;
  /** How often the replica had been posted again before. */
  readonly generation: number;
  locked: bigint;
  collected: bigint;
  ended: boolean;
  closed: boolean;
}

export interface Posting {
  readonly request: StorageRequest;
  readonly posted: number;
  readonly time: bigint;
  unfilled: number;
  /** Last block of a cancellation's notice. */
  lastBlock: number | undefined;
  replicas: Map<string, Replica>;
  slots: Map<bigint, Slot>;
}

/** Whether somebody could still fill anything of it. */
export const isOnOffer = ({ request, unfilled, slots, lastBlock }: Posting, now: bigint): boolean =>
  lastBlock === undefined &&
  ((unfilled > 0 && request.expires >= now) || [...slots.values()].some(({ expires }) => expires >= now));

export interface Books {
  state: State;
  postings: Map<bigint, Posting>;
  /** Stake provisioned to the contract, by `token|provider`. */
  stakes: Map<string, Stake>;
}

export type ReplicaDeed = "repair" | "collect" | "terminate" | "release" | "unlock";
export type Deed = { readonly by: string } & (
  | { readonly kind: "market"; readonly action: Action }
  | { readonly kind: "unprovision"; readonly token: string; readonly amount: bigint }
  | { readonly kind: "post" | "cancel" | "refund"; readonly id: bigint; readonly request: StorageRequest }
  | { readonly kind: "refundSlot"; readonly id: bigint; readonly request: StorageRequest; readonly slot: bigint }
  | { readonly kind: ReplicaDeed; readonly id: bigint; readonly request: StorageRequest; readonly provider: string }
  | Filling
);
export type DeedOf<K extends Deed["kind"]> = Deed & { readonly kind: K };

/** A call about a request that needs no more than its sender. */
export interface Asked {
  readonly by: string;
  readonly id: bigint;
  readonly request: StorageRequest;
}

export interface Filling {
  readonly kind: "fill";
  readonly by: string;
  readonly id: bigint;
  readonly request: StorageRequest;
  readonly slot: bigint;
  readonly terms: DealTerms;
  readonly dealId: bigint;
  readonly phase: number;
  readonly signedBy: string;
  /** Whether the proof is the one that is asked for in this block. */
  readonly valid: boolean;
}
