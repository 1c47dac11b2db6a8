/** Text of strangers on a terminal. */

/**
 * A stranger's text must not steer the terminal, nor change the order in which the rest of the line is read: control and format
 * characters, line separators and halves of characters are shown as what they are, `\x1b` or `\u{202e}`.
 */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (control) => {
    const code = (control.codePointAt(0) as number).toString(16);
    return code.length > 2 ? `\\u{${code}}` : `\\x${code.padStart(2, "0")}`;
  });
}

/** The same of a text of several lines. */
export function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}
