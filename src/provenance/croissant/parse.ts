/**
 * Bytes to JSON, bounded: what a stranger sends is looked at before it is built up in memory.
 *
 * @packageDocumentation
 */
import { HoldfastError } from "../../errors.js";
import { notJsonLd, tooLarge } from "./faults.js";

/** The largest manifest that is read, in bytes: some 200,000 files. */
export const MAX_MANIFEST_BYTES = 64 << 20;
/** How deep objects and arrays may lie within each other. Published manifests need about ten. */
export const MAX_MANIFEST_DEPTH = 64;
/** Objects, arrays and commas. Without it, 64 MiB of brackets would take gigabytes once parsed. */
export const MAX_MANIFEST_VALUES = 3_000_000;

/** Any object of a JSON text. */
export type JsonObject = { readonly [key: string]: unknown };

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * Parses a manifest.
 *
 * @throws HoldfastError `MANIFEST_TOO_LARGE`, `MANIFEST_TOO_DEEP`, `MANIFEST_NOT_UTF8`, `MANIFEST_NOT_JSON`, and
 *   `MANIFEST_NOT_JSONLD` where it is JSON, but no object
 */
export function parseManifest(bytes: Uint8Array): JsonObject {
  if (bytes.length > MAX_MANIFEST_BYTES) throw tooLarge(`${bytes.length} bytes, of at most ${MAX_MANIFEST_BYTES}`);
  measure(bytes);
  const value = parse(decode(bytes));
  if (!isObject(value)) throw notJsonLd("it is JSON, but no object");
  return value;
}

/** Whether a value of JSON is an object, and no array. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What JSON-LD lets stand alone or in an array, as an array. */
export function listOf(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : [value];
}

/** Depth and number of values. Brackets and quotes are single bytes in UTF-8, so no decoding is needed to find them. */
function measure(bytes: Uint8Array): void {
  let depth = 0;
  let values = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === QUOTE) {
      i = endOfString(bytes, i);
    } else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) {
      values++;
      if (++depth > MAX_MANIFEST_DEPTH) throw tooDeep();
    } else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) {
      depth--;
    } else if (byte === COMMA && ++values > MAX_MANIFEST_VALUES) {
      throw tooLarge(`more than ${MAX_MANIFEST_VALUES} values`);
    }
  }
}

/** Index of the quote that ends the string which begins at `start`; past the end where none does. */
function endOfString(bytes: Uint8Array, start: number): number {
  let i = start + 1;
  while (i < bytes.length && bytes[i] !== QUOTE) i += bytes[i] === BACKSLASH ? 2 : 1;
  return i;
}

function tooDeep(): HoldfastError {
  const message = `the manifest is nested more than ${MAX_MANIFEST_DEPTH} levels deep`;
  return new HoldfastError("MANIFEST_TOO_DEEP", message, "no Croissant manifest needs that: ask whoever made it");
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    const hint = "save it as UTF-8; a text with other bytes can't be compared or signed";
    throw new HoldfastError("MANIFEST_NOT_UTF8", "the manifest is not UTF-8", hint, { cause });
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.slice(0, 200) : String(cause);
    throw new HoldfastError("MANIFEST_NOT_JSON", `the manifest is not JSON: ${reason}`, "correct it there", { cause });
  }
}
