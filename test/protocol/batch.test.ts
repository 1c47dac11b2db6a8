import { expect } from "chai";
import { packedSize, packProofs } from "../../src/protocol/index.js";
import { expectError, pseudoRandom } from "../piece/helpers.js";

describe("protocol: batches", () => {
  it("writes the number of nodes as two bytes before the nodes", () => {
    const [a, b] = [pseudoRandom(64, 1), pseudoRandom(32 * 300, 2)];
    const packed = packProofs([a, new Uint8Array(), b]);
    expect(packed).to.deep.equal(new Uint8Array([0, 2, ...a, 0, 0, 1, 44, ...b]));
    expect(packed.length).to.equal(packedSize(a) + packedSize(new Uint8Array()) + packedSize(b));
  });

  it("packs nothing as nothing", () => {
    expect(packProofs([])).to.deep.equal(new Uint8Array());
  });

  it("takes the longest proof that two bytes can count, and no longer one", async () => {
    expect(packProofs([new Uint8Array(32 * 65_535)]).subarray(0, 2)).to.deep.equal(new Uint8Array([255, 255]));
    await expectError("INVALID_PROOF_LENGTH", () => packProofs([new Uint8Array(32 * 65_536)]));
  });

  it("refuses half a node", async () => {
    await expectError("INVALID_PROOF_LENGTH", () => packProofs([new Uint8Array(33)]));
  });
});
