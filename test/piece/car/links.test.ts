import { expect } from "chai";
import { CID } from "multiformats/cid";
import { sha256 } from "multiformats/hashes/sha2";
import { blockLinks } from "../../../src/piece/car/index.js";
import { expectError } from "../helpers.js";
import { DAG_PB, folderBlock, link, rawBlock, text } from "./helpers.js";

const DAG_CBOR = 0x71;

describe("piece: links of blocks", () => {
  let a: CID;
  let b: CID;
  /** Tag 42, and bytes with a zero in front of the CID. */
  const tagged = (cid: CID) => Buffer.concat([Buffer.from([0xd8, 42, 0x58, 1 + cid.bytes.length, 0]), cid.bytes]);
  const cborBlock = async (...parts: readonly Uint8Array[]) => {
    const bytes = new Uint8Array(Buffer.concat(parts));
    return { cid: CID.createV1(DAG_CBOR, await sha256.digest(bytes)), bytes };
  };
  const linksOf = async (...parts: readonly Uint8Array[]) => {
    const { cid, bytes } = await cborBlock(...parts);
    return blockLinks(cid, bytes).map(String);
  };
  const bytes = (...values: readonly number[]) => Buffer.from(values);

  before(async () => {
    [a, b] = [(await rawBlock(text("a"))).cid, (await rawBlock(text("b"))).cid];
  });

  it("has none of raw blocks and all of DAG-PB, in their order", async () => {
    const [x, y] = [await rawBlock(text("x")), await rawBlock(text("y"))];
    const folder = await folderBlock(link("1", y), link("2", x), link("3", y));
    expect(blockLinks(x.cid, x.bytes)).to.deep.equal([]);
    expect(blockLinks(folder.cid, folder.bytes).map(String)).to.deep.equal([y, x, y].map(({ cid }) => String(cid)));
  });

  it("finds those of DAG-CBOR among all kinds of items", async () => {
    // {"x": [1, -500, 1.5, true, null, a], "y": {"z": b, "s": "text", "n": 2^40}}
    const half = [0xfb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0];
    expect(
      await linksOf(
        bytes(0xa2, 0x61, 0x78, 0x86, 0x01, 0x39, 0x01, 0xf3, ...half, 0xf5, 0xf6),
        tagged(a),
        bytes(0x61, 0x79, 0xa3, 0x61, 0x7a),
        tagged(b),
        bytes(0x61, 0x73, 0x64, 0x74, 0x65, 0x78, 0x74, 0x61, 0x6e, 0x1b, 0, 0, 1, 0, 0, 0, 0, 0),
      ),
    ).to.deep.equal([String(a), String(b)]);
    expect(await linksOf(bytes(0x81), tagged(a))).to.deep.equal([String(a)]);
    // A CID that is only bytes is no link.
    expect(await linksOf(bytes(0x58, a.bytes.length), a.bytes)).to.deep.equal([]);
  });

  it("needs no stack for items within items", async () => {
    expect(await linksOf(new Uint8Array(1 << 20).fill(0x81), tagged(a))).to.deep.equal([String(a)]);
  });

  it("FOLDER_MALFORMED: refuses blocks that are not what their codec says", async () => {
    const wrong = [
      bytes(0x58, 200, 1),
      bytes(0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
      bytes(0x9f, 0xff),
      bytes(0xd8),
      bytes(0xd8, 42),
      bytes(0xd8, 42, 0x01),
      bytes(0xd8, 42, 0x42, 1, 2),
      bytes(0xd8, 42, 0x42, 0, 2),
    ];
    for (const block of wrong) await expectError("FOLDER_MALFORMED", () => linksOf(block));
    const { bytes: noise } = await rawBlock(text("no protobuf"));
    const cid = CID.createV1(DAG_PB, await sha256.digest(noise));
    await expectError("FOLDER_MALFORMED", () => blockLinks(cid, noise));
  });

  it("CAR_UNSUPPORTED: does not guess at other codecs", async () => {
    const cid = CID.createV1(0x0129, await sha256.digest(text("{}")));
    await expectError("CAR_UNSUPPORTED", () => blockLinks(cid, text("{}")));
  });
});
