/**
 * What a record claims as its licence, read.
 *
 * @packageDocumentation
 */
import parse, { type Info } from "spdx-expression-parse";
import { HoldfastError } from "../../errors.js";
import { isDeprecatedId, type LicenseTerm, toTerm } from "./spdx.js";
import { licenseHint } from "./suggest.js";

/** What a record's licence may take on chain, in bytes of UTF-8. */
export const MAX_LICENSE_BYTES = 128;
/** Brackets within brackets. Nobody needs more, and reading them goes a call deeper for each. */
const MAX_DEPTH = 16;

/** One licence, or several of which all apply, or several of which one may be chosen. */
export type LicenseExpression =
  | LicenseTerm
  | { readonly all: readonly LicenseExpression[] }
  | { readonly any: readonly LicenseExpression[] };

/**
 * A licence claim. `none`: all rights are reserved. `noassertion`: nobody has looked or wants to say. `unstated`: the field is
 * empty. `unreadable`: somebody registered a text that is no SPDX expression, which the chain doesn't stop.
 */
export type License =
  | {
      readonly form: "expression";
      readonly text: string;
      readonly expression: LicenseExpression;
      /** An id that SPDX advises against is in it, like `GPL-2.0`. */
      readonly deprecated: boolean;
    }
  | {
      readonly form: "none" | "noassertion" | "unstated" | "unreadable";
      readonly text: string;
      readonly deprecated: false;
    };

/**
 * Reads an SPDX licence expression (SPDX 2.3 annex D), `NONE`, `NOASSERTION`, or nothing.
 *
 * @param text - at most {@link MAX_LICENSE_BYTES} bytes
 * @throws HoldfastError `INVALID_LICENSE`, with the id that was probably meant
 * @example
 * parseLicense("MIT OR Apache-2.0").form; // "expression"
 */
export function parseLicense(text: string): License {
  if (tooLong(text)) {
    const message = `a licence takes at most ${MAX_LICENSE_BYTES} bytes`;
    throw new HoldfastError("INVALID_LICENSE", message, "name it by its SPDX id, or as LicenseRef- and a short name");
  }
  const license = readLicense(text);
  if (license.form !== "unreadable") return license;
  const message = `${JSON.stringify(text)} is no SPDX licence expression`;
  throw new HoldfastError("INVALID_LICENSE", message, licenseHint(text.trim()));
}

/** Whether {@link parseLicense} takes a text. */
export function isSpdx(text: string): boolean {
  return readLicense(text).form !== "unreadable";
}

/** As {@link parseLicense}, for what others have registered: what can't be read is `unreadable`. */
export function readLicense(text: string): License {
  const trimmed = text.trim();
  if (tooLong(text)) return { form: "unreadable", text: trimmed, deprecated: false };
  if (trimmed === "") return { form: "unstated", text: "", deprecated: false };
  if (trimmed === "NONE") return { form: "none", text: trimmed, deprecated: false };
  if (trimmed === "NOASSERTION") return { form: "noassertion", text: trimmed, deprecated: false };
  const info = depth(trimmed) > MAX_DEPTH ? undefined : tryParse(trimmed);
  if (info === undefined) return { form: "unreadable", text: trimmed, deprecated: false };
  return { form: "expression", text: trimmed, expression: toExpression(info), deprecated: hasDeprecated(info) };
}

/** How a licence is called in a sentence. What strangers registered is cut, and can't steer a terminal. */
export function licenseName({ form, text }: License): string {
  if (form === "unstated") return "no stated licence";
  if (form === "none") return "NONE (all rights reserved)";
  if (form === "noassertion") return "NOASSERTION (licence not known)";
  if (form === "expression") return text;
  const plain = text.replace(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, "?");
  return `“${plain.length > 40 ? `${plain.slice(0, 40)}…` : plain}” (no SPDX licence)`;
}

function tooLong(text: string): boolean {
  return text.length > MAX_LICENSE_BYTES || new TextEncoder().encode(text).length > MAX_LICENSE_BYTES;
}

function depth(text: string): number {
  let open = 0;
  let deepest = 0;
  for (const sign of text) {
    if (sign === "(") deepest = Math.max(deepest, ++open);
    else if (sign === ")") open--;
  }
  return deepest;
}

/** The parser throws errors and, for an end it doesn't expect, TypeErrors: both mean that the text isn't one. */
function tryParse(text: string): Info | undefined {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}

function toExpression(info: Info): LicenseExpression {
  if ("license" in info) return toTerm(info.license, info.plus === true, info.exception);
  const sides = [toExpression(info.left), toExpression(info.right)];
  return info.conjunction === "and" ? { all: sides } : { any: sides };
}

function hasDeprecated(info: Info): boolean {
  if ("license" in info) return isDeprecatedId(info.license);
  return hasDeprecated(info.left) || hasDeprecated(info.right);
}
