import { createHash } from "node:crypto";
import { expect } from "chai";
import fc from "fast-check";
import { fr32Pad, UNIT_PADDED, UNIT_PAYLOAD } from "../../src/piece/fr32.js";
import { hashPairs as native } from "../../src/piece/hasher-node.js";
import { hashPairs as portable } from "../../src/piece/hasher-portable.js";
import { hashNodes, zeroSubtree } from "../../src/piece/tree.js";
import { pseudoRandom } from "./helpers.js";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** Fr32 as its definition reads: bit b of the payload becomes bit ⌊b / 254⌋·256 + b mod 254 of the result. */
function padBitByBit(payload: Uint8Array): Uint8Array {
  const padded = new Uint8Array((payload.length / UNIT_PAYLOAD) * UNIT_PADDED);
  for (let bit = 0; bit < payload.length * 8; bit++) {
    const to = Math.floor(bit / 254) * 256 + (bit % 254);
    const value = ((payload[bit >> 3] as number) >> (bit & 7)) & 1;
    padded[to >> 3] = (padded[to >> 3] as number) | (value << (to & 7));
  }
  return padded;
}

describe("piece: hashing", () => {
  it("pads like the definition of Fr32, bit by bit", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3 }), fc.integer(), (units, seed) => {
        const source = pseudoRandom(units * UNIT_PAYLOAD + 4, seed);
        const padded = new Uint8Array(units * UNIT_PADDED);
        fr32Pad(new DataView(source.buffer), new DataView(padded.buffer), units);
        expect(hex(padded)).to.equal(hex(padBitByBit(source.subarray(0, units * UNIT_PAYLOAD))));
      }),
      { numRuns: 20 },
    );
  });

  for (const [name, hashPairs] of Object.entries({ native, portable })) {
    it(`hashes pairs of nodes as SHA-256 does: ${name}`, () => {
      fc.assert(
        fc.property(fc.integer({ min: 0, max: 40 }), fc.integer(), (pairs, seed) => {
          // An odd start in the buffer: callers may pass views that no word is aligned in.
          const input = pseudoRandom(pairs * 64 + 1, seed).subarray(1);
          const output = new Uint8Array(pairs * 32 + 3).subarray(3);
          hashPairs(input, output);
          for (let i = 0; i < pairs; i++) {
            const digest = createHash("sha256")
              .update(input.subarray(64 * i, 64 * i + 64))
              .digest("hex");
            expect(hex(output.subarray(32 * i, 32 * i + 32))).to.equal(digest);
          }
        }),
      );
    });
  }

  it("uses the native hasher on this platform", function () {
    if (!["linux", "win32"].includes(process.platform) || process.arch !== "x64") this.skip();
    expect(native).to.not.equal(portable);
  });

  it("clears the two top bits of a node's last byte", () => {
    for (let seed = 0; seed < 64; seed++) {
      const pair = pseudoRandom(64, seed);
      const digest = createHash("sha256").update(pair).digest();
      digest[31] = (digest[31] as number) & 0x3f;
      expect(hex(hashNodes(pair.subarray(0, 32), pair.subarray(32)))).to.equal(digest.toString("hex"));
    }
  });

  it("gives zero subtrees that nobody can spoil for others", () => {
    zeroSubtree(5).fill(1);
    expect(hex(zeroSubtree(5))).to.equal(hex(hashNodes(zeroSubtree(4), zeroSubtree(4))));
  });
});
