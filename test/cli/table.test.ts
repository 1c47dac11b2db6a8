import { expect } from "chai";
import { table } from "../../src/cli/table.js";

describe("cli: tables", () => {
  it("makes each column as wide as its widest cell, numbers to the right, nothing at the ends of lines", () => {
    const columns = [{ title: "deal" }, { title: "missed", right: true }, { title: "status" }];
    expect(
      table(columns, [
        ["0x1234", "2", "Open"],
        ["0x5", "10"],
      ]),
    ).to.deep.equal(["deal    missed  status", "0x1234       2  Open", "0x5         10"]);
  });
});
