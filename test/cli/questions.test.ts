import { expect } from "chai";
import { openAsker } from "../../src/cli/questions.js";
import { expectError } from "../piece/helpers.js";
import { terminal } from "../support/terminal.js";

describe("cli: questions", () => {
  const even = (text: string) => {
    if (Number(text) % 2 !== 0) throw new Error("That is not even.");
    return Number(text);
  };
  const question = { option: "--count", text: "How many" };

  it("takes what was given, and asks nothing", async () => {
    const { streams, said } = terminal([]);
    const asker = openAsker(false, streams);
    expect(await asker.ask("4", question, even)).to.equal(4);
    asker.close();
    expect(said()).to.equal("");
  });

  it("asks again until the answer means something, and takes the fallback for none", async () => {
    const { streams, said } = terminal(["", "3", "x", "6", ""]);
    const asker = openAsker(false, streams);
    expect(await asker.ask(undefined, question, even)).to.equal(6);
    expect(await asker.ask(undefined, { ...question, fallback: "8" }, even)).to.equal(8);
    asker.close();
    expect(said().match(/How many: /g)).to.have.length(4);
    expect(said()).to.contain("That is not even.\n").and.to.contain("How many [8]: ");
  });

  it("says which option is missing where nobody can be asked, or is not to be", async () => {
    for (const [silent, isTTY] of [
      [true, true],
      [false, false],
    ] as const) {
      const asker = openAsker(silent, terminal(["2"], isTTY).streams);
      const { message } = await expectError("MISSING_SETTING", () => asker.ask(undefined, question, even));
      expect(message).to.contain("--count is missing: How many");
      expect(await asker.ask(undefined, { ...question, fallback: "8" }, even)).to.equal(8);
      asker.close();
    }
  });
});
