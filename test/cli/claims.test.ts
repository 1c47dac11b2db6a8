import { expect } from "chai";
import { Command, InvalidArgumentError } from "commander";
import { encodeBytes32String } from "ethers";
import { type ClaimFlags, claimsFrom, idsIn, parseTopic, recordIdFrom, withClaims } from "../../src/cli/claims.js";
import type { ProvenanceBook } from "../../src/provenance/book.js";
import { expectError } from "../piece/helpers.js";

const ONE = `0x12345${"0".repeat(59)}`;
const TWO = `0x12346${"0".repeat(59)}`;
const known = async () => [ONE, TWO];
/** For what is not to be looked up. */
const unasked = () => Promise.reject(new Error("asked"));

function flagsOf(...args: string[]): ClaimFlags {
  const command = withClaims(new Command("x"))
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  return command.parse(args, { from: "user" }).opts();
}
const claims = (args: string[], ids = known) => claimsFrom(flagsOf(...args), ids);

describe("cli: claims", () => {
  it("says nothing that was not said", async () => {
    expect(await claims([], unasked)).to.deep.equal({
      ...{ kind: "original", parents: [], license: "", aiTraining: "unstated" },
    });
  });

  it("gives a parent the edge that is usual for the kind, or the one that is named", async () => {
    const usual = {
      ...{ original: "derivation", edited: "revision", derived: "derivation", generated: "input" },
      ...{ "trained-on": "training", aggregated: "component" },
    };
    for (const [kind, edge] of Object.entries(usual)) {
      const { parents } = await claims(["--kind", kind, "--parent", ONE, "--parent", `${TWO}:component`], unasked);
      expect(parents, kind).to.deep.equal([
        { parent: ONE, kind: edge },
        { parent: TWO, kind: "component" },
      ]);
    }
  });

  it("finds a parent by its first digits, and asks only then", async () => {
    expect((await claims(["--parent", "0x12345:input"])).parents).to.deep.equal([{ parent: ONE, kind: "input" }]);
    expect(await recordIdFrom(ONE.toUpperCase().replace("0X", "0x"), unasked)).to.equal(ONE);
    const book = { known: new Map([[ONE, {}]]) } as unknown as ProvenanceBook;
    expect([...(await idsIn(book)())]).to.deep.equal([ONE]);
  });

  it("refuses what names nothing, too many, or no id", async () => {
    await expectError("UNKNOWN_RECORD", () => claims(["--parent", "0x9999"]));
    await expectError("AMBIGUOUS_RECORD", () => claims(["--parent", "0x1234"]));
    for (const text of ["0x12", "1234567", "", `${ONE}0`, "photo.jpg"]) {
      await expectError("INVALID_RECORD_ID", () => claims(["--parent", text]));
    }
    await expectError("INVALID_LICENSE", () => claims(["--license", "Apache 2.0"], unasked));
    for (const text of [`${ONE}:uncle`, `${ONE}:`, `${ONE}:input:training`]) {
      await expectError("INVALID_EDGE", () => claims(["--parent", text]));
    }
    for (const args of [
      ["--kind", "stolen"],
      ["--ai-training", "unstated"],
    ]) {
      expect(() => flagsOf(...args)).to.throw(/Allowed choices/);
    }
  });

  it("reads topics as people write them", () => {
    expect(parseTopic("origin")).to.equal(encodeBytes32String("origin"));
    expect(parseTopic(ONE.toUpperCase().replace("0X", "0x"))).to.equal(ONE);
    expect(parseTopic("x".repeat(31))).to.match(/^0x(78){31}00$/);
    for (const text of ["x".repeat(32), "文".repeat(11)]) {
      expect(() => parseTopic(text)).to.throw(InvalidArgumentError);
    }
  });
});
