import { encode } from "@ipld/dag-cbor";
import { expect } from "chai";
import { getBytes, hexlify } from "ethers";
import fc from "fast-check";
import { CID } from "multiformats/cid";
import { create } from "multiformats/hashes/digest";
import { runs, seed } from "../../support/effort.js";
import { ethers } from "../../support/market.js";

const OPTIONS = { numRuns: runs(40), seed: seed(20_261_129) };
const MOST = 2n ** 63n - 1n;
/** Where an argument takes a byte more, and small numbers. */
const edges = [0n, 23n, 24n, 255n, 256n, 65_535n, 65_536n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n, MOST];
const edge = fc.constantFrom(...edges);
const sizes = fc.oneof(fc.constantFrom(0, 1, 23, 24, 255, 256, 300), fc.nat(400));

describe("Cbor, beside DAG-CBOR by another library", () => {
  const deploy = () => ethers.deployContract("CborHarness");

  it("writes unsigned integers, byte strings and heads of arrays in their shortest form", async () => {
    const cbor = await deploy();
    for (const value of edges) expect(await cbor.uintOf(value), `${value}`).to.equal(hexlify(encode(value)));
    expect(await cbor.uintOf(2n ** 64n - 1n)).to.equal("0x1bffffffffffffffff");
    await fc.assert(
      fc.asyncProperty(fc.oneof(edge, fc.bigInt(0n, MOST)), sizes, async (value, size) => {
        expect(await cbor.uintOf(value)).to.equal(hexlify(encode(value)));
        const bytes = new Uint8Array(size).fill(size & 0xff);
        expect(await cbor.bytesOf(bytes)).to.equal(hexlify(encode(bytes)));
        const head = hexlify(encode(Array<number>(size).fill(0))).slice(0, -2 * size || undefined);
        expect(await cbor.arrayOf(size)).to.equal(head);
      }),
      OPTIONS,
    );
  });

  it("reads back what that library writes, and says where it ends", async () => {
    const cbor = await deploy();
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(edge, fc.bigInt(-MOST - 1n, MOST)),
        fc.uint8Array({ maxLength: 300 }),
        async (value, bytes) => {
          const number = encode(value);
          expect([...(await cbor.readInt(number))]).to.deep.equal([value, BigInt(number.length)]);
          if (value >= 0n) expect([...(await cbor.readUint(number))]).to.deep.equal([value, BigInt(number.length)]);
          const string = encode(bytes);
          expect([...(await cbor.readBytes(string))]).to.deep.equal([hexlify(bytes), BigInt(string.length)]);
          const cid = CID.createV1(0x55, create(0x12, new Uint8Array(32).fill(bytes.length)));
          const link = encode(cid);
          expect([...(await cbor.readCid(link))]).to.deep.equal([
            hexlify(new Uint8Array([0, ...cid.bytes])),
            BigInt(link.length),
          ]);
        },
      ),
      OPTIONS,
    );
  });

  it("refuses another type, and what is cut off", async () => {
    const cbor = await deploy();
    const refused = (call: Promise<unknown>, what: string) =>
      expect(call, what).to.be.revertedWithCustomError(cbor, "MalformedCbor");
    await refused(cbor.readUint(encode(-1)), "a negative number for an unsigned one");
    await refused(cbor.readInt("0x1b8000000000000000"), "2^63");
    await refused(cbor.readInt("0x3b8000000000000000"), "-2^63 - 1");
    await refused(cbor.readBytes(encode("text")), "a text for bytes");
    await refused(cbor.readCid(encode(new Uint8Array(36))), "bytes for a CID");
    for (const whole of [encode(70_000), encode(new Uint8Array(30))]) {
      for (let cut = 0; cut < whole.length; cut++) {
        const part = getBytes(whole).slice(0, cut);
        await refused(
          whole[0] === 0x1a ? cbor.readUint(part) : cbor.readBytes(part),
          `${cut} of ${whole.length} bytes`,
        );
      }
    }
  });
});
