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
  const match = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i.exec(header ?? "");
  if (!match) return undefined;
  const [, first, last] = match;
  if (!first && !last) return undefined;
  if (!first) {
    const length = Math.min(Number(last), size);
    return length === 0 ? "unsatisfiable" : { start: size - length, end: size };
  }
  const start = Number(first);
  if (last && BigInt(last) < BigInt(first)) return undefined;
  if (start >= size) return "unsatisfiable";
  return { start, end: last ? Math.min(Number(last) + 1, size) : size };
}

/**
 * Whether a list of entity tags (If-None-Match) names `etag`, compared weakly, as RFC 9110 section 13.1.2 has it.
 *
 * @param etag - with its quotes
 */
export function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  const tags = header.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return tags.includes("*") || tags.includes(etag);
}
