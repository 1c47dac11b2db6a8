/** Characters of one text that are kept. */
export const MAX_TEXT = 1_000;

/** Controls, which would reach a terminal, and marks that make text read in another order than it is in. */
const UNWANTED = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]+/gu;

/** A stranger's text, fit to be shown: one line, of {@link MAX_TEXT} characters at most. */
export function plainText(text: string): string {
  if (text.length <= MAX_TEXT) return text.replace(UNWANTED, " ");
  // By characters, so that none is cut in half.
  const short = Array.from(text.slice(0, MAX_TEXT)).slice(0, -1).join("");
  return `${short.replace(UNWANTED, " ")}…`;
}
