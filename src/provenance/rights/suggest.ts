/**
 * What somebody may have meant who wrote a licence that SPDX doesn't know.
 *
 * @packageDocumentation
 */
import { CURRENT_IDS, DEPRECATED_IDS, isLicenseId } from "./spdx.js";

/** Where to look when nothing comes near. */
const LIST = "see https://spdx.org/licenses, or write LicenseRef- and a name of your own";
/** Typing errors that are still taken for an id. */
const MAX_EDITS = 2;

/**
 * The id that comes nearest: the same but for case, blanks and filler words ("Apache License 2.0"), then the newest that it
 * begins ("CC BY"), then the first within two typing errors ("Apahce-2.0").
 *
 * @returns undefined where nothing is near
 */
export function nearestId(text: string): string | undefined {
  const key = keyOf(text);
  if (key === "") return undefined;
  return KEYS.get(key) ?? newestBeginning(text) ?? nearestByEdits(text);
}

/** A hint for an expression that doesn't parse: what its first unknown part may mean. */
export function licenseHint(text: string): string {
  if (/\bWITH\b/i.test(text) && unknownPart(text.replace(/\bWITH\s+\S+/gi, " ")) === undefined) {
    return "after WITH goes an exception of https://spdx.org/licenses/exceptions-index.html";
  }
  if (/^\W*(all rights reserved|none)\W*$/i.test(text)) return "did you mean NONE?";
  const part = unknownPart(text);
  const nearest = part === undefined ? undefined : nearestId(part);
  if (nearest !== undefined) return `did you mean ${nearest}?`;
  return part === undefined ? "join ids with AND, OR and WITH, and close every bracket" : LIST;
}

function unknownPart(text: string): string | undefined {
  const parts = text.split(/\s+(?:AND|OR|WITH)(?:\s+|$)|[()]/i).map((part) => part.trim().replace(/\+$/, ""));
  return parts.find((part) => part !== "" && !isLicenseId(part) && !/^(DocumentRef-[\w.-]+:)?LicenseRef-/.test(part));
}

/** Letters and figures, without filler, "v" before a figure, a trailing ".0", and "only", which older notation leaves out. */
function keyOf(text: string): string {
  return text
    .toLowerCase()
    .replace(/\b(the|licen[cs]e|version|only)\b/g, "")
    .replace(/v(?=\d)/g, "")
    .replace(/\.0(?!\d)/g, "")
    .replace(/[^a-z0-9.]/g, "");
}

/** The first id of a key wins: current ones before deprecated ones. */
const KEYS = new Map([...CURRENT_IDS, ...DEPRECATED_IDS].toReversed().map((id) => [keyOf(id), id]));

function newestBeginning(text: string): string | undefined {
  const start = `${text.trim().toLowerCase().replace(/\s+/g, "-")}-`;
  return CURRENT_IDS.filter(
    (id) => id.toLowerCase().startsWith(start) && /^[\d.]+(-only)?$/.test(id.slice(start.length)),
  )
    .toSorted()
    .at(-1);
}

function nearestByEdits(text: string): string | undefined {
  const wanted = text.trim().toLowerCase().replace(/\s+/g, "-");
  let best: string | undefined;
  let fewest = Math.min(MAX_EDITS, Math.floor(wanted.length / 4)) + 1;
  for (const id of CURRENT_IDS) {
    if (Math.abs(id.length - wanted.length) >= fewest) continue;
    const edits = distance(wanted, id.toLowerCase());
    if (edits < fewest) [best, fewest] = [id, edits];
  }
  return best;
}

/** Levenshtein distance: insertions, deletions and replacements from one text to the other. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
