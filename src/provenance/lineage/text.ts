/**
 * Text of strangers made fit for a drawing: it can't leave the element it is put in, nor push anything out of place.
 *
 * @packageDocumentation
 */

const REPLACEMENT = "\uFFFD";

/** Controls, direction overrides, lone surrogates, noncharacters, line and paragraph separators. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu;
/** Letters whose width nobody can foretell. */
const NOT_ASCII = /[^ -~]/gu;

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

/** Text as XML 1.0 takes it, in an element or an attribute. What XML has no way to write becomes U+FFFD. */
export function escapeXml(text: string): string {
  return text.replace(UNPRINTABLE, REPLACEMENT).replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

/** Cut to some characters, with an ellipsis where something is missing. */
export function cut(text: string, length: number): string {
  // A character is two units at most, and there is no need to take all of a long text apart.
  const characters = [...text.slice(0, 2 * length + 2)];
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join("")}…`;
}

/**
 * An SPDX expression on one line of so many columns, each as wide as a small letter. Such expressions are ASCII; whatever
 * else stands in its place is shown as U+FFFD.
 */
export function oneLine(text: string, columns: number): string {
  const characters = [...cut(text, 2 * columns).replace(NOT_ASCII, REPLACEMENT)];
  if (widthOf(characters) <= columns) return characters.join("");
  while (widthOf(characters) > columns - 2) characters.pop();
  return `${characters.join("")}…`;
}

/** An id as people tell them apart: its first and last digits. */
export function shortId(id: string): string {
  return `${id.slice(0, 8)}…${id.slice(-4)}`;
}

/** Columns, by the widest of the fonts that a reader is likely to have. */
function widthOf(characters: readonly string[]): number {
  return characters.reduce((sum, it) => sum + (/[MWm@%\ufffd]/.test(it) ? 1.7 : /[A-Z&_]/.test(it) ? 1.2 : 1), 0);
}
