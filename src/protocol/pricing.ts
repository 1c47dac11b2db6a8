/** Bytes of one GiB. */
const GIB = 1n << 30n;

/**
 * What a period of a piece costs, rounded up, so that small pieces are not free.
 *
 * @param payloadSize - bytes
 * @param pricePerGiBPerPeriod - base units of the token
 * @returns base units for each period, the protocol fee included
 * @example
 * pricePerPeriodUp(3n << 20n, 1_024n); // 3n
 */
export function pricePerPeriodUp(payloadSize: bigint, pricePerGiBPerPeriod: bigint): bigint {
  return (payloadSize * pricePerGiBPerPeriod + GIB - 1n) / GIB;
}

/**
 * Stake behind a deal: `ratio` times its price of a period, and at least one base unit for each miss, since a
 * collateral that is not zero must be divisible into shares (PROTOCOL section 6).
 *
 * @param pricePerPeriod - base units
 * @param ratio - whole periods of pay that the provider loses if it keeps nothing
 * @param maxMisses - of the tier
 */
export function collateralFor(pricePerPeriod: bigint, ratio: number, maxMisses: number): bigint {
  if (ratio === 0) return 0n;
  const collateral = pricePerPeriod * BigInt(ratio);
  return collateral > BigInt(maxMisses) ? collateral : BigInt(maxMisses);
}
