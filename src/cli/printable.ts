/** Text of strangers on a terminal. */

/** A stranger's text must not steer the terminal: control characters are shown as what they are. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]/gu, (control) => `\\x${control.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
