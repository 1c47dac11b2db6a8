import { expect } from "chai";
import { hexlify } from "ethers";
import { packFolder } from "../../src/piece/car/index.js";
import { NO_HASH, rawCidOf } from "../../src/protocol/index.js";
import { folderInCar, namesBlocks } from "../../src/provenance/folder-in-car.js";
import {
  type Block,
  bytesOf,
  carOf,
  entriesOf,
  folderBlock,
  link,
  pbBlock,
  rawBlock,
  text,
} from "../piece/car/helpers.js";
import { pseudoRandom } from "../piece/helpers.js";
import { failure } from "../support/failure.js";
import { idOf, recordOf } from "./lineage/sample.js";

const cidOf = ({ cid }: Block) => hexlify(cid.bytes);

describe("provenance: the folder in a CAR", () => {
  it("is what its root names, where each block is there and is what its CID says", async () => {
    const { root, car } = await packFolder(
      entriesOf({ "a.txt": text("a"), "b/c.bin": pseudoRandom(2_500_000), d: undefined }),
    );
    expect(await folderInCar(car)).to.deep.equal({ cid: hexlify(root.bytes) });
  });

  it("is none in bytes that are no CAR", async () => {
    for (const bytes of [new Uint8Array(), text("no CAR"), pseudoRandom(5_000)]) {
      expect(await folderInCar(new Blob([bytes as Uint8Array<ArrayBuffer>]))).to.equal(undefined);
    }
  });

  it("is broken by one bit, in any block, and by a block that is missing", async () => {
    const [a, b] = [await rawBlock(text("first")), await rawBlock(text("second"))];
    const root = await folderBlock(link("a", a), link("b", b));
    expect(await folderInCar(carOf(root, root, a, b))).to.deep.equal({ cid: cidOf(root) });
    for (const blocks of [[root, a], [a, b], [root]]) {
      const folder = await folderInCar(carOf(root, ...blocks));
      expect(folder).to.have.property("fault").that.matches(/block/);
      expect(folder?.cid).to.equal(cidOf(root));
    }
    const bytes = await bytesOf(carOf(root, root, a, b));
    for (const at of [bytes.length - 1, bytes.length - 50, bytes.length - 60]) {
      const flipped = bytes.slice();
      flipped[at]! ^= 1;
      expect(await folderInCar(new Blob([flipped])), `byte ${at}`).to.have.property("fault");
    }
  });

  it("hashes a block once, however often it is named: a few can describe more than any disk holds", async function () {
    this.timeout(20_000);
    let level = await rawBlock(pseudoRandom(100));
    const blocks = [level];
    let size = 100n;
    // 2^24 parts in 24 blocks.
    for (let depth = 0; depth < 24; depth++) {
      level = await pbBlock([link("", level), link("", level)], { type: "file", blockSizes: [size, size] });
      size *= 2n;
      blocks.push(level);
    }
    expect(await folderInCar(carOf(level, ...blocks))).to.deep.equal({ cid: cidOf(level) });
  });

  it("lets through what reading the bytes throws", async () => {
    const source = { size: 1_000, read: () => Promise.reject(new Error("disk")) };
    expect(await failure(folderInCar(source)))
      .to.be.instanceOf(Error)
      .with.property("message", "disk");
  });

  it("is asked for where a record names a CID that is no hash of the bytes", () => {
    const names = (cid: string) => namesBlocks(recordOf(idOf(1), [], { cid }));
    expect([names("0x"), names(rawCidOf(NO_HASH)), names("0x01701220"), names("0x1220")]).to.deep.equal([
      false,
      false,
      true,
      true,
    ]);
  });
});
