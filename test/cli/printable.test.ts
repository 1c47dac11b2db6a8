import { expect } from "chai";
import fc from "fast-check";
import { printable } from "../../src/cli/printable.js";
import { runs } from "../support/effort.js";

describe("cli: strangers' text", () => {
  it("shows what would steer a terminal, and leaves the rest as it is", () => {
    const texts: [string, string][] = [
      ["Ünï cöde 日本 😀 “fine” \\x1b", "Ünï cöde 日本 😀 “fine” \\x1b"],
      ["\u001b[2J\r\n\t\0", "\\x1b[2J\\x0d\\x0a\\x09\\x00"],
      ["\u007f\u009b31m", "\\x7f\\x9b31m"],
      ["right\u202eto left\u2066\u200f\u061c", "right\\u{202e}to left\\u{2066}\\u{200f}\\u{61c}"],
      ["zero\u200bwidth\ufeff\u00ad", "zero\\u{200b}width\\u{feff}\\xad"],
      ["line\u2028and\u2029paragraph", "line\\u{2028}and\\u{2029}paragraph"],
      // A tag of a language: hidden text beyond the first 65,536 characters.
      ["tag\u{e0041}", "tag\\u{e0041}"],
      ["half \ud83d of one", "half \\u{d83d} of one"],
    ];
    for (const [text, shown] of texts) expect(printable(text)).to.equal(shown);
  });

  it("leaves nothing of that kind, whatever comes, and nothing more to do", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const shown = printable(text);
        expect(shown).to.not.match(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
        expect(printable(shown)).to.equal(shown);
      }),
      { numRuns: runs(300) },
    );
  });
});
