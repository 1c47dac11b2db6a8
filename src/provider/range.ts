/** Bytes `start` up to and without `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Reads a Range header (RFC 9110, section 14) for a representation of `size` bytes.
 *
 * @returns undefined where the whole is to be sent: no header, another unit, several ranges or nonsense, which a server
 *   may ignore; "unsatisfiable" where the one range asked for lies past the end
 * @example
 * parseRange("bytes=-2", 10); // { start: 8, end: 10 }
 */
export function parseRange(header: string | undefined, size: number): ByteRange | "unsatisfiable" | undefined {
  const match = /^bytes=(\d{0,16})-(\d{0,16})$/.exec(header?.trim() ?? "");
  if (!match) return undefined;
  const [, first, last] = match;
  if (!first && !last) return undefined;
  if (!first) {
    const length = Math.min(Number(last), size);
    return length === 0 ? "unsatisfiable" : { start: size - length, end: size };
  }
  const start = Number(first);
  const end = last ? Math.min(Number(last) + 1, size) : size;
  if (last && Number(last) < start) return undefined;
  return start >= size ? "unsatisfiable" : { start, end };
}
