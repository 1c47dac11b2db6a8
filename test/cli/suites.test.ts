import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { ROOT } from "../../src/cli/root.js";
import { filesOf, SUITES } from "../../src/cli/suites.js";

describe("suites", () => {
  it("hold every file with tests, once", () => {
    const held = SUITES.flatMap(filesOf);
    // In test/support is what tests are made with.
    const withTests = globSync("test/**/*.{ts,sol}", { cwd: ROOT, exclude: ["test/support/**"] }).filter((file) =>
      /^\s*(describe\w*(\.\w+)?\(|function (test|invariant)\w*\()/m.test(readFileSync(join(ROOT, file), "utf8")),
    );
    expect(held.length).to.be.greaterThan(10);
    expect(held).to.have.members(withTests);
  });
});
