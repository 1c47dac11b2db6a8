/**
 * What storing a payload takes, and what comes of it.
 *
 * @packageDocumentation
 */
import { HoldfastError } from "../errors.js";
import type { Commitment } from "../piece/index.js";
import type { DealTerms } from "../protocol/index.js";
import type { DealWishes } from "./wishes.js";

export interface StoreOptions extends DealWishes {
  /** How many providers keep the piece; 1 by default. */
  readonly copies?: number;
  /** 32 bytes in hex that the terms carry, to know the deals again by; random by default. */
  readonly salt?: string;
  /**
   * Told of a deal that its provider has signed, just before it is paid for. With what it is told, `HoldfastClient.open`
   * can finish what a crash cut off, without paying twice. Nothing is paid where it fails.
   */
  readonly onSigned?: (signed: SignedDeal) => void | Promise<void>;
  /** Told of each step as it is done. */
  readonly onProgress?: (step: StoreStep) => void;
}

export type StoreStep =
  | { readonly step: "committed"; readonly pieceCid: string; readonly commitment: Commitment }
  | { readonly step: "uploaded"; readonly url: string }
  | { readonly step: "opened"; readonly deal: Deal };

/** A deal that was opened. */
export interface Deal {
  readonly id: bigint;
  /** Where its provider serves the piece. */
  readonly url: string;
  readonly terms: DealTerms;
}

/** A deal with the signature that opens it. */
export interface SignedDeal extends Deal {
  readonly providerSignature: string;
}

export interface StoredPiece {
  readonly pieceCid: string;
  readonly commitment: Commitment;
  readonly deals: readonly Deal[];
}

/**
 * Fewer providers than wanted took the piece. `deals` are those that are open all the same, and paid for; `cause` is set
 * where it was no provider that stood in the way of the others.
 */
export class TooFewProvidersError extends HoldfastError {
  readonly deals: readonly Deal[];

  constructor(copies: number, deals: readonly Deal[], failures: readonly string[], cause?: unknown) {
    const reasons = failures.length > 0 ? `: ${failures.join("; ")}` : "; there is no other provider";
    super(
      "TOO_FEW_PROVIDERS",
      `${deals.length} of ${copies} copies were placed${reasons}`,
      "allow a higher price, another tier, less collateral or fewer copies",
      { cause },
    );
    this.deals = deals;
  }
}
