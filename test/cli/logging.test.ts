import { expect } from "chai";
import { secretFreeLogger } from "../../src/cli/logging.js";

describe("the logger", () => {
  const written: string[] = [];
  const logger = secretFreeLogger("info", { write: (line: string) => void written.push(line) });

  it("cuts bytes that nobody reads, wherever in an error they are, and leaves hashes and signatures whole", () => {
    const raw = `0x${"ab".repeat(131_072)}`;
    const signature = `0x${"cd".repeat(65)}`;
    logger.warn({ err: new Error(`could not coalesce error (params=["${raw}"], code=X)`), signature }, `sent ${raw}`);
    const [line] = written as [string];
    expect(line.length).to.be.below(3_000);
    expect(line).to.contain(`${signature}"`);
    const { err, msg } = JSON.parse(line);
    const cut = "0xabababababababab… (131072 bytes)";
    expect(msg).to.equal(`sent ${cut}`);
    expect(err.message).to.equal(`could not coalesce error (params=["${cut}"], code=X)`);
  });
});
