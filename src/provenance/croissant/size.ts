/**
 * `contentSize`, which is text: "117743 B", "10.5 KB", "97.73 TiB".
 *
 * @packageDocumentation
 */

const DECIMAL = 1000n;
const BINARY = 1024n;
/** Longer numbers mean nothing, and take time. */
const MAX_DIGITS = 30;
const PREFIXES = ["", "k", "m", "g", "t", "p", "e"];

/**
 * Bytes of a `contentSize`. Without a unit it is bytes, as the specification says. KB, MB … are powers of 1000, and KiB, MiB
 * … powers of 1024 (ISO/IEC 80000-13); fractions of a byte are dropped. Only a size in bytes can be meant to the byte.
 *
 * @returns undefined where it is no size
 * @example
 * parseContentSize("10.5 KB"); // 10500n
 */
export function parseContentSize(text: string): bigint | undefined {
  const [, whole, fraction = "", prefix = "", binary] =
    /^\s*(\d+)(?:\.(\d+))?\s*(?:([kmgtpe])?(i)?b(?:ytes?)?)?\s*$/i.exec(text) ?? [];
  if (whole === undefined || whole.length + fraction.length > MAX_DIGITS) return undefined;
  if (prefix === "" && (binary !== undefined || fraction !== "")) return undefined;
  const base = binary === undefined ? DECIMAL : BINARY;
  const unit = base ** BigInt(PREFIXES.indexOf(prefix.toLowerCase()));
  return (BigInt(whole + fraction) * unit) / 10n ** BigInt(fraction.length);
}
