import { expect } from "chai";
import { AbiCoder, getAddress, hexlify, ParamType } from "ethers";
import fc from "fast-check";
import { decodeStatic, staticWords } from "../../src/chain/static-abi.js";
import { runs } from "../support/effort.js";

const TYPE = ParamType.from(
  "tuple(address who, uint128 much, tuple(bool yes, bytes32 root, tuple(uint8 a, uint256 b) deep) inner, uint8 last)",
);

describe("static ABI", () => {
  const uint = (bits: number) => fc.bigInt({ min: 0n, max: 2n ** BigInt(bits) - 1n });
  const bytes = (length: number) =>
    fc.uint8Array({ minLength: length, maxLength: length }).map((some) => hexlify(some));

  it("decodes what ethers encodes, and as ethers has it", () => {
    const value = fc.record({
      who: bytes(20).map(getAddress),
      much: uint(128),
      inner: fc.record({ yes: fc.boolean(), root: bytes(32), deep: fc.record({ a: uint(8), b: uint(256) }) }),
      last: uint(8),
    });
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 3 }), (values) => {
        const coder = AbiCoder.defaultAbiCoder();
        const hex = values.map((one) => coder.encode([TYPE], [one]).slice(2)).join("");
        const words = staticWords(TYPE);
        expect(hex.length).to.equal(values.length * words * 64);
        expect(values.map((_, i) => decodeStatic(TYPE, hex, i * words))).to.deep.equal(values);
      }),
      { numRuns: runs(100) },
    );
  });

  it("refuses types whose length varies, and those that it does not know", () => {
    for (const type of ["bytes", "string", "uint8[]", "uint8[2]", "int8", "bytes4", "tuple(bytes b)"]) {
      expect(() => staticWords(ParamType.from(type)), type).to.throw(TypeError);
    }
  });
});
