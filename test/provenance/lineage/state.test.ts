import { expect } from "chai";
import { toBeHex } from "ethers";
import { lineageOf, NODE_STATES, stateOf } from "../../../src/provenance/lineage/index.js";
import { STATE_COLOURS } from "../../../src/provenance/lineage/theme.js";
import { ATTESTER, idOf, knownOf, NOW, recordOf, saidBy } from "./sample.js";

const OTHER = toBeHex(0xca401, 20);

describe("provenance: how a record stands", () => {
  const said = [saidBy(ATTESTER)];
  const record = (changes = {}) => ({ ...recordOf(idOf(1)), ...changes });

  it("is what says most against it", () => {
    const supersededBy = idOf(2);
    expect(stateOf(record({ withdrawn: "", said, supersededBy }), NOW)).to.equal("withdrawn");
    expect(stateOf(record({ said, supersededBy }), NOW)).to.equal("disputed");
    expect(stateOf(record({ supersededBy }), NOW)).to.equal("superseded");
    expect(stateOf(record(), NOW)).to.equal("standing");
    expect(stateOf(undefined, NOW)).to.equal("unknown");
  });

  it("isn't touched by who vouches for it, nor by a dispute that is over", () => {
    expect(stateOf(record({ said: [saidBy(ATTESTER, "vouches")] }), NOW)).to.equal("standing");
    expect(stateOf(record({ said: [saidBy(ATTESTER, "disputes", { expires: NOW - 1n })] }), NOW)).to.equal("standing");
    expect(stateOf(record({ said: [saidBy(ATTESTER, "disputes", { revoked: "an error" })] }), NOW)).to.equal(
      "standing",
    );
    expect(stateOf(record({ said: [saidBy(ATTESTER, "vouches"), saidBy(OTHER)] }), NOW)).to.equal("disputed");
  });

  it("hears only those who are asked for, where somebody is", () => {
    const attester = `0x${"Ab".repeat(20)}`;
    const known = knownOf(record({ said: [saidBy(attester)] }), recordOf(idOf(2), [[idOf(1), "derivation"]]));
    const state = (attesters?: string[]) =>
      lineageOf(known, idOf(2), NOW, attesters ? { attesters } : {}).nodes.map((it) => [it.state, it.tainted]);
    const disputed = [
      ["standing", true],
      ["disputed", false],
    ];
    expect(state()).to.deep.equal(disputed);
    expect(state([attester.toLowerCase()])).to.deep.equal(disputed);
    expect(state([attester.replace("0xA", "0xa")])).to.deep.equal(disputed);
    for (const others of [[], [OTHER]]) {
      expect(state(others)).to.deep.equal([
        ["standing", false],
        ["standing", false],
      ]);
    }
  });

  it("is drawn in colours that can be told from the ground and from each other's", () => {
    for (const state of NODE_STATES) {
      const { fill, stroke } = STATE_COLOURS[state];
      expect(contrast(stroke, "#ffffff"), `${state} on white`).to.be.at.least(4.5);
      expect(contrast(stroke, fill), `${state} on its fill`).to.be.at.least(4.5);
    }
    expect(new Set(NODE_STATES.map((state) => STATE_COLOURS[state].fill)).size).to.equal(NODE_STATES.length);
  });
});

/** Contrast ratio of WCAG 2.2. */
function contrast(one: string, other: string): number {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

function luminance(colour: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const channel = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
