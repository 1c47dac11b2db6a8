/** Names the settlement of a deal for a journal: of keepers that share one, one does it at a time. */
export function settleGuard(market: string, dealId: bigint): string {
  return `settle ${market} ${dealId}`;
}
