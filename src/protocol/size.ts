/**
 * Bytes of what people write: `1500`, `10MiB`, `1.5 GB` (a power of 1,000). A fraction of a byte is left off.
 *
 * @returns undefined where it is no size
 * @example
 * sizeOf("32GiB"); // 34359738368n
 */
export function sizeOf(text: string): bigint | undefined {
  const match = /^(\d{1,15})(?:\.(\d{1,9}))?\s*(B|[KMGTP]i?B)?$/i.exec(text);
  if (match === null) return undefined;
  const [, whole = "0", fraction = "", unit = ""] = match;
  const power = BigInt("BKMGTP".indexOf(unit.charAt(0).toUpperCase()));
  const factor = (/i/i.test(unit) ? 1_024n : 1_000n) ** power;
  return (BigInt(whole + fraction) * factor) / 10n ** BigInt(fraction.length);
}
