import { expect } from "chai";
import { CID } from "multiformats/cid";
import * as raw from "multiformats/codecs/raw";
import { identity } from "multiformats/hashes/identity";
import { sha512 } from "multiformats/hashes/sha2";
import { packFolder, scanCar } from "../../../src/piece/car/index.js";
import { inChunks } from "../../support/pieces.js";
import { pseudoRandom } from "../helpers.js";
import { type Block, bytesOf, carOf, entriesOf, rawBlock, section, text } from "./helpers.js";

const MOST = 2 << 20;

describe("piece: scanning what may be a CAR", () => {
  let a: Block;
  let b: Block;
  const scan = async (bytes: Uint8Array, chunk = 1_000) => {
    const found: { digest: string; bytes: Uint8Array }[] = [];
    for await (const { digest, offset, length } of scanCar(inChunks(bytes, chunk), MOST)) {
      found.push({ digest: Buffer.from(digest).toString("hex"), bytes: bytes.slice(offset, offset + length) });
    }
    return found;
  };
  const expected = (...blocks: readonly Block[]) =>
    blocks.map(({ cid, bytes }) => ({ digest: Buffer.from(cid.multihash.digest).toString("hex"), bytes }));
  const joined = (...parts: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(parts));

  before(async () => {
    [a, b] = [await rawBlock(pseudoRandom(3_000)), await rawBlock(text("b"))];
  });

  it("finds every block of a folder, however the bytes come", async () => {
    const { car, blocks } = await packFolder(entriesOf({ "a/b.bin": pseudoRandom(3 << 20), "c.txt": text("c") }));
    const bytes = await bytesOf(car);
    const found = await scan(bytes, 1 << 18);
    expect(found).to.have.length(blocks);
    for (const { digest, bytes } of found)
      expect(Buffer.from((await rawBlock(bytes)).cid.multihash.digest).toString("hex")).to.equal(digest);
    const small = await bytesOf(carOf(a, a, b));
    for (const chunk of [1, 7, 4096]) expect(await scan(small, chunk)).to.deep.equal(expected(a, b));
  });

  it("passes over blocks that are wrong, too large, or hashed by something else", async () => {
    const forged = { cid: a.cid, bytes: text("not a") };
    const large = await rawBlock(new Uint8Array(MOST + 1));
    const largest = await rawBlock(new Uint8Array(MOST));
    const other = { cid: CID.createV1(raw.code, await sha512.digest(b.bytes)), bytes: b.bytes };
    const own = { cid: CID.createV1(raw.code, identity.digest(text("me"))), bytes: text("me") };
    const empty = await rawBlock(new Uint8Array());
    const car = await bytesOf(carOf(a, forged, large, largest, other, own, empty, a, b));
    expect(await scan(car, 65_536)).to.deep.equal(expected(largest, empty, a, b));
  });

  it("ends where the bytes stop being a CAR, with what was right before", async () => {
    const car = await bytesOf(carOf(a, b, a));
    for (const end of [car.length - 1, car.length - 2_999, car.length - 3_020]) {
      expect(await scan(car.subarray(0, end))).to.deep.equal(expected(b));
    }
    // A section of no length, one shorter than its CID, one of 2^49 bytes, one whose CID is endless, and noise.
    const huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    const tails = [
      [0],
      [3],
      huge,
      [0x40, 1, 0x55, 0x12, ...huge],
      [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    ];
    for (const tail of tails) {
      const bytes = joined(car, Buffer.from(tail), tail[0] === 3 ? section(a).subarray(2) : section(a));
      expect(await scan(bytes), `${tail}`).to.deep.equal(expected(b, a));
    }
  });

  it("finds nothing in what never was one", async () => {
    const cbor = (bytes: Uint8Array) => joined(Buffer.from([bytes.length]), bytes, section(a));
    const version2 = joined(Buffer.from("0aa16776657273696f6e02", "hex"), new Uint8Array(40), section(a));
    // Sixty lists within each other; no roots; a header that claims 2^49 bytes.
    const deep = cbor(new Uint8Array(60).fill(0x81));
    const rootless = cbor(Buffer.from("a16776657273696f6e01", "hex"));
    const endless = joined(Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]), section(a));
    for (const bytes of [
      new Uint8Array(),
      text("%PDF-1.7"),
      pseudoRandom(100_000),
      version2,
      deep,
      rootless,
      endless,
    ]) {
      expect(await scan(bytes)).to.deep.equal([]);
    }
  });

  it("tells what the source failed with, and lets it go", async () => {
    const car = await bytesOf(carOf(a, a, b));
    let closed = 0;
    async function* broken() {
      try {
        yield car.subarray(0, 2_000);
        throw new Error("the disk is gone");
      } finally {
        closed++;
      }
    }
    const all = async () => {
      for await (const _ of scanCar(broken(), MOST)) expect.fail("no block was whole");
    };
    expect(await all().catch(({ message }) => message)).to.equal("the disk is gone");
    for await (const _ of scanCar(inChunks(car), MOST)) break;
    expect(closed).to.equal(1);
  });
});
