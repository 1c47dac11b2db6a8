/** Bytes of an asset that {@link mimeTypeOf} looks at, at most. */
export const SNIFFED_BYTES = 4096;

type Format = readonly [mimeType: string, ...parts: readonly [offset: number, bytes: string][]];

/** What begins with what; text stands for the bytes of Latin-1. */
const FORMATS: readonly Format[] = [
  ["image/jpeg", [0, "\xff\xd8\xff"]],
  ["image/png", [0, "\x89PNG\r\n\x1a\n"]],
  ["image/gif", [0, "GIF87a"]],
  ["image/gif", [0, "GIF89a"]],
  ["image/webp", [0, "RIFF"], [8, "WEBP"]],
  ["audio/wav", [0, "RIFF"], [8, "WAVE"]],
  ["video/avi", [0, "RIFF"], [8, "AVI "]],
  ["image/tiff", [0, "II*\0"]],
  ["image/tiff", [0, "MM\0*"]],
  ["image/tiff", [0, "II+\0"]],
  ["image/tiff", [0, "MM\0+"]],
  ["image/jxl", [0, "\0\0\0\x0cJXL \r\n\x87\n"]],
  ["audio/flac", [0, "fLaC"]],
  ["audio/mpeg", [0, "ID3"]],
  ["audio/mpeg", [0, "\xff\xfb"]],
  ["application/pdf", [0, "%PDF-"]],
];

/** Major brands of ISO base media files; any other is taken for MP4, whose boxes are the same. */
const BRANDS: Readonly<Record<string, string>> = {
  avif: "image/avif",
  avis: "image/avif",
  heic: "image/heic",
  heix: "image/heic",
  heim: "image/heic",
  heis: "image/heic",
  mif1: "image/heif",
  msf1: "image/heif",
  "qt  ": "video/quicktime",
  "M4A ": "audio/mp4",
};

/**
 * The MIME type of an asset that may carry a C2PA manifest, by its first bytes; undefined for all others, such as text.
 * What is named here is what c2pa-rs reads, less the ZIP family (EPUB, office documents) and detached `.c2pa` stores.
 * Raw photographs that are TIFF inside (DNG, ARW, NEF) are `image/tiff`.
 *
 * @param prefix - the first {@link SNIFFED_BYTES} bytes, or all there are
 * @example
 * mimeTypeOf(Uint8Array.of(0xff, 0xd8, 0xff, 0xe0)); // "image/jpeg"
 */
export function mimeTypeOf(prefix: Uint8Array): string | undefined {
  const head = latin1(prefix.subarray(0, SNIFFED_BYTES));
  if (head.startsWith("ftyp", 4)) return BRANDS[head.slice(8, 12)] ?? "video/mp4";
  for (const [mimeType, ...parts] of FORMATS) {
    if (parts.every(([offset, bytes]) => head.startsWith(bytes, offset))) return mimeType;
  }
  return SVG.test(head) ? "image/svg+xml" : undefined;
}

/** An svg element, after nothing but a byte order mark, space, an XML declaration, comments and a document type. */
const SVG = /^(?:\xef\xbb\xbf)?\s*(?:<[?!][^<>]*>\s*){0,16}<svg[\s>]/;

const latin1 = (bytes: Uint8Array) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
