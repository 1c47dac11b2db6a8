/** What chains take in one transaction. */

/** Filecoin's mainnet, its calibration network, and a developer's own: messages of 64 KiB. */
const FILECOIN: ReadonlySet<number> = new Set([314, 314_159, 31_415_926]);

const KIB = 1_024;

/**
 * Bytes of calldata that the nodes of a chain take in one transaction. Filecoin's take messages of 64 KiB, geth and those that
 * follow it transactions of 128 KiB; an eighth less here, for the envelope.
 *
 * @example
 * calldataLimitOf(314); // 57344
 */
export function calldataLimitOf(chainId: number): number {
  return FILECOIN.has(chainId) ? 56 * KIB : 120 * KIB;
}
