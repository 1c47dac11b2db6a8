import { expect } from "chai";
import { UnixFS } from "ipfs-unixfs";
import { fileData } from "../../../src/piece/car/file.js";
import { FolderArchive, packFolder } from "../../../src/piece/car/index.js";

const MIB = 1 << 20;
const GIB = 2 ** 30;

describe("piece: large files in folders", () => {
  it("writes sizes as UnixFS has them, of every length", () => {
    for (const sizes of [
      [1, 127, 128],
      [MIB, 5],
      [GIB, GIB - 1],
      [1024 * GIB, 1000 * GIB + 1],
    ]) {
      const meta = new UnixFS({ type: "file", blockSizes: sizes.map(BigInt) });
      expect(Buffer.from(fileData(sizes)).toString("hex")).to.equal(Buffer.from(meta.marshal()).toString("hex"));
    }
    // Where the importer's own encoder fails: from 2^31 up to 2^32.
    for (const sizes of [[GIB, GIB], [2 * GIB], [3 * GIB, 1], [4 * GIB - 1], [GIB, GIB, GIB, GIB - 1], [4 * GIB]]) {
      const { blockSizes, type } = UnixFS.unmarshal(fileData(sizes));
      expect(type).to.equal("file");
      expect(blockSizes.map(Number)).to.deep.equal(sizes);
    }
  });

  it("packs a file of 2.5 GiB so that it can be read", async function () {
    this.timeout(180_000);
    const chunk = new Uint8Array(MIB);
    async function* content() {
      for (let i = 0; i < 2_560; i++) yield chunk;
    }
    const { car } = await packFolder([{ path: "zeros.bin", content }]);
    // Each block is there once: the zeros, a node of 1024 links, one of 512, the file, the folder.
    expect(car.size).to.be.lessThan(2 * MIB);
    const archive = await FolderArchive.open(car);
    const file = await archive.file("zeros.bin");
    expect(file.size).to.equal(BigInt(2.5 * GIB));
    expect(file.parts.map(({ size }) => Number(size))).to.deep.equal([GIB, GIB, GIB / 2]);
    await archive.verify();
    let read = 0;
    for await (const bytes of archive.content(file)) {
      read += bytes.length;
      if (read > 8 * MIB) break;
    }
    expect(read).to.equal(9 * MIB);
  });
});
