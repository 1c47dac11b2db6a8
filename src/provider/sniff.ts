/**
 * What bytes are, as far as a browser may show them. Anybody can upload anything, so nothing that could run at the node's
 * origin is among the answers: HTML, SVG and scripts are plain text.
 *
 * @packageDocumentation
 */

/** Bytes at the beginning that decide. */
export const SNIFFED_BYTES = 512;

export const UNKNOWN_TYPE = "application/octet-stream";

/** What bytes begin with, at an offset, in Latin-1. */
const SIGNATURES: readonly (readonly [type: string, ...marks: (readonly [offset: number, mark: string])[]])[] = [
  ["image/png", [0, "\x89PNG\r\n\x1a\n"]],
  ["image/jpeg", [0, "\xff\xd8\xff"]],
  ["image/gif", [0, "GIF87a"]],
  ["image/gif", [0, "GIF89a"]],
  ["image/webp", [0, "RIFF"], [8, "WEBP"]],
  ["image/avif", [4, "ftypavif"]],
  ["audio/wav", [0, "RIFF"], [8, "WAVE"]],
  ["audio/mpeg", [0, "ID3"]],
  ["audio/flac", [0, "fLaC"]],
  ["application/ogg", [0, "OggS"]],
  ["video/mp4", [4, "ftyp"]],
  ["video/webm", [0, "\x1aE\xdf\xa3"]],
  ["application/pdf", [0, "%PDF-"]],
  ["application/zip", [0, "PK\x03\x04"]],
  ["application/gzip", [0, "\x1f\x8b\x08"]],
  ["application/zstd", [0, "\x28\xb5\x2f\xfd"]],
  // A CAR's header: a length, then a CBOR map whose first key is "roots".
  ["application/vnd.ipld.car", [1, "\xa2eroots"]],
];

/**
 * The media type of bytes by how they begin.
 *
 * @param head - the first {@link SNIFFED_BYTES}, or all of them where they are fewer
 * @example
 * sniff(new TextEncoder().encode("<script>…")); // "text/plain; charset=utf-8"
 */
export function sniff(head: Uint8Array): string {
  const latin = String.fromCharCode(...head.subarray(0, SNIFFED_BYTES));
  const known = SIGNATURES.find(([, ...marks]) => marks.every(([offset, mark]) => latin.startsWith(mark, offset)));
  if (known) return known[0];
  return isText(head.subarray(0, SNIFFED_BYTES)) ? "text/plain; charset=utf-8" : UNKNOWN_TYPE;
}

/** UTF-8 without control characters but those that text has; the last character may be cut off. */
function isText(head: Uint8Array): boolean {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(head, { stream: true });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
    return head.length > 0 && !/[\0-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]/.test(text);
  } catch {
    return false;
  }
}
