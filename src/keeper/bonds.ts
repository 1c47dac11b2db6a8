/** What one provider's deals have missed and had restored, as the chain was read last and as our own receipts have it. */
import { Stage, Status, share, type Tier } from "../protocol/index.js";
import { type Deal, hasEnded, nextChange, OVERLAP } from "./deals.js";

export class Bonds {
  readonly #tiers: readonly Tier[];
  readonly #deals = new Map<bigint, Deal>();
  /** What deals bear since a restore of ours, and the block that it is in. */
  readonly #landed = new Map<bigint, { readonly allowance: number; readonly block: number }>();

  constructor(tiers: readonly Tier[]) {
    this.#tiers = tiers;
  }

  /**
   * Takes what was read at a block.
   *
   * @returns false where it is from before a restore that is known to be in a block: it would be done again
   */
  take(deal: Deal, at: number): boolean {
    const landed = this.#landed.get(deal.id);
    // So many blocks later it is gone, or was never in a block that stayed.
    const counts = landed !== undefined && at - landed.block <= OVERLAP;
    if (counts && deal.standing.allowance < landed.allowance) return false;
    if (landed !== undefined) this.#landed.delete(deal.id);
    this.#deals.set(deal.id, deal);
    return true;
  }

  /** A deal as it was taken last. */
  get(id: bigint): Deal | undefined {
    return this.#deals.get(id);
  }

  /** Notes that a restore of ours is in a block. */
  landed({ id, standing }: Deal, misses: number, block: number): void {
    this.#landed.set(id, { allowance: standing.allowance + misses, block });
  }

  /** Blocks after this one are gone. */
  forgetAfter(ancestor: number): void {
    for (const [id, { block }] of this.#landed) if (block > ancestor) this.#landed.delete(id);
  }

  /** Misses that were made good. */
  restored(deal: Deal): number {
    return deal.standing.allowance - this.tier(deal).maxMisses;
  }

  /** Misses that were not; none where they cost nothing. */
  owed(deal: Deal): number {
    return isOver(deal) || this.each(deal) === 0n ? 0 : deal.standing.missed - this.restored(deal);
  }

  /** Stake for one miss, in base units of the deal's token. */
  each(deal: Deal): bigint {
    return share(deal, this.tier(deal));
  }

  /** Deals that live and share a limit with this one, and that may have had something restored by the block `at`; it is one. */
  sharing({ id, token }: Deal, at: number): bigint[] {
    const may = (deal: Deal) =>
      deal.standing.missed > 0 || this.restored(deal) > 0 || nextChange(deal, this.tier(deal)) <= at;
    const others = this.#living(token).filter((deal) => deal.id !== id && may(deal));
    return [id, ...others.map((deal) => deal.id)];
  }

  /** What is bonded anew to all deals that live, in base units of a token. */
  bonded(token: string): bigint {
    return this.#living(token).reduce((sum, deal) => sum + BigInt(this.restored(deal)) * this.each(deal), 0n);
  }

  tier(deal: Deal): Tier {
    return this.#tiers[deal.tier]!;
  }

  #living(token: string): Deal[] {
    return [...this.#deals.values()].filter((deal) => deal.token === token && !isOver(deal));
  }
}

/** Whether nothing of a deal can be, or is worth being, restored any more. */
export function isOver(deal: Deal): boolean {
  return hasEnded(deal) || deal.standing.status === Status.Ending || deal.stage === Stage.Closed;
}
