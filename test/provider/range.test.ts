import { expect } from "chai";
import { matchesEtag, parseRange } from "../../src/provider/range.js";

describe("provider: Range and If-None-Match", () => {
  const cases: [string | undefined, ReturnType<typeof parseRange>][] = [
    [undefined, undefined],
    ["bytes=0-0", { start: 0, end: 1 }],
    ["bytes=0-", { start: 0, end: 10 }],
    ["BYTES=3-5", { start: 3, end: 6 }],
    ["bytes= 3-5 ", { start: 3, end: 6 }],
    ["bytes=9-", { start: 9, end: 10 }],
    ["bytes=2-99", { start: 2, end: 10 }],
    ["bytes=-3", { start: 7, end: 10 }],
    ["bytes=-99", { start: 0, end: 10 }],
    [`bytes=0-${"9".repeat(400)}`, { start: 0, end: 10 }],
    ["bytes=10-", "unsatisfiable"],
    ["bytes=10-12", "unsatisfiable"],
    [`bytes=${"9".repeat(400)}-`, "unsatisfiable"],
    ["bytes=-0", "unsatisfiable"],
    ["bytes=5-4", undefined],
    ["bytes=-", undefined],
    ["bytes=", undefined],
    ["bytes=0-1,3-4", undefined],
    ["bytes=a-b", undefined],
    ["bytes=1--2", undefined],
    ["items=0-1", undefined],
    ["bytes", undefined],
    ["", undefined],
  ];
  for (const [header, expected] of cases) {
    const shown = header && header.length > 40 ? `${header.slice(0, 20)}…` : header;
    it(`${shown} of 10 bytes`, () => expect(parseRange(header, 10)).to.deep.equal(expected));
  }

  it("compares tags weakly, one by one", () => {
    expect(matchesEtag('"a"', '"a"')).to.equal(true);
    expect(matchesEtag('"b", W/"a"', '"a"')).to.equal(true);
    expect(matchesEtag("*", '"a"')).to.equal(true);
    expect(matchesEtag('"ab"', '"a"')).to.equal(false);
    expect(matchesEtag(undefined, '"a"')).to.equal(false);
  });
});
