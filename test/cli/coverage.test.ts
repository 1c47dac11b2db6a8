import { expect } from "chai";
import { parseLcov } from "../../src/cli/coverage.js";
import { HoldfastError } from "../../src/errors.js";

describe("coverage trace", () => {
  it("counts the lines of each file", () => {
    const trace = [
      ...["TN:", "SF:contracts/A.sol", "DA:3,1", "DA:4,0", "DA:10,10", "LH:2", "LF:3", "end_of_record"],
      ...["SF:contracts/mocks/B.sol", "DA:1,0", "LH:0", "LF:1", "end_of_record", ""],
    ].join("\n");
    expect(parseLcov(trace)).to.deep.equal([
      { file: "contracts/A.sol", found: 3, hit: 2 },
      { file: "contracts/mocks/B.sol", found: 1, hit: 0 },
    ]);
  });

  for (const [what, trace] of [
    ["without records", ""],
    ["without lines", "TN:\nSF:contracts/A.sol\nend_of_record\n"],
    ["with an unknown record", "TN:\nSF:contracts/A.sol\nDA:1,1\nXX:1\nend_of_record\n"],
    ["with a line outside a file", "TN:\nDA:1,1\n"],
  ] as const) {
    it(`COVERAGE_TRACE: refuses a trace ${what}`, () => {
      expect(() => parseLcov(trace))
        .to.throw(HoldfastError)
        .with.property("code", "COVERAGE_TRACE");
    });
  }
});
